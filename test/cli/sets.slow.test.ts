import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describeTree } from '../e2e/program.ts';
import { Desk, REAL_WORKERS } from './run-in-process.ts';

/** Three parts that need no server. */
async function shop(more = '', path = process.env['PATH'] ?? ''): Promise<Desk> {
  const desk = new Desk({ PATH: path }, REAL_WORKERS);
  mkdirSync(desk.path('uploads/deep'), { recursive: true });
  for (let index = 0; index < 20; index++) writeFileSync(desk.path(`uploads/deep/photo ${index}`), `photo ${index}`);
  const database = new DatabaseSync(desk.path('app.db'));
  database.exec('create table t (a); insert into t values (1), (2)');
  database.close();
  writeFileSync(desk.path('holdfast.yaml'), `
vaults: { v: { directory: vault, key-file: key } }
plans:
  shop: { source: { type: set, parts: { db: { type: sqlite, path: app.db }, uploads: { type: files, paths: [uploads] }, out: { type: command, command: seq 1 1000, stdin-name: numbers.txt } }${more} } }
  one: { source: { type: files, paths: [uploads] } }
`);
  await desk.do('init', '--no-yaml', '--vault', 'vault', '--key-file', 'key');
  return desk;
}

describe('a plan of several sources', () => {
  it('is listed, shown, searched, compared, exported, verified and restored as a set and by part (P4, R1, K9)', async () => {
    const desk = await shop();
    expect(await desk.do('backup', 'shop')).toMatch(/part db: sqlite, .*app\.db; 1 file, .*\n {2}part uploads: files, .*uploads; 20 files, .*\n {2}part out: command, .*; 1 file/);
    expect((await desk.do('ls', 'latest')).trim().split('\n').map((row) => row.split('  ').at(-1))).toEqual(['db/', 'out/', 'uploads/']);
    expect(await desk.do('show', 'latest')).toMatch(/snapshot, number 1 of its plan[^]*part db: [^]*part uploads: [^]*part out: [^]*out\/numbers\.txt: /);
    expect(await desk.do('find', 'photo 7')).toContain('uploads/deep/photo 7');
    expect(await desk.do('cat', 'latest', 'out/numbers.txt')).toMatch(/^1\n2\n[^]*1000\n$/);
    await desk.do('verify', '--level', 'full');
    await desk.do('restore', 'latest', '--to', 'all');
    expect(describeTree(desk.path('all/uploads'))).toEqual(describeTree(desk.path('uploads')));
    await desk.do('restore', 'latest', '--part', 'uploads', '--to', 'alone');
    expect(describeTree(desk.path('alone'))).toEqual(describeTree(desk.path('uploads')));
    await desk.do('restore', 'latest', '--part', 'uploads', '--to', 'some', 'deep/photo 1*');
    expect(describeTree(desk.path('some')).filter((row) => row.includes('photo')).length).toBe(11);
    // A part that has no folder of its own leaves the target's as it is.
    mkdirSync(desk.path('mine'), { mode: 0o751 });
    await desk.do('restore', 'latest', '--part', 'db', '--to', 'mine');
    expect(describeTree(desk.path('mine'))[0]).toMatch(/40751/);
    const restored = new DatabaseSync(desk.path('mine/app.db'));
    expect(restored.prepare('select count(*) as n from t').get()).toEqual({ n: 2 });
    restored.close();
    expect(await desk.do('diff', 'latest', '--part', 'uploads', '--with', 'uploads', '--content')).toContain('are the same');
    mkdirSync(desk.path('exports'));
    for (const args of [[], ['--part', 'uploads'], ['--part', 'db'], ['out/**']]) await desk.do('export', 'latest', ...args, '--to', 'exports/');
    const names = describeTree(desk.path('exports')).map((row) => row.split(' ')[0] ?? '').filter((name) => name !== '' && !/\.(json|sha256)$/.test(name));
    expect(names.map((name) => name.replace(/\d{8}T\d{6}Z/, 'TIME'))).toEqual(['app.db', 'numbers.txt', 'shop-TIME.tar.zst', 'shop-uploads-TIME.tar.zst']);
    const metadata = JSON.parse(readFileSync(desk.path('exports/app.db.json'), 'utf8')) as { backup: { parts: { name: string }[]; source: { type: string } } };
    expect([metadata.backup.parts.map(({ name }) => name), metadata.backup.source.type]).toEqual([['db'], 'sqlite']);
    for (const [target, code] of [[['--to-database', 'postgres://a@localhost/b'], 2], [['--to-bucket', 's3://bucket/x'], 2], [['--to-data-directory', 'pg'], 2]] as const) {
      const refused = await desk.run('restore', 'latest:shop', ...target);
      expect([refused.code, refused.stderr]).toEqual([code, expect.stringMatching(/is one of several sources, wanted the name of one with --part: db \(sqlite\), uploads \(files\), out \(command\)/)]);
    }
    await desk.do('backup', 'one');
    expect(await desk.run('restore', 'latest:shop', '--part', 'upload', '--to', 'x')).toMatchObject({ code: 1, stderr: expect.stringMatching(/has no part upload, wanted one of db, uploads, out \(did you mean "uploads"\?\)/) });
    expect(await desk.run('restore', 'latest:one', '--part', 'db', '--to', 'x')).toMatchObject({ code: 1, stderr: expect.stringMatching(/has no parts: it is one of files alone/) });
    expect(existsSync(desk.path('x'))).toBe(false);
  });

  it('doctor says whether its commands and its containers are there (P4)', async () => {
    const desk = await shop(', quiesce: "no-such-command on", resume: "echo going", stop-containers: [web]', '/no/programs');
    const checks = (await desk.run('doctor', '--json')).stdout.trim().split('\n').map((row) => JSON.parse(row) as { check?: string; result?: string; seen?: string });
    expect(checks.find(({ check }) => check === 'can run its commands')).toMatchObject({ result: 'failed', seen: expect.stringMatching(/^not in PATH: .*no-such-command of plan shop/) });
    expect(checks.find(({ check }) => check === 'can stop the containers of shop')).toMatchObject({ result: 'failed', seen: expect.stringMatching(/^docker or podman is not in PATH/) });
  });

  it('a resume that fails is said, the backup is there, exit code 3 (P4)', async () => {
    const desk = await shop(', quiesce: "true", resume: "echo nobody answers >&2; exit 6"');
    const ran = await desk.run('backup', 'shop');
    expect([ran.code, ran.stderr]).toEqual([3, expect.stringMatching(/exit code 6, wanted 0\. It said: nobody answers What the command was to set going again may stand still: look at it now/)]);
    expect((await desk.json<{ state: string }>('runs'))[0]).toMatchObject({ state: 'warnings' });
    expect(await desk.json('list')).toHaveLength(1);
  });
});
