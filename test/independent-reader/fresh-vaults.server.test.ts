import { appendFileSync, chmodSync, linkSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Person, describeTree } from '../e2e/program.ts';
import { PythonReader } from './python-reader.ts';
import type { ReadEntry } from './python-reader.ts';

interface Listed {
  readonly backup: string;
  readonly planId: string;
}

interface Saved extends Listed {
  readonly type: string;
}

const LISTED = 32;
/** The smallest that the format allows, so that files of a test have many chunks. */
const SMALL_CHUNKS = { min: 4096, avg: 8192, max: 16384 };

const person = new Person();
const source = person.path('work', 'source');
const flags = ['--vault', person.vault, '--key-file', person.path('key')];
const reader = new PythonReader();
/** What the source looked like at each backup, by its id. */
const truth = new Map<string, string[]>();
let dump: string;

beforeAll(async () => {
  await person.do(['init', '--no-yaml', ...flags]);
  chunksOf(SMALL_CHUNKS);
  plant();
  await save();
  await save();
  appendFileSync(join(source, 'many', 'file 7'), 'one line more\n');
  for (const gone of ['holes', join('folder', 'words')]) rmSync(join(source, gone));
  writeFileSync(join(source, 'added'), 'new');
  await save('--compression', 'gzip');
  rmSync(join(source, 'many'), { recursive: true });
  writeFileSync(join(source, 'many'), 'a file where a directory was');
  await save('--compression', 'none', '--class', 'cold');
  dump = await saved(['backup', '-', '--stdin-name', 'dump.sql', ...flags], Buffer.from(dumpText()));
  writeFileSync(person.path('passphrase'), 'ein längeres Paßwort\n');
  await person.do(['keys', 'add', '--new-passphrase-file', person.path('passphrase'), ...flags]);
  await person.do(['keys', 'add', '--new-key-file', person.path('meta.key'), '--meta-only', ...flags]);
  await person.do(['verify', '--level', 'full', ...flags]);
});

afterAll(() => reader.stop());

const KEYS = [['--key-file', person.path('key')], ['--passphrase-file', person.path('passphrase')]] as const;

test('the independent reader lists the backups that the program lists (K10)', async () => {
  const listed = await person.json<Listed>(['list', ...flags]);
  const read = await reader.read<{ backup: string; plan: string }>([person.vault, 'list', ...KEYS[0]]);
  expect(listed).toHaveLength(5);
  expect(read.map(({ backup }) => backup)).toEqual(listed.map(({ backup }) => backup).sort());
});

test.each(KEYS)('%s: the independent reader finds every object of a fresh vault as the document says (K10)', async (...key) => {
  expect(await reader.read([person.vault, 'check', ...key])).toEqual([expect.objectContaining({ backups: 5 })]);
});

test('the independent reader restores every backup as the source was (K10)', async () => {
  expect(truth.size).toBe(4);
  for (const [backup, wanted] of truth) {
    const target = person.path('restored', backup);
    await reader.read([person.vault, 'restore', backup, target, ...KEYS[0]]);
    expect(describeTree(target)).toEqual(wanted);
  }
});

test('a stream comes back byte for byte (K10)', async () => {
  await reader.read([person.vault, 'restore', dump, person.path('restored', 'dump'), ...KEYS[0]]);
  expect(readFileSync(person.path('restored', 'dump', 'dump.sql'), 'utf8')).toBe(dumpText());
});

test('the vault holds what is hard to read: a list of chunks in chunks, links, holes (K10)', async () => {
  const [first] = truth.keys();
  const entries = await reader.read<ReadEntry>([person.vault, 'entries', first as string, ...KEYS[0]]);
  const named = (name: string) => entries.find(({ path }) => path === Buffer.from(name).toString('base64'));
  expect((named('holes')?.flags ?? 0) & LISTED).toBe(LISTED);
  expect(named('folder/twin')?.link).toBe(named('folder/words')?.link);
  expect(named('folder/twin')?.link).toBe(1);
  expect(named('pipe')?.type).toBe('fifo');
});

test('a key of metadata alone lists, and reads no content (K8)', async () => {
  const key = ['--key-file', person.path('meta.key')];
  expect(await reader.read([person.vault, 'list', ...key])).toHaveLength(5);
  expect((await reader.ask([person.vault, 'entries', dump, ...key])).refusal).toMatchObject({ code: 'wrong-key' });
});

function plant(): void {
  mkdirSync(join(source, 'folder', 'empty'), { recursive: true });
  mkdirSync(join(source, 'many'));
  for (let n = 0; n < 400; n++) writeFileSync(join(source, 'many', `file ${n}`), `content of ${n}\n`);
  writeFileSync(join(source, 'folder', 'words'), Array.from({ length: 30_000 }, (_, n) => `word ${n * 7919 % 10_007}`).join(' '));
  linkSync(join(source, 'folder', 'words'), join(source, 'folder', 'twin'));
  writeFileSync(join(source, 'holes'), 'begin');
  truncateSync(join(source, 'holes'), 68_000_000);
  writeFileSync(join(source, 'nothing'), '');
  symlinkSync('folder/words', join(source, 'link'));
  symlinkSync('/nowhere/at/all', join(source, 'dangling'));
  if (spawnSync('mkfifo', ['-m', '640', join(source, 'pipe')]).status !== 0) throw new Error('mkfifo failed');
  chmodSync(join(source, 'folder', 'words'), 0o4751);
  utimesSync(join(source, 'nothing'), -86_400.5, -86_400.5);
  utimesSync(join(source, 'folder'), 1_600_000_000.25, 1_600_000_000.25);
}

async function save(...options: string[]): Promise<void> {
  const wanted = describeTree(source);
  truth.set(await saved(['backup', source, ...options, ...flags]), wanted);
}

async function saved(args: readonly string[], input?: Buffer): Promise<string> {
  const { stdout } = await person.do([...args, '--json'], input);
  const lines = stdout.trim().split('\n').map((line) => JSON.parse(line) as Saved);
  return (lines.find(({ type }) => type === 'backup') as Saved).backup;
}

function dumpText(): string {
  return Array.from({ length: 20_000 }, (_, n) => `insert into t values (${n}, 'row ${n * 31 % 997}');\n`).join('');
}

/** Altered sizes cost deduplication at most (format §2). */
function chunksOf(sizes: object): void {
  const path = join(person.vault, 'holdfast.json');
  const head = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...head, chunker: { files: sizes, streams: sizes } }));
}
