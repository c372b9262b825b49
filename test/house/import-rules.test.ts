import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const ROOT = join(__dirname, '..', '..');

/** A file that must not pass, and a piece of the reason that the linter has to give for it. */
const FORBIDDEN: readonly (readonly [file: string, code: string, reason: string])[] = [
  ['lib/model/planted-a.ts', "import type { Store } from '../stores/store.ts';\nexport type A = Store;", 'lib/model is the bottom'],
  ['lib/stores/planted-b.ts', "export { repository } from '../repository/index.ts';", 'Ports and adapters may import only lib/model'],
  ['lib/stores/nested/planted-c.ts', "export { run } from '../../cli/run.ts';", 'Ports and adapters may import only lib/model'],
  ['lib/config/planted-d.ts', "export { run } from '../engine/run.ts';", 'lib/config describes holdfast.yaml'],
  ['lib/repository/planted-e.ts', "export { run } from '../engine/run.ts';", 'lib/repository is the format'],
  ['lib/engine/planted-f.ts', "export { backup } from '../backup/backup.ts';", 'lib/engine moves bytes'],
  ['lib/engine/planted-g.ts', "export { chunk } from '../repository/chunker.ts';", 'the only door'],
  ['lib/backup/planted-h.ts', "export { run } from '../cli/run.ts';", 'Use cases know no face'],
  ['lib/recovery/planted-i.ts', "export { openDirectory } from '../stores/directory/directory-store.ts';", 'Only composition roots'],
  ['lib/api/planted-j.ts', "export { run } from '../local/run.ts';", 'Faces parse'],
  ['lib/cli/planted-k.ts', "export { run } from '../api/run.ts';", 'Faces parse'],
  ['lib/local/planted-l.ts', "export { run } from '../stack/run.ts';", 'lib/local composes'],
  ['lib/stack/planted-m.ts', "export { run } from '../repository/index.ts';", 'lib/stack describes infrastructure'],
  ['lib/backup/planted-n.ts', "export { Stack } from 'aws-cdk-lib';", 'aws-cdk-lib lives in lib/stack'],
  ['lib/retention/planted-o.ts', "export { S3Client } from '@aws-sdk/client-s3';", 'SDK clients are made'],
  ['bin/planted-p.ts', "export { chunk } from '../lib/repository/chunker.ts';", 'the only door'],
  ['lib/backup/planted-q.ts', 'export const then = Date.now();', 'Time comes in by argument'],
  ['lib/backup/planted-r.ts', 'export const home = process.env.HOME;', 'environment is read by composition roots'],
  ['lib/backup/planted-s.ts', "console.log('x');", 'Unexpected console statement'],
  ['lib/backup/planted-t.ts', 'export const anything: any = 1;', 'Unexpected `any`'],
  ['lib/backup/planted-u.ts', 'const work = async (): Promise<void> => {};\nwork();', 'Promises must be awaited'],
  ['lib/backup/planted-v.ts', "import { w } from './planted-w.ts';\nexport const v = (): unknown => w;", 'Dependency cycle'],
  ['lib/backup/planted-w.ts', "import { v } from './planted-v.ts';\nexport const w = (): unknown => v;", 'Dependency cycle'],
];

describe('the import table of the house', () => {
  let copy: string;

  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), 'holdfast-house-'));
    for (const name of ['.oxlintrc.json', 'tsconfig.json', 'package.json']) cpSync(join(ROOT, name), join(copy, name));
    cpSync(join(ROOT, 'lib', 'model'), join(copy, 'lib', 'model'), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  });
  afterAll(() => rmSync(copy, { recursive: true, force: true }));

  it('passes code that keeps the rules, and fails on every planted break with its reason', () => {
    expect(lint(copy)).toEqual({ status: 0, findings: [] });
    for (const [file, code] of FORBIDDEN) plant(copy, file, code);
    const { status, findings } = lint(copy);
    expect(status).toBe(1);
    for (const [file, , reason] of FORBIDDEN) {
      expect(findings.filter((finding) => finding.file === file).map((finding) => finding.text)).toContainEqual(expect.stringContaining(reason));
    }
  });

  it('has a row for every folder of lib', () => {
    const { overrides } = JSON.parse(readFileSync(join(ROOT, '.oxlintrc.json'), 'utf8')) as { overrides: { files: string[]; rules: object }[] };
    const ruled = overrides.filter((row) => 'no-restricted-imports' in row.rules).flatMap((row) => row.files);
    for (const folder of readdirSync(join(ROOT, 'lib'))) expect(ruled).toContain(`lib/${folder}/**`);
  });

  it('imports zod as a namespace everywhere: `import { z }` cannot be shaken and costs 570 KiB and 40 ms of start-up', () => {
    const sources = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    expect(sources.length).toBeGreaterThan(10);
    expect(sources.filter((name) => /import (?:\{|z\b).*from 'zod'/.test(readFileSync(join(ROOT, 'lib', name), 'utf8')))).toEqual([]);
  });
});

function plant(root: string, file: string, code: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), `${code}\n`);
}

function lint(root: string): { status: number | null; findings: { file: string; text: string }[] } {
  const result = spawnSync(join(ROOT, 'node_modules', '.bin', 'oxlint'), ['--deny-warnings', '--format=json'], { cwd: root, encoding: 'utf8' });
  const { diagnostics } = JSON.parse(result.stdout) as { diagnostics: { filename: string; message: string; help?: string }[] };
  return { status: result.status, findings: diagnostics.map((found) => ({ file: found.filename, text: `${found.message} ${found.help ?? ''}` })) };
}
