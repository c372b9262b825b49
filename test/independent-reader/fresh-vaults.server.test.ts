import { appendFileSync, chmodSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Person, describeTree, filesBelow } from '../e2e/program.ts';
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

describe('a vault that lost a pack and healed', () => {
  const healed = new Person();
  const work = healed.path('work', 'source');
  const keyFile = ['--vault', healed.vault, '--key-file', healed.path('key')];
  const paper = healed.path('paper');
  const saw: string[][] = [];

  beforeAll(async () => {
    await healed.do(['init', '--no-yaml', ...keyFile]);
    mkdirSync(work);
    writeFileSync(join(work, 'kept'), randomBytes(50_000));
    for (const [index, text] of ['first', 'second', 'first'].entries()) {
      writeFileSync(join(work, 'changed'), text);
      saw.push(describeTree(work));
      if (index === 2) await breakPack();
      await healed.do(['backup', work, ...keyFile]);
    }
    await healed.do(['keys', 'make-recipient', healed.path('public'), '--paper-file', paper]);
    await healed.do(['keys', 'add', '--recipient', healed.path('public'), ...keyFile]);
  });

  test.each([['--key-file', healed.path('key')], ['--private-half', paper]] as const)('%s: every backup is restored from the packs that took its place (V1, K11)', async (...key) => {
    const listed = await reader.read<{ readonly backup: string; readonly refsRevision: number }>([healed.vault, 'list', ...key]);
    expect(listed.map(({ refsRevision }) => refsRevision)).toEqual([1, 1, 0]);
    for (const [index, { backup }] of listed.entries()) {
      const target = healed.path('restored', key[0].slice(2), backup);
      await reader.read([healed.vault, 'restore', backup, target, ...key]);
      expect(describeTree(target)).toEqual(saw[index]);
    }
    expect(await reader.read([healed.vault, 'check', ...key])).toMatchObject([{ backups: 3 }]);
  });

  /** The pack of the first backup, found damaged by the program. */
  async function breakPack(): Promise<void> {
    const [largest] = filesBelow(join(healed.vault, 'packs', 'hot')).sort((one, other) => statSync(other).size - statSync(one).size) as [string];
    const bytes = readFileSync(largest);
    writeFileSync(largest, bytes.with(5000, (bytes[5000] as number) ^ 1));
    expect((await healed.run(['verify', '--level', 'full', ...keyFile])).stdout).toContain('0 of 2 backups good');
  }
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
