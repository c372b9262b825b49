import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { BackupOutcome } from '../../lib/backup/run-backup.ts';
import { fromText } from '../../lib/model/byte-string.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { PartReader, SnapshotReader, isSnapshotFile, names } from '../../lib/repository/index.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { CommandSource } from '../../lib/sources/command.ts';
import { DEFAULT_TREE_OPTIONS, filesSource } from '../../lib/sources/files.ts';
import { sourceSet } from '../../lib/sources/set.ts';
import type { SingleSource, Source, Standstill } from '../../lib/sources/source.ts';
import { SqliteSource } from '../../lib/sources/sqlite.ts';
import { backUp, heldBy, objectNames, testRepository } from '../support/run-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { threadInProcess } from '../support/thread-in-process.ts';

/** As if a minute had passed since the files were written: nothing is racy. */
const inProcess = { ports: { startThread: (settings: Parameters<typeof threadInProcess>[0]) => threadInProcess(settings, () => Date.now() + 60_000) } };

function set(parts: Readonly<Record<string, SingleSource>>, standstill?: Standstill): Source {
  return sourceSet({ parts: Object.entries(parts).map(([name, source]) => ({ name: fromText(name), source })), standstill: standstill && { ...standstill, check: async () => undefined } });
}

const files = (...paths: string[]) => filesSource(paths.map(fromText), { ...DEFAULT_TREE_OPTIONS, exclude: ['*.tmp'] });
const command = (line: string, name = 'out.txt') => new CommandSource({ command: line, name: fromText(name), minimumBytes: 1, environment: { PATH: process.env['PATH'] }, temporaryFolder: temporaryFolder(), clock: systemClock });
const sqlite = (path: string) => new SqliteSource({ path, scratchFolder: temporaryFolder(), clock: systemClock });

/** Path and content of everything, or of one part as if it were all. */
async function content(repository: Repository, { manifest }: Pick<BackupOutcome, 'manifest'>, part?: string): Promise<Record<string, string>> {
  const held = await heldBy(repository, { manifest });
  const found = [...held].map(([path, { entry, content: bytes }]) => [path, bytes?.toString('latin1') ?? `type ${entry.type}`] as const);
  const inside = part === undefined ? found : found.filter(([path]) => path.startsWith(`${part}/`)).map(([path, bytes]) => [path.slice(part.length + 1), bytes] as const);
  return Object.fromEntries(inside);
}

interface Shop { readonly folder: string; readonly database: DatabaseSync; readonly parts: Readonly<Record<string, SingleSource>> }

/** Read in another order than that of their names. */
function shop(): Shop {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'tree', 'deep'), { recursive: true });
  for (let index = 0; index < 30; index++) writeFileSync(join(folder, 'tree', 'deep', `file${index}`), `content ${index}`);
  writeFileSync(join(folder, 'tree', 'left-out.tmp'), 'x');
  writeFileSync(join(folder, 'single'), 'alone');
  const database = new DatabaseSync(join(folder, 'app.db'));
  database.exec('create table t (a); insert into t values (1), (2)');
  return {
    folder, database,
    parts: { 'z-db': sqlite(join(folder, 'app.db')), 'm-files': files(join(folder, 'tree')), 'a-out': command('seq 1 1000; mkdir -p x'), b: files(join(folder, 'tree', 'deep'), join(folder, 'single')) },
  };
}

let made: Shop;
beforeEach(() => (made = shop()));
afterEach(() => made.database.close());

describe('a set of sources', () => {
  it('is one backup that holds what a backup of each part alone holds, each below its name, with the times of each (P4)', async () => {
    const repository = testRepository();
    const outcome = await backUp(repository, set(made.parts), inProcess);
    for (const [name, source] of Object.entries(made.parts)) {
      const alone = testRepository();
      const { '': _root, ...expected } = await content(alone, await backUp(alone, source, inProcess));
      expect(await content(repository, outcome, name)).toEqual(expected);
    }
    const { manifest } = outcome;
    expect(manifest.parts?.map(({ name, source, files: count }) => [name, source.type, count])).toEqual([['z-db', 'sqlite', 1], ['m-files', 'files', 30], ['a-out', 'command', 1], ['b', 'files', 31]]);
    const times = (manifest.parts ?? []).flatMap(({ startedAt, finishedAt }) => [startedAt, finishedAt]);
    expect(times).toEqual([...times].sort());
    expect([manifest.type, manifest.source.type, manifest.statistics.files]).toEqual(['snapshot', 'set', 63]);
    expect(manifest.evidence?.map(({ entry }) => entry)).toEqual(['z-db/app.db', 'a-out/out.txt']);
    expect((manifest.parts ?? []).reduce((sum, part) => sum + part.entries, 0)).toBe(manifest.statistics.entries);
  });

  it('names every pack that a part needs which was read before its turn, so that prune keeps them (K5)', async () => {
    mkdirSync(join(made.folder, 'large'));
    for (let index = 0; index < 20; index++) writeFileSync(join(made.folder, 'large', `file${index}`), randomBytes(60_000));
    const repository = testRepository();
    const small = { packSizes: { frameBytes: 64 << 10, targetBytes: 128 << 10, limitBytes: 1 << 20 } };
    const source = set({ z: files(join(made.folder, 'large')), a: files(join(made.folder, 'tree')) });
    for (const change of ['', 'changed']) {
      if (change !== '') writeFileSync(join(made.folder, 'large', 'file3'), randomBytes(60_000));
      const outcome = await backUp(repository, source, small);
      // Packs are looked up in the refs of the backup.
      expect(Object.keys(await content(repository, outcome, 'z'))).toHaveLength(20);
    }
  });

  it('the view of a part is the reader of its own backup: same entries, same times, same root (P4)', async () => {
    const repository = testRepository();
    const { manifest } = await backUp(repository, set(made.parts), inProcess);
    const whole = await SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup));
    for (const [name, source] of Object.entries(made.parts)) {
      const alone = testRepository();
      const single = await backUp(alone, source, inProcess);
      const expected = await SnapshotReader.open(alone, names.snapshot(single.manifest.plan, single.manifest.backup));
      const isRooted = manifest.parts?.find((part) => part.name === name)?.isRooted ?? false;
      const facts = async (reader: SnapshotReader) => (await Array.fromAsync(reader.entries())).map((entry) => ({ path: entry.path, type: entry.type, mode: 'mode' in entry && entry.mode, size: isSnapshotFile(entry) ? entry.size : 0, ...(isSnapshotFile(entry) && entry.type === 1 && { mtime: entry.mtimeSeconds, inode: entry.inode }) }));
      const view = new PartReader(whole, { folder: fromText(name), isRooted });
      expect(await facts(view)).toEqual(await facts(expected));
      expect((await Array.fromAsync(view.entries(fromText('deep/file7')))).map(({ path }) => path)).toEqual((await Array.fromAsync(expected.entries(fromText('deep/file7')))).map(({ path }) => path));
    }
  });

  it('reads again only what changed, and writes no tree at all when nothing did (K3)', async () => {
    const repository = testRepository();
    const parts = { 'z-db': made.parts['m-files'] as SingleSource, a: files(join(made.folder, 'tree', 'deep'), join(made.folder, 'single')) };
    const first = await backUp(repository, set(parts), inProcess);
    const second = await backUp(repository, set(parts), inProcess);
    expect([second.statistics.readBytes, second.statistics.newFiles, second.statistics.changedFiles, second.statistics.removedEntries]).toEqual([0, 0, 0, 0]);
    expect(second.manifest.tree).toEqual(first.manifest.tree);
    writeFileSync(join(made.folder, 'tree', 'deep', 'file3'), 'new content');
    rmSync(join(made.folder, 'tree', 'deep', 'file4'));
    const third = await backUp(repository, set(parts), inProcess);
    expect([third.statistics.changedFiles, third.statistics.removedEntries]).toEqual([2, 2]);
    const held = await content(repository, third);
    expect([held['z-db/deep/file3'], held['a/deep/file3'], held['z-db/deep/file4'], held['z-db/deep/file5']]).toEqual(['new content', 'new content', undefined, 'content 5']);
  });

  it('parts come, go and change places, also from and to a plan of one source, and the tree is what a first backup would hold', async () => {
    const repository = testRepository();
    const { 'z-db': db, 'm-files': tree, 'a-out': out, b } = made.parts as Readonly<Record<string, SingleSource>>;
    const steps: readonly Source[] = [
      files(made.folder), set({ tree: tree!, 'z-db': db! }), set({ 'z-db': db!, out: out!, b: b! }), set({ b: out!, out: b!, a: tree! }), tree!, set({ deep: db!, single: tree! }),
      set({ x: tree!, b: tree!, a: out! }),
    ];
    for (const [index, source] of steps.entries()) {
      if (index === 5) for (let more = 0; more < 300; more++) writeFileSync(join(made.folder, 'tree', `more${more}`), `more ${more}`);
      const outcome = await backUp(repository, source, inProcess);
      const fresh = testRepository();
      expect({ step: index, held: await content(repository, outcome) }).toEqual({ step: index, held: await content(fresh, await backUp(fresh, source, inProcess)) });
    }
  });

  it.each(['first', 'last'])('the %s part fails: nothing counts as good, the reason names the part (P4)', async (place) => {
    const repository = testRepository();
    const good = { ...made.parts };
    const failing = { broken: command('seq 1 100000; echo "disk on fire" >&2; exit 7') };
    const names_ = Object.entries(good);
    const at = place === 'first' ? 0 : names_.length;
    const parts = Object.fromEntries([...names_.slice(0, at), ...Object.entries(failing), ...names_.slice(at)]);
    await expect(backUp(repository, set(parts), inProcess)).rejects.toMatchObject({ code: 'source-failed', message: expect.stringMatching(/^Part broken: .*exit code 7.*disk on fire/), nextStep: expect.any(String) });
    expect(await objectNames(repository.store, 'snapshots/')).toEqual([]);
    const { broken: _, ...mended } = parts;
    const outcome = await backUp(repository, set(mended), inProcess);
    expect(Object.keys(await content(repository, outcome)).length).toBe(69);
  });

  it('what cannot be read at all is told of every part before anything is read', async () => {
    const repository = testRepository();
    let read = false;
    const watched: SingleSource = { ...files(made.folder), check: async () => void (read = false) };
    const error = backUp(repository, set({ ok: watched, gone: files(join(made.folder, 'nowhere')), none: sqlite(join(made.folder, 'none.db')) }, { begin: async () => ((read = true), []), end: async () => [] }), inProcess);
    await expect(error).rejects.toMatchObject({ code: 'source-failed', message: expect.stringMatching(/^Part gone: /), nextStep: expect.stringMatching(/\nPart none: /) });
    expect([read, await objectNames(repository.store)]).toEqual([false, []]);
  });

  it('a part that holds less than it must fails the run, however much the others hold (P4)', async () => {
    mkdirSync(join(made.folder, 'mount'));
    const parts = { tree: made.parts['m-files'] as SingleSource, mount: { ...files(join(made.folder, 'mount')), minimumBytes: 1 } };
    const repository = testRepository();
    await expect(backUp(repository, set(parts), inProcess)).rejects.toMatchObject({ code: 'source-failed', message: expect.stringMatching(/^Part mount: The source \(.*mount\) held 0 bytes, wanted at least 1\.$/) });
    expect(await objectNames(repository.store, 'snapshots/')).toEqual([]);
    writeFileSync(join(made.folder, 'mount', 'file'), 'x');
    expect((await backUp(repository, set(parts), inProcess)).statistics.files).toBe(31);
  });

  it('warnings of a part name its place', async () => {
    const outcome = await backUp(testRepository(), set({ a: { ...files(made.folder), options: { ...DEFAULT_TREE_OPTIONS, isFollowingSymlinks: true } }, b: command('echo 1') }), inProcess);
    expect(outcome.manifest.warnings).toEqual([]);
    const looping = join(made.folder, 'tree', 'loop');
    symlinkSync('..', looping);
    const warned = await backUp(testRepository(), set({ a: { ...files(made.folder), options: { ...DEFAULT_TREE_OPTIONS, isFollowingSymlinks: true } }, b: command('echo 1') }), inProcess);
    expect(warned.manifest.warnings).toEqual([expect.objectContaining({ path: 'a/tree/loop', message: expect.stringContaining('leads back') })]);
  });
});

describe('what writes to a set stands still', () => {
  const story: string[] = [];
  beforeEach(() => story.splice(0));
  const standstill = (over: Partial<Standstill> = {}): Standstill => ({ begin: async () => (story.push('halted'), []), end: async () => (story.push('going'), []), ...over });
  const told = (name: string, source: SingleSource): SingleSource => (source.shape === 'streams' ? { shape: source.shape, type: source.type, description: source.description, check: () => source.check(), streams: (signal) => (story.push(name), source.streams(signal)) } : source);

  it('from before the first part until after the last, and what is suspect is a warning', async () => {
    const outcome = await backUp(testRepository(), set({ b: told('b', command('echo 1')), a: told('a', command('echo 2')) }, standstill({ begin: async () => (story.push('halted'), ['killed']) })));
    expect([story, outcome.manifest.warnings, outcome.afterwards]).toEqual([['halted', 'b', 'a', 'going'], [{ code: 'source-suspect', message: 'killed' }], undefined]);
  });

  it('is set going again when a part fails, when halting failed, and when the run is stopped; what could not be is told first (P4)', async () => {
    const complaint = 'It stands still.';
    const lame = standstill({ end: async () => (story.push('going'), [complaint]) });
    const failed = await backUp(testRepository(), set({ a: command('exit 3'), b: command('echo 1') }, lame), inProcess).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/^It stands still\. And there is no backup: Part a: /), data: { complaints: [complaint] } });
    const refused = backUp(testRepository(), set({ a: command('echo 1'), b: command('echo 1') }, standstill({ begin: () => Promise.reject(new Error('no')) })));
    await expect(refused).rejects.toThrow('no');
    const stop = new AbortController();
    const stopped = backUp(testRepository(), set({ a: command('sleep 1000'), b: command('echo 1') }, standstill({ begin: async () => (setTimeout(() => stop.abort(), 50), []) })), { ports: { signal: stop.signal } });
    await expect(stopped).rejects.toMatchObject({ code: 'interrupted' });
    expect(story).toEqual(['halted', 'going', 'going', 'going']);
    expect(await backUp(testRepository(), set({ a: command('echo 1'), b: command('echo 1') }, lame), inProcess)).toMatchObject({ afterwards: [complaint] });
  });
});
