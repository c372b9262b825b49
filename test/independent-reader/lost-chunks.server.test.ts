import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Person, describeTree, ended, filesBelow } from '../e2e/program.ts';
import { PythonReader } from './python-reader.ts';

interface Saved {
  readonly type: string;
  readonly backup: string;
}

interface Damaged {
  readonly name: string;
  readonly touched: readonly { readonly entries: number; readonly examples: readonly string[] }[];
}

/** Four fill more than a frame of 2 MiB, so that one flipped bit costs some files and not the others. */
const FILE_BYTES = 700_000;
const FILES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

const person = new Person();
const source = person.path('work', 'source');
const paper = person.path('office.paper');
const flags = ['--vault', person.vault, '--key-file', person.path('key')];
const typed = ['--recipient-key-file', person.path('typed.key')];
const reader = new PythonReader();
let backup: string;
let wanted: string[];
/** What verification names, once everything was healed that could be. */
let lost: string[];

/** The recovery kit as it lies in the vault, in an empty environment. */
function kit(args: readonly string[], input?: string) {
  const script = join(person.vault, 'kit', readdirSync(join(person.vault, 'kit')).find((name) => name.endsWith('.mjs')) ?? '');
  const child = spawn(process.execPath, [script, ...args], { cwd: person.vault, env: {}, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin?.end(input);
  return ended(child);
}

/** Names of files that a restore into `target` left out. */
function missingIn(target: string): string[] {
  const restored = new Set(filesBelow(target).map((file) => file.slice(target.length + 1)));
  return FILES.filter((name) => !restored.has(name));
}

function expectTheRest(target: string): void {
  expect(missingIn(target)).toEqual(lost);
  const isOfLost = (line: string) => lost.some((name) => line.startsWith(`${name} `));
  // Its own time is that of the last file that came.
  const below = (lines: readonly string[]) => lines.filter((line) => !line.startsWith(' ') && !isOfLost(line));
  expect(below(describeTree(target))).toEqual(below(wanted));
}

/** A vault of one backup whose pack lost a frame, healed when the source had but one of the touched files left. */
beforeAll(async () => {
  mkdirSync(source);
  for (const name of FILES) plant(name);
  await person.do(['init', '--no-yaml', ...flags]);
  await person.do(['keys', 'make-recipient', person.path('office.recipient'), '--paper-file', paper]);
  await person.do(['keys', 'add', '--recipient', person.path('office.recipient'), ...flags]);
  backup = (await person.json<Saved>(['backup', source, '--compression', 'none', ...flags])).find(({ type }) => type === 'backup')!.backup;
  wanted = describeTree(source);
  const [pack] = filesBelow(join(person.vault, 'packs', 'hot')).map((path) => ({ path, bytes: readFileSync(path) })).sort((left, right) => right.bytes.length - left.bytes.length);
  pack!.bytes[1_000_000]! ^= 1;
  chmodSync(pack!.path, 0o600);
  writeFileSync(pack!.path, pack!.bytes);
  const touched = await named();
  expect(touched.length).toBeGreaterThan(1);
  expect(touched.length).toBeLessThan(FILES.length);
  const [kept, ...gone] = touched;
  for (const name of FILES) if (name !== kept) rmSync(join(source, name));
  await person.run(['backup', source, '--compression', 'none', ...flags]);
  await person.run(['repair', 'packs', '--yes', ...flags]);
  lost = gone;
}, 120_000);

afterAll(() => reader.stop());

function plant(name: string): void {
  writeFileSync(join(source, name), Buffer.concat(Array.from({ length: FILE_BYTES / 32 }, (_, block) => createHash('sha256').update(`${name} ${block}`).digest())));
  utimesSync(join(source, name), 1_600_000_000, 1_600_000_000);
}

/** Entries that a full verification says are lost with a pack. */
async function named(): Promise<string[]> {
  const ran = await person.run(['verify', '--level', 'full', '--json', ...flags]);
  const { damage } = JSON.parse(ran.stdout) as { damage: readonly Damaged[] };
  return [...new Set(damage.flatMap(({ touched }) => touched.flatMap(({ examples }) => examples)))].sort();
}

describe('a vault that was healed when its source had only a part of what was lost (V1, K10)', () => {
  test('says in its newest list of packs how many chunks are lost, and verification names the entries that lack them', async () => {
    const lists = filesBelow(join(person.vault, 'refs')).map((file) => JSON.parse(readFileSync(file, 'utf8')) as { backup: string; revision: number; replaced: { lost?: { chunks: number } }[] });
    const newest = lists.filter((list) => list.backup === backup).sort((left, right) => right.revision - left.revision)[0]!;
    expect(newest.replaced).toEqual([expect.objectContaining({ lost: { name: expect.stringContaining('packs/hot/') as string, chunks: expect.any(Number) as number } })]);
    expect(await named()).toEqual(lost);
    expect(lost.length).toBeGreaterThan(0);
  });

  test('the program restores the rest, names each entry that is lost, and ends with 12', async () => {
    const target = person.path('by the program');
    const ran = await person.run(['restore', backup, '--to', target, '--no-owner', ...flags]);
    expect(ran.code).toBe(12);
    expectTheRest(target);
    for (const name of FILES) expect([name, new RegExp(`not restored +${name}\\b`).test(ran.stdout)]).toEqual([name, lost.includes(name)]);
  });

  test('the recovery kit does the same, with the letters of the paper typed into it (K11)', async () => {
    const lines = readFileSync(paper, 'utf8').split('\n').filter((line) => /^ *[1-5]: /.test(line));
    expect(lines).toHaveLength(5);
    const read = await kit(['read-paper', '--to', person.path('typed.key')], `${lines.map((line) => line.toLowerCase()).join('\n')}\n`);
    expect([read.code, read.stderr]).toEqual([0, '']);
    const target = person.path('by the kit');
    const ran = await kit(['restore', backup, '--to', target, '--no-owner', ...typed]);
    expect(ran.code).toBe(12);
    expectTheRest(target);
    for (const name of FILES) expect([name, new RegExp(`not restored +${name}\\b`).test(ran.stdout)]).toEqual([name, lost.includes(name)]);
    expect((await kit(['verify', ...typed])).code).toBe(12);
  });

  test('the independent reader does the same, with the same paper', async () => {
    const target = person.path('by the reader');
    const lines = await reader.read<{ path?: string; left: string | number }>([person.vault, 'restore', backup, target, '--private-half', person.path('typed.key')]);
    expect(lines.at(-1)).toMatchObject({ left: lost.length });
    expect(lines.slice(0, -1).map(({ path }) => Buffer.from(path!, 'base64').toString()).sort()).toEqual(lost);
    for (const { left } of lines.slice(0, -1)) expect(left).toMatch(/^chunk [0-9a-f]{64} is not in pack [0-9a-f]{32}, nor in what replaced it$/);
    expectTheRest(target);
  });

  test('a backup made afterwards is whole for all three', async () => {
    const [latest] = (await person.json<Saved>(['list', ...flags])).filter((one) => one.backup !== backup);
    const [byProgram, byKit, byReader] = ['program', 'kit', 'reader'].map((name) => person.path(`newest by the ${name}`)) as [string, string, string];
    await person.do(['restore', latest!.backup, '--to', byProgram, '--no-owner', ...flags]);
    expect((await kit(['restore', latest!.backup, '--to', byKit, '--no-owner', ...typed])).code).toBe(0);
    await reader.read([person.vault, 'restore', latest!.backup, byReader, '--private-half', person.path('typed.key')]);
    for (const target of [byProgram, byKit, byReader]) expect(describeTree(target)).toEqual(describeTree(source));
  });
});
