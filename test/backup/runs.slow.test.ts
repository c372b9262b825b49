import { randomBytes } from 'node:crypto';
import { closeSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import type { CrunchSettings } from '../../lib/engine/crunch-settings.ts';
import type { ToThread } from '../../lib/engine/messages.ts';
import { byteString, fromText } from '../../lib/model/byte-string.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { newUlid } from '../../lib/model/ids.ts';
import type { PlanId, RunId, WriterId } from '../../lib/model/ids.ts';
import { FLAG, decodeRefs, encodeMark, listSnapshots, names, packIdOf, recordDamage } from '../../lib/repository/index.ts';
import type { FileBody, Repository } from '../../lib/repository/index.ts';
import { filesSource } from '../../lib/sources/files.ts';
import { sourceSet } from '../../lib/sources/set.ts';
import type { StreamSource } from '../../lib/sources/source.ts';
import { SqliteSource } from '../../lib/sources/sqlite.ts';
import { openDirectoryStore } from '../../lib/stores/directory-store.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import type { Store } from '../../lib/stores/store.ts';
import { wrapStore } from '../../lib/stores/wrapping.ts';
import type { StoreCall } from '../../lib/stores/wrapping.ts';
import { stateHeld, stateOnDisk } from '../support/disk-state.ts';
import { TEST_PLAN, TEST_WRITER, TINY_CHUNKS, backUp, entryOf, heldBy, objectNames, testRepository } from '../support/run-backup.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { threadInProcess } from '../support/thread-in-process.ts';

const MIB = 1 << 20;
const inProcess = { ports: { startThread: (settings: CrunchSettings) => threadInProcess(settings) } };
/** As if a minute had passed since the files were written. */
const settled = { ports: { startThread: (settings: CrunchSettings) => threadInProcess(settings, () => Date.now() + 60_000) } };
const SMALL_PACKS = { frameBytes: 64 << 10, targetBytes: 256 << 10, limitBytes: MIB };
const TINY = { files: TINY_CHUNKS, streams: TINY_CHUNKS };

async function expectHeld(repository: Repository, outcome: Parameters<typeof heldBy>[1], root: string): Promise<void> {
  expect(stateHeld(await heldBy(repository, outcome))).toEqual(stateOnDisk(root));
}

async function storedBytes(store: Store): Promise<number> {
  return (await Array.fromAsync(store.list(''))).reduce((sum, { size }) => sum + size, 0);
}

function watching(store: Store, onPut: (call: StoreCall) => void): Store {
  return wrapStore(store, {
    async call(call, run) {
      if (call.operation === 'put') onPut(call);
      return run();
    },
  });
}

describe('runs after runs (K3, P4)', () => {
  it('an unchanged run reads nothing and adds refs, a snapshot and its verdict, nothing else', async () => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'folder'));
    for (let index = 0; index < 50; index++) writeFileSync(join(root, 'folder', String(index)), `content ${index}`);
    const repository = testRepository();
    const first = await backUp(repository, root, settled);
    const before = new Set(await objectNames(repository.store));
    const second = await backUp(repository, root, { ports: { startThread: () => { throw new Error('nothing is to be read'); } } });
    const added = (await objectNames(repository.store)).filter((name) => !before.has(name));
    expect(added.map((name) => name.split('/')[0])).toEqual(['refs', 'snapshots', 'verdicts']);
    expect(second.manifest.tree).toEqual(first.manifest.tree);
    expect(second.statistics).toMatchObject({ unchangedFiles: 50, newFiles: 0, changedFiles: 0, readBytes: 0, newBytes: 0 });
    expect(second.manifest).toMatchObject({ sequence: 2, predecessors: [{ backup: first.manifest.backup }] });
    await expectHeld(repository, second, root);
  });

  it('a new writer reuses nothing and is told of the others; once it trusts them it stores nothing again (K3)', async () => {
    const root = temporaryFolder();
    writeFileSync(join(root, 'file'), randomBytes(100_000));
    const repository = testRepository();
    expect((await backUp(repository, root, settled)).strangers).toEqual([]);
    const writer = { id: 'ef'.repeat(16) as WriterId, host: 'other' };
    const trusting = await backUp(repository, root, { ...settled, writer, trustedWriters: [TEST_WRITER.id], type: 'full' });
    expect(trusting).toMatchObject({ strangers: [], statistics: { newBytes: 0 } });
    const alone = await backUp(repository, root, { ...settled, writer: { ...writer, id: '12'.repeat(16) as WriterId } });
    expect(alone.strangers).toContain(TEST_WRITER.id);
    expect(alone.statistics.newBytes).toBe(100_000);
  });

  it('a file written just before it was read is read again, and costs nothing when it is the same', async () => {
    const root = temporaryFolder();
    writeFileSync(join(root, 'file'), 'fresh');
    const repository = testRepository();
    const first = await backUp(repository, root, inProcess);
    expect(entryOf<FileBody>(await heldBy(repository, first), 'file').flags & FLAG.racy).toBe(FLAG.racy);
    const second = await backUp(repository, root, inProcess);
    expect(second.statistics).toMatchObject({ changedFiles: 1, unchangedFiles: 0, readBytes: 5, newBytes: 0 });
    expect(second.manifest.tree).toEqual(first.manifest.tree);
  });

  it('sees a change of the same size whose modification time was put back', async () => {
    const root = temporaryFolder();
    const file = join(root, 'file');
    writeFileSync(file, 'before');
    utimesSync(file, 1_000_000, 1_000_000);
    const repository = testRepository();
    await backUp(repository, root, settled);
    await sleep(12);
    writeFileSync(file, 'after!');
    utimesSync(file, 1_000_000, 1_000_000);
    expect((await heldBy(repository, await backUp(repository, root, settled))).get('file')?.content?.toString()).toBe('after!');
    await sleep(12);
    writeFileSync(file, 'hidden');
    utimesSync(file, 1_000_000, 1_000_000);
    const blind = await heldBy(repository, await backUp(repository, root, { ...settled, changeDetection: 'mtime' }));
    expect(blind.get('file')?.content?.toString()).toBe('after!');
    const full = await heldBy(repository, await backUp(repository, root, { ...settled, type: 'full' }));
    expect(full.get('file')?.content?.toString()).toBe('hidden');
  });

  it('a second link to a known file changes both names', async () => {
    const root = temporaryFolder();
    writeFileSync(join(root, 'a'), 'x');
    const repository = testRepository();
    await backUp(repository, root, settled);
    await sleep(12);
    linkSync(join(root, 'a'), join(root, 'b'));
    await expectHeld(repository, await backUp(repository, root, settled), root);
  });

  it('does not build on a backup of a writer that is not trusted, nor on one that is damaged, and says so', async () => {
    const root = temporaryFolder();
    writeFileSync(join(root, 'file'), 'content');
    const repository = testRepository();
    const other = await backUp(repository, root, { ...settled, writer: { id: 'ef'.repeat(16) as WriterId, host: 'other' } });
    const own = await backUp(repository, root, settled);
    expect(own.statistics.unchangedFiles).toBe(0);
    expect(own.manifest).toMatchObject({ sequence: 2, predecessors: [{ backup: other.manifest.backup }] });
    await repository.store.remove(names.refs(TEST_PLAN.id, own.manifest.backup, 0));
    const next = await backUp(repository, root, settled);
    expect(next.statistics.unchangedFiles).toBe(0);
    expect(next.manifest.warnings).toMatchObject([{ code: 'predecessor-damaged' }]);
    await expectHeld(repository, next, root);
  });

  it.each([
    ['small', 20],
    ['large', 2600],
  ])('builds on nothing when the %s tree of the backup before is damaged, and says so; a stream does the same', async (_what, files) => {
    const root = temporaryFolder();
    for (let index = 0; index < files; index++) writeFileSync(join(root, `some rather long name of a file ${index}`), index % 2 ? 'odd' : 'even');
    const repository = testRepository();
    const first = await backUp(repository, root, settled);
    await spoilLastFrame(repository.store, (await objectNames(repository.store, 'packs/meta/'))[0] as string);
    const next = await backUp(repository, root, settled);
    expect(next.statistics).toMatchObject({ unchangedFiles: 0, newBytes: 0 });
    expect(next.manifest.warnings).toMatchObject([{ code: 'predecessor-damaged' }]);
    expect(next.manifest.predecessors).toMatchObject([{ backup: first.manifest.backup }]);
    await expectHeld(repository, next, root);

    const streams = testRepository();
    await backUp(streams, streamOf(Buffer.from('first')));
    await spoilLastFrame(streams.store, (await objectNames(streams.store, 'packs/meta/'))[0] as string);
    const dump = await backUp(streams, streamOf(Buffer.from('second')));
    expect((await heldBy(streams, dump)).get('dump.sql')?.content?.toString()).toBe('second');
    expect(dump.manifest.warnings).toMatchObject([{ code: 'predecessor-damaged' }]);
  });

  it.each([
    ['named damaged', (repository: Repository, pack: string) => recordDamage(repository.store, pack, 'as the test says')],
    ['marked by prune', (repository: Repository, pack: string) => repository.store.put(names.condemned(packIdOf(pack), '0'.repeat(26)), encodeMark(pack))],
    ['gone', (repository: Repository, pack: string) => repository.store.remove(pack)],
  ])('reads again what lies in a pack that is %s, and no new record names it', async (_what, spoil) => {
    const root = temporaryFolder();
    for (let index = 0; index < 5; index++) writeFileSync(join(root, String(index)), randomBytes(1000));
    const repository = testRepository();
    await backUp(repository, root, settled);
    const [pack] = await objectNames(repository.store, 'packs/hot/');
    await spoil(repository, pack as string);
    writeFileSync(join(root, 'new'), randomBytes(1000));
    const next = await backUp(repository, root, settled);
    expect(next.statistics).toMatchObject({ unchangedFiles: 0, changedFiles: 5, newFiles: 1, newBytes: 6000 });
    const refs = decodeRefs(await repository.store.get(names.refs(TEST_PLAN.id, next.manifest.backup, 0)), 'refs');
    expect(refs.packs.map(({ name }) => name)).not.toContain(pack);
    await expectHeld(repository, next, root);
  });

  it('reads the tree again when prune withdraws a pack during the run, and a stream fails as stale', async () => {
    const clock = new LeapingClock(Date.now());
    const root = temporaryFolder();
    writeFileSync(join(root, 'file'), 'content');
    const memory = new MemoryStore(clock);
    await backUp(testRepository(memory), root, settled);
    writeFileSync(join(root, 'new'), 'something new');
    const store = withdrawing(memory, clock);
    const outcome = await backUp(testRepository(store), root, { ...settled, run: newUlid<RunId>(clock.now()) });
    expect(outcome.statistics).toMatchObject({ unchangedFiles: 0 });
    await expectHeld(testRepository(store), outcome, root);

    const other = new MemoryStore(clock);
    const content = randomBytes(100_000);
    await backUp(testRepository(other, TINY), streamOf(content));
    const grown = streamOf(Buffer.concat([content, randomBytes(10_000)]));
    await expect(backUp(testRepository(withdrawing(other, clock), TINY), grown)).rejects.toMatchObject({ code: 'stale' });
    expect(await listSnapshots(other)).toHaveLength(1);
  });

  it('reads a set again as a whole when prune withdraws a pack during the run, with a new standstill (P4)', async () => {
    const clock = new LeapingClock(Date.now());
    const root = temporaryFolder();
    writeFileSync(join(root, 'file'), 'content');
    const story: string[] = [];
    const standstill = { check: async () => undefined, begin: async () => (story.push('halted'), []), end: async () => (story.push('going'), []) };
    const source = () => sourceSet({ parts: [{ name: fromText('tree'), source: filesSource([fromText(root)]) }, { name: fromText('out'), source: streamOf(Buffer.from('a dump')) }], standstill });
    const memory = new MemoryStore(clock);
    await backUp(testRepository(memory), source(), settled);
    writeFileSync(join(root, 'new'), 'something new');
    const outcome = await backUp(testRepository(withdrawing(memory, clock)), source(), { ...settled, run: newUlid<RunId>(clock.now()) });
    expect([story, outcome.statistics.unchangedFiles, outcome.statistics.files]).toEqual([['halted', 'going', 'halted', 'going', 'halted', 'going'], 0, 3]);
    expect((await heldBy(testRepository(memory), outcome)).get('tree/file')?.content?.toString()).toBe('content');
  });
});

/** Marks the first data pack when a run stores its first pack, between its two looks; the second finds the mark old. */
function withdrawing(memory: MemoryStore, clock: LeapingClock): Store {
  let isMarked = false;
  return wrapStore(memory, {
    async call(call, run) {
      if (isMarked || call.operation !== 'put' || !call.name.startsWith('packs/')) return run();
      isMarked = true;
      const pack = (await objectNames(memory, 'packs/hot/'))[0] as string;
      await memory.put(names.condemned(packIdOf(pack), '0'.repeat(26)), encodeMark(pack));
      clock.advance(23 * 3_600_000);
      return run();
    },
  });
}

describe('runs that do not end well (K3)', () => {
  it.each([1, 2])('an interrupted run leaves a partial, no backup, and what the next run reuses (%d threads)', async (threads) => {
    const root = temporaryFolder();
    for (let index = 0; index < 16; index++) writeFileSync(join(root, String(index)), randomBytes(256 << 10));
    const plain = testRepository();
    const settings = { threads, packSizes: SMALL_PACKS };
    await backUp(plain, root, settings);
    const stop = new AbortController();
    let packs = 0;
    const memory = new MemoryStore(systemClock);
    const repository = testRepository(watching(memory, ({ name }) => name.startsWith('packs/hot') && ++packs === 6 && stop.abort()));
    // The batch that is under way is read to its end: many small batches, so that most are not.
    await expect(backUp(repository, root, { ...settings, ports: { signal: stop.signal } })).rejects.toMatchObject({ code: 'interrupted' });
    expect(await listSnapshots(memory)).toEqual([]);
    expect((await objectNames(memory, 'partial/')).length).toBe(1);
    expect((await objectNames(memory, 'index/')).length).toBe(1);
    const outcome = await backUp(repository, root, settings);
    expect(await storedBytes(memory)).toBeLessThanOrEqual((await storedBytes(plain.store)) * 1.1);
    await expectHeld(repository, outcome, root);
  });

  it('a run that was killed leaves packs that the next one adopts by their directories', async () => {
    const root = temporaryFolder();
    for (let index = 0; index < 16; index++) writeFileSync(join(root, String(index)), randomBytes(256 << 10));
    const folder = temporaryFolder();
    let packs = 0;
    const dying = watching(openDirectoryStore(folder), ({ name }) => {
      if (name.startsWith('packs/hot') && ++packs > 10) throw new HoldfastError('no-space', 'The disk is full.');
    });
    await expect(backUp(testRepository(dying), root, { packSizes: SMALL_PACKS })).rejects.toMatchObject({ code: 'no-space' });
    const left = await objectNames(openDirectoryStore(folder));
    expect(left.every((name) => name.startsWith('packs/hot/'))).toBe(true);
    const repository = testRepository(openDirectoryStore(folder));
    const outcome = await backUp(repository, root, { packSizes: SMALL_PACKS });
    expect(outcome.statistics.newBytes).toBeLessThanOrEqual(4 * MIB - left.length * SMALL_PACKS.targetBytes + SMALL_PACKS.targetBytes);
    expect((await objectNames(repository.store, 'index/')).length).toBe(1);
    await expectHeld(repository, outcome, root);
  });

  it.each(['packs/hot', 'packs/meta', 'index', 'refs', 'snapshots'])('a store that refuses %s fails the run with its words, soon, and no backup is there', async (prefix) => {
    const root = temporaryFolder();
    for (let index = 0; index < 10; index++) writeFileSync(join(root, String(index)), randomBytes(256 << 10));
    const memory = new MemoryStore(systemClock);
    const store = watching(memory, ({ name }) => {
      if (name.startsWith(prefix)) throw new HoldfastError('permission', `no ${prefix} today`);
    });
    await expect(backUp(testRepository(store), root, { packSizes: SMALL_PACKS })).rejects.toMatchObject({ code: 'permission', message: `no ${prefix} today` });
    expect(await listSnapshots(memory)).toEqual([]);
    await expectHeld(testRepository(memory), await backUp(testRepository(memory), root, inProcessLarge()), root);
  });

  it('an error in a thread fails the run, also when it is told while the run waits for something else', async () => {
    const root = temporaryFolder();
    for (let index = 0; index < 256; index++) writeFileSync(join(root, `a${index}`), 'x');
    sparseFile(join(root, 'b'), 65 * MIB);
    writeFileSync(join(root, 'c'), 'the last one');
    const repository = testRepository();
    let isFirst = true;
    const startFailing = (settings: CrunchSettings) =>
      altered(settings, (message, say) => {
        if (message.type === 'cut') return void setTimeout(() => say({ type: 'done', job: message.job, result: { bytes: 0, tail: new Uint8Array(0), sha256: new Uint8Array(32) } }), 100), true;
        if (message.type !== 'files' || !isFirst) return false;
        isFirst = false;
        say({ type: 'failed', job: message.job, error: { code: 'broken-invariant', message: 'as the test says' } });
        return true;
      });
    await expect(backUp(repository, root, { ports: { startThread: startFailing } })).rejects.toMatchObject({ code: 'broken-invariant', message: 'as the test says' });
    expect(await listSnapshots(repository.store)).toEqual([]);
  });
});

describe('sources that change under the reader (S6)', () => {
  it('a file that grows, shrinks or is rewritten while it is read is kept as read, reported, and read again', async () => {
    const root = temporaryFolder();
    for (const name of ['grows', 'shrinks', 'same-size', 'still']) writeFileSync(join(root, name), Buffer.alloc(40_000, name));
    let calls = 0;
    // The clock is asked after the first stat and before the first read.
    const meddle = () => {
      const call = calls++;
      if (call === 0) writeFileSync(join(root, 'grows'), 'more', { flag: 'a' });
      if (call === 1) writeFileSync(join(root, 'same-size'), Buffer.alloc(40_000, 'other'));
      if (call === 2) truncateSync(join(root, 'shrinks'), 10);
      return Date.now() + 60_000;
    };
    const repository = testRepository(undefined, TINY);
    const first = await backUp(repository, root, { ports: { startThread: (settings) => threadInProcess(settings, meddle) } });
    expect(first.manifest.warnings.map(({ code, path }) => [code, path])).toEqual([['changed-while-read', 'grows'], ['changed-while-read', 'same-size'], ['changed-while-read', 'shrinks']]);
    await expectHeld(repository, first, root);
    const second = await backUp(repository, root, settled);
    expect(second.statistics).toMatchObject({ unchangedFiles: 1, changedFiles: 3 });
    expect(second.manifest.warnings).toEqual([]);
  });

  it('files and folders that vanish after they were listed are reported and left out', async () => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'folder'));
    for (const name of ['a', 'b', 'folder/c']) writeFileSync(join(root, name), name);
    const repository = testRepository();
    await backUp(repository, root, settled);
    for (const name of ['a', 'b', 'folder/c']) writeFileSync(join(root, name), `${name} changed`);
    const vanishing = (settings: CrunchSettings) =>
      altered(settings, (message) => {
        if (message.type !== 'files') return false;
        rmSync(join(root, 'a'));
        rmSync(join(root, 'folder'), { recursive: true });
        writeFileSync(join(root, 'folder'), 'now a file');
        return false;
      });
    const outcome = await backUp(repository, root, { ports: { startThread: vanishing } });
    expect(outcome.manifest.warnings.map(({ code, path }) => `${code} ${path}`)).toEqual(['vanished a', 'vanished folder/c']);
    expect(outcome.statistics).toMatchObject({ files: 1, entries: 3, removedEntries: 2, changedFiles: 1 });
    expect([...(await heldBy(repository, outcome)).keys()]).toEqual(['', 'b', 'folder']);
  });

  it('a file over 64 MiB goes through the stream lane, with its holes and its digest, and is unchanged next time', async () => {
    const root = temporaryFolder();
    sparseFile(join(root, 'large'), 65 * MIB);
    writeFileSync(join(root, 'after'), 'small');
    utimesSync(join(root, 'large'), 1_000_000, 1_000_000);
    const repository = testRepository();
    const outcome = await backUp(repository, root, { threads: 2, ports: { clock: { ...systemClock, now: () => Date.now() + 60_000 } } });
    await expectHeld(repository, outcome, root);
    expect(entryOf<FileBody>(await heldBy(repository, outcome), 'large').flags).toBe(FLAG.sparse | FLAG.digest);
    expect((await backUp(repository, root)).statistics.readBytes).toBeLessThanOrEqual('small'.length);
  });

  it('a file over 64 MiB that fails while it is read is listed as unreadable, and the rest is kept', async () => {
    const root = temporaryFolder();
    sparseFile(join(root, 'large'), 65 * MIB);
    writeFileSync(join(root, 'small'), 'small');
    const repository = testRepository();
    const broken = (settings: CrunchSettings) =>
      altered(settings, (message, say) => {
        if (message.type !== 'cut') return false;
        say({ type: 'failed', job: message.job, error: { code: 'source-failed', message: 'EIO: i/o error' } });
        return true;
      });
    const outcome = await backUp(repository, root, { ports: { startThread: broken } });
    const held = await heldBy(repository, outcome);
    expect(entryOf<FileBody>(held, 'large').flags & FLAG.unreadable).toBe(FLAG.unreadable);
    expect(held.get('small')?.content?.toString()).toBe('small');
    expect(outcome.manifest.warnings).toMatchObject([{ code: 'unreadable', path: 'large', message: 'EIO: i/o error' }]);
  });
});

describe('streams (S6, K3)', () => {
  it('a database that is empty where an earlier backup had rows is kept with a warning (S5)', async () => {
    const repository = testRepository();
    const folder = temporaryFolder();
    const path = join(folder, 'shop.db');
    const database = new DatabaseSync(path);
    database.exec('CREATE TABLE t (a); INSERT INTO t VALUES (1)');
    database.close();
    const source = () => new SqliteSource({ path, scratchFolder: join(folder, 'scratch'), clock: systemClock });
    expect((await backUp(repository, source())).manifest.warnings).toEqual([]);
    truncateSync(path, 0);
    expect((await backUp(repository, source())).manifest.warnings).toEqual([{ code: 'source-suspect', path: 'shop.db', message: 'the database is empty (0 bytes)' }]);
  });

  it('a long stream is held by list chunks, unchanged parts are stored once, and an earlier backup keeps its own', async () => {
    const repository = testRepository(undefined, TINY);
    const content = randomBytes(6 * MIB);
    const first = await backUp(repository, streamOf(content), { threads: 2, packSizes: SMALL_PACKS });
    const changed = Buffer.concat([content.subarray(0, MIB), Buffer.from('inserted'), content.subarray(MIB)]);
    const second = await backUp(repository, streamOf(changed), { threads: 2, packSizes: SMALL_PACKS });
    expect(second.statistics.newBytes).toBeLessThan(200_000);
    for (const [outcome, wanted] of [[first, content], [second, changed]] as const) {
      const { entry, content: held } = (await heldBy(repository, outcome)).get('dump.sql') ?? {};
      expect(held?.equals(wanted)).toBe(true);
      expect((entry as FileBody).flags).toBe(FLAG.digest | FLAG.listed);
    }
  });

  it('a producer that did not end well leaves no backup, whatever was stored', async () => {
    const repository = testRepository(undefined, TINY);
    const failing = streamOf(randomBytes(100_000), new HoldfastError('source-failed', 'exit code 1'));
    await expect(backUp(repository, failing)).rejects.toMatchObject({ code: 'source-failed', message: 'exit code 1' });
    expect(await listSnapshots(repository.store)).toEqual([]);
    expect(await objectNames(repository.store, 'refs/')).toEqual([]);
  });

  it('plans share chunks, and know nothing of each other', async () => {
    const repository = testRepository(undefined, TINY);
    const content = randomBytes(300_000);
    await backUp(repository, streamOf(content));
    const other = await backUp(repository, streamOf(content), { plan: { id: '99'.repeat(16) as PlanId, name: 'other' }, writer: TEST_WRITER });
    expect(other.statistics.newBytes).toBe(0);
    expect(other.manifest).toMatchObject({ sequence: 1, predecessors: [] });
  });
});

/** One bit of the last frame before the directory. */
async function spoilLastFrame(store: Store, pack: string): Promise<void> {
  const bytes = await store.get(pack);
  const at = bytes.length - 17 - Buffer.from(bytes).readUInt32BE(bytes.length - 4);
  bytes[at] = (bytes[at] as number) ^ 1;
  await store.remove(pack);
  await store.put(pack, bytes);
}

function inProcessLarge() {
  return { packSizes: { ...SMALL_PACKS, targetBytes: 16 * MIB, limitBytes: 20 * MIB } };
}

function sparseFile(path: string, size: number): void {
  const fd = openSync(path, 'w');
  writeSync(fd, 'begin', 0);
  writeSync(fd, 'end', size - 3);
  closeSync(fd);
  expect(statSync(path).size).toBe(size);
}

/** A thread in this process whose messages the test sees first; true keeps one from it. */
function altered(settings: CrunchSettings, meet: (message: ToThread, say: (answer: object) => void) => boolean): Worker {
  const thread = threadInProcess(settings);
  const { postMessage } = thread;
  return Object.assign(thread, { postMessage: (message: ToThread) => meet(message, (answer) => void setImmediate(() => thread.emit('message', answer))) || postMessage.call(thread, message) });
}

function streamOf(content: Buffer, failure?: HoldfastError): StreamSource {
  const file = join(temporaryFolder(), 'content');
  writeFileSync(file, content);
  expect(readFileSync(file)).toHaveLength(content.length);
  const open = async () => {
    const fd = openSync(file, 'r');
    let isOpen = true;
    return {
      fd,
      finish: async ({ bytes }: { bytes: number }) => {
        if (failure) throw failure;
        return { bytes, evidence: ['the test says so'] };
      },
      close: async () => {
        if (isOpen) closeSync(fd);
        isOpen = false;
      },
    };
  };
  return {
    shape: 'streams',
    type: 'command',
    description: 'a file read as a stream',
    check: async () => undefined,
    streams: async function* () {
      yield { name: byteString(Buffer.from('dump.sql')), attributes: { mode: 0o600, uid: 0, gid: 0, mtimeSeconds: 1, mtimeNanoseconds: 0 }, open };
    },
  };
}

