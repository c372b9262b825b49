import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { Person, describeTree, ended, filesBelow } from './program.ts';
import type { Ran } from './program.ts';

const KEY = ['--key-file', 'holdfast.key'];
const PASSPHRASE = 'zwölf Boxkämpfer jagen';

/** What is left of it all: a copy of the vault, the key, and a machine with Node. Nothing of the environment. */
class Survivor {
  readonly folder = temporaryFolder();
  readonly script: string;

  constructor(vault: string, keyFile?: string) {
    cpSync(vault, this.folder, { recursive: true });
    if (keyFile !== undefined) copyFileSync(keyFile, join(this.folder, 'holdfast.key'));
    this.script = join('kit', readdirSync(join(this.folder, 'kit')).find((name) => name.endsWith('.mjs')) ?? '');
  }

  run(args: readonly string[], node = process.execPath): Promise<Ran> {
    return ended(spawn(node, [this.script, ...args], { cwd: this.folder, env: {}, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  path(name: string): string {
    return join(this.folder, name);
  }
}

function makeTree(root: string): void {
  mkdirSync(join(root, 'deep', 'er'), { recursive: true });
  for (let index = 0; index < 40; index++) writeFileSync(join(root, 'deep', `file ${index}`), createHash('sha256').update(String(index)).digest('hex').repeat(20 + index));
  writeFileSync(join(root, 'deep', 'er', 'large'), Buffer.alloc(3 << 20, 'all work and no play '));
  writeFileSync(join(root, 'noise'), Buffer.concat(Array.from({ length: 60_000 }, (_, index) => createHash('sha256').update(`noise ${index}`).digest())));
}

describe('the recovery kit, with a copy of the vault and its key alone (K10, D3)', () => {
  const person = new Person();
  const source = person.path('work', 'source');
  const database = person.path('work', 'app.db');
  let vault: string;
  let keyFile: string;
  let dumped: Buffer;
  let firstTree: string[];

  beforeAll(async () => {
    makeTree(source);
    execFileSync(process.execPath, ['--no-warnings', '-e', `const { DatabaseSync } = require('node:sqlite'); const db = new DatabaseSync(${JSON.stringify(database)}); db.exec('create table t (a); insert into t values (1), (2), (3)')`]);
    dumped = Buffer.from('line of a dump\n'.repeat(20_000));
    await person.do(['init', '--no-yaml']);
    firstTree = describeTree(source);
    await person.do(['backup', 'source']);
    writeFileSync(join(source, 'deep', 'file 7'), 'changed\n');
    writeFileSync(join(source, 'added'), 'added\n');
    await person.do(['backup', 'source']);
    await person.do(['backup', '-', '--stdin-name', 'dump.sql', '--compression', 'gzip', '--class', 'cold'], dumped);
    await person.do(['backup', 'app.db']);
    vault = person.path('xdg', 'data', 'holdfast', 'vault');
    keyFile = person.path('xdg', 'config', 'holdfast', 'key');
  });

  it('is in the vault since it was made, once, with the page that names it by its digest', async () => {
    const [page, script] = readdirSync(join(vault, 'kit')).sort();
    const digest = createHash('sha256').update(readFileSync(join(vault, 'kit', script ?? ''))).digest('hex');
    expect([page, script]).toEqual([`README-${digest.slice(0, 8)}.txt`, `holdfast-kit-${digest.slice(0, 8)}.mjs`]);
    expect(readFileSync(join(vault, 'kit', page ?? ''), 'utf8')).toMatch(new RegExp(`kit/${script}[^]*SHA-256 ${digest}`));
    expect((await person.do(['verify', '--level', 'structure'])).stdout).not.toContain('stray');
  });

  it('restores every backup byte for byte in an empty environment', async () => {
    const survivor = new Survivor(vault, keyFile);
    const listed = (await survivor.run(['list', '--json', ...KEY])).stdout.trim().split('\n').map((line) => JSON.parse(line) as { backup: string; planName: string });
    expect(listed).toHaveLength(4);
    const [first] = listed.filter(({ planName }) => planName === source).slice(-1);
    expect(await survivor.run(['restore', `latest:${source}`, '--to', 'newest', ...KEY])).toMatchObject({ code: 0, stderr: '' });
    expect(describeTree(survivor.path('newest'))).toEqual(describeTree(source));
    expect((await survivor.run(['restore', first?.backup ?? '', '--to', 'oldest', ...KEY])).code).toBe(0);
    expect(describeTree(survivor.path('oldest'))).toEqual(firstTree);
    const dumpPlan = listed.find(({ planName }) => planName.includes('dump.sql'))?.planName;
    expect((await survivor.run(['cat', `latest:${dumpPlan}`, 'dump.sql', ...KEY])).bytes.equals(dumped)).toBe(true);
    expect((await survivor.run(['restore', 'latest', '--to', 'db', ...KEY])).code).toBe(0);
    const [copy] = filesBelow(survivor.path('db')) as [string];
    expect(execFileSync(process.execPath, ['--no-warnings', '-e', `const { DatabaseSync } = require('node:sqlite'); console.log(new DatabaseSync(${JSON.stringify(copy)}).prepare('select sum(a) s from t').get().s)`]).toString()).toBe('6\n');
    expect((await survivor.run(['verify', ...KEY])).code).toBe(0);
  });

  it('restores what a pattern selects, refuses to overwrite, and goes on where it stopped', async () => {
    const survivor = new Survivor(vault, keyFile);
    expect((await survivor.run(['restore', `latest:${source}`, '--to', 'out', ...KEY, 'deep/file 1?'])).code).toBe(0);
    expect(filesBelow(survivor.path('out'))).toHaveLength(10);
    writeFileSync(survivor.path('out/deep/file 10'), 'mine');
    const { code, stdout } = await survivor.run(['restore', `latest:${source}`, '--to', 'out', ...KEY]);
    expect([code, stdout.includes('differs')]).toEqual([3, true]);
    expect(readFileSync(survivor.path('out/deep/file 10'), 'utf8')).toBe('mine');
    expect(filesBelow(survivor.path('out'))).toHaveLength(filesBelow(source).length);
  });

  it('with a damaged pack restores the rest, names what is lost, and ends with 12', async () => {
    const survivor = new Survivor(vault, keyFile);
    const [largest] = filesBelow(survivor.path('packs/hot')).map((path) => ({ path, bytes: readFileSync(path) })).sort((left, right) => right.bytes.length - left.bytes.length);
    largest!.bytes[Math.floor(largest!.bytes.length / 2)]! ^= 1;
    chmodSync(largest!.path, 0o600);
    writeFileSync(largest!.path, largest!.bytes);
    const { code, stdout } = await survivor.run(['restore', `latest:${source}`, '--to', 'out', ...KEY]);
    expect([code, /not restored .*seal is broken/.test(stdout)]).toEqual([12, true]);
    const [restored, wanted] = [describeTree(survivor.path('out')), describeTree(source)];
    expect(restored.length).toBeLessThan(wanted.length);
    expect(wanted).toEqual(expect.arrayContaining(restored));
  });

  it.each<[string, (survivor: Survivor) => readonly string[], number, RegExp]>([
    ['no key', () => [], 11, /^holdfast: No key was given.*\nGive --key-file FILE\.\n$/],
    ['a key file that is not there', () => ['--key-file', 'nothing'], 11, /^holdfast: The key file nothing is not there\.\n/],
    ['the key of another vault', (survivor) => (writeFileSync(survivor.path('other'), `holdfast-key-1:${Buffer.alloc(32, 1).toString('base64')}\n`, { mode: 0o600 }), ['--key-file', 'other']), 11, /^holdfast: The key file that was given opens none of the 1 key slot/],
    ['a folder that is no vault', () => [...KEY, '--vault', 'kit'], 10, /^holdfast: No vault is at .*kit: holdfast\.json is missing\.\nGive the folder that holds/],
    ['a vault of a newer format', (survivor) => (writeFileSync(survivor.path('holdfast.json'), '{"format":2}'), KEY), 1, /^holdfast: holdfast\.json has format version 2.*\nUse the newest script in the folder kit\//],
    ['a bucket', () => [...KEY, '--vault', 's3://bucket/team'], 2, /^holdfast: .*is a bucket\.\nCopy it first: `aws s3 sync s3:\/\/bucket\/team DIR`/],
  ])('tells in one line what is wrong with %s, and what to do in the next', async (_, args, code, says) => {
    const survivor = new Survivor(vault, keyFile);
    const ran = await survivor.run(['list', ...args(survivor)]);
    expect(ran.code).toBe(code);
    expect(ran.stderr).toMatch(says);
    expect(ran.stderr.trim().split('\n')).toHaveLength(2);
  });

  it('opens a vault that has a passphrase alone, from a file', async () => {
    const other = new Person();
    makeTree(other.path('work', 'source'));
    writeFileSync(other.path('work', 'passphrase'), `${PASSPHRASE}\n`);
    for (const args of [['init', '--no-yaml'], ['backup', 'source']]) await other.do([...args, '--vault', other.vault, '--passphrase-file', 'passphrase']);
    const survivor = new Survivor(other.vault);
    writeFileSync(survivor.path('words'), `${PASSPHRASE.normalize('NFD')}\n`);
    expect((await survivor.run(['restore', 'latest', '--to', 'out', '--passphrase-file', 'words'])).code).toBe(0);
    expect(describeTree(survivor.path('out'))).toEqual(describeTree(other.path('work', 'source')));
  });

  it('is written out by `holdfast kit`, again without harm, and never over another file', async () => {
    const { stdout } = await person.do(['kit', '--to', 'safe']);
    const script = readdirSync(person.path('work', 'safe')).find((name) => name.endsWith('.mjs')) ?? '';
    expect(readFileSync(person.path('work', 'safe', script))).toEqual(readFileSync(join(vault, 'kit', script)));
    expect(stdout).toContain(createHash('sha256').update(readFileSync(join(vault, 'kit', script))).digest('hex'));
    await person.do(['kit', '--to', 'safe']);
    writeFileSync(person.path('work', 'safe', script), 'other');
    expect((await person.run(['kit', '--to', 'safe'])).code).toBe(1);
  });

  it('that somebody changed in the vault is told by verify, and no backup is called damaged for it', async () => {
    const survivor = new Survivor(vault, keyFile);
    writeFileSync(survivor.path(survivor.script), 'console.log("give me your key")\n');
    const { code, stdout } = await person.run(['verify', '--vault', survivor.folder, '--key-file', keyFile, '--level', 'structure']);
    expect([code, /damaged kit\/holdfast-kit-[0-9a-f]{8}\.mjs: its SHA-256 begins with/.test(stdout), stdout.includes('4 of 4 backups good')]).toEqual([12, true, true]);
  });

  const older = olderNodes();
  (older.length > 0 ? it : it.skip).each(older)('restores as well with %s, or says which Node it wants', async (node) => {
    const survivor = new Survivor(vault, keyFile);
    const [major = 0, minor = 0] = execFileSync(node, ['--version']).toString().slice(1).split('.').map(Number);
    const { code, stderr } = await survivor.run(['restore', `latest:${source}`, '--to', 'out', ...KEY], node);
    if (major < 18 || (major === 18 && minor < 19)) return expect([code, stderr]).toEqual([1, expect.stringContaining('is too old, wanted 18.19 or newer')]);
    expect([code, stderr]).toEqual([0, '']);
    expect(describeTree(survivor.path('out'))).toEqual(describeTree(source));
    expect((await survivor.run(['verify', ...KEY], node)).code).toBe(0);
  });
});

/** Other Nodes on this machine: mostly older ones, without zstd of their own. `HOLDFAST_OTHER_NODES`: more of them, between colons. */
function olderNodes(): string[] {
  const more = (process.env['HOLDFAST_OTHER_NODES'] ?? '').split(delimiter).filter(Boolean);
  const places = [...more, ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'node'))];
  return [...new Set(places)].filter((place) => existsSync(place) && execFileSync(place, ['--version']).toString().trim() !== process.version);
}
