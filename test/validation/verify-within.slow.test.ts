import { randomBytes } from 'node:crypto';
import { names, openRepository, packIdOf, readCoverage, readVerdicts, standingVerdict } from '../../lib/repository/index.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { readOnly } from '../../lib/stores/read-only.ts';
import type { Store } from '../../lib/stores/store.ts';
import { lookAtCoverage } from '../../lib/validation/look-at-coverage.ts';
import { verify } from '../../lib/validation/verify.ts';
import { verifyWithin } from '../../lib/validation/verify-within.ts';
import type { WithinOptions } from '../../lib/validation/verify-within.ts';
import { failure } from '../sources/reading.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { FixtureSnapshot } from '../support/fixture-snapshot.ts';
import { Killed, killedAt } from '../support/vault.ts';

const DAY = 24 * 60 * 60_000;

interface Made {
  readonly clock: LeapingClock;
  readonly store: MemoryStore;
  readonly snapshot: FixtureSnapshot;
  readonly repository: Repository;
  readonly packs: readonly string[];
}

/** Twelve packs of data and one of metadata. */
async function made(): Promise<Made> {
  // Fixture manifests were checked at the beginning of time.
  const clock = new LeapingClock(0);
  const store = new MemoryStore(clock);
  const snapshot = new FixtureSnapshot(store, { frameBytes: 4000, packBytes: 12_000, treeChunkBytes: 700 }).directory('');
  for (let index = 0; index < 48; index++) await snapshot.file(`f${String(index).padStart(2, '0')}`, randomBytes(3000));
  await snapshot.build();
  const packs = [...snapshot.packs, ...snapshot.metaPacks].map(({ name }) => name);
  return { clock, store, snapshot, repository: snapshot.repository, packs };
}

/** Every read of a whole pack takes a second, or as told. */
function slow({ repository, clock }: Made, whole: string[] = [], milliseconds = 1000): Repository {
  const { store } = repository;
  const get: Store['get'] = async (name, range) => {
    if (range === undefined && name.startsWith('packs/')) {
      whole.push(name);
      clock.advance(milliseconds);
    }
    return store.get(name, range);
  };
  return { ...repository, store: { description: store.description, get, put: store.put.bind(store), stat: store.stat.bind(store), list: store.list.bind(store), remove: store.remove.bind(store), now: store.now.bind(store) } };
}

/** The report without the key slots and the configuration that fixtures do not have. */
async function within(vault: Made, options: Partial<WithinOptions> = {}, repository = vault.repository) {
  const report = await verifyWithin(repository, { withinDays: 5, clock: vault.clock, ...options });
  return { ...report, coverage: report.coverage!, damage: report.damage.filter(({ kind }) => kind !== 'key-slot' && kind !== 'config') };
}

const noted = async ({ repository, store }: Made) => (await readCoverage(repository, await store.now())).readAt;
const nameOfNotes = async ({ store }: Made) => (await Array.fromAsync(store.list('coverage/'))).map(({ name }) => name);

async function flip(store: MemoryStore, name: string, at: number): Promise<void> {
  const bytes = Uint8Array.from(await store.get(name));
  bytes[at]! ^= 1;
  await store.remove(name);
  await store.put(name, bytes);
}

describe('the coverage clock (V2)', () => {
  test('run every day, it reads every pack within the days, a part each day', async () => {
    const vault = await made();
    const lastRead = new Map(vault.packs.map((name) => [name, 0]));
    let oldest = 0;
    for (let day = 1; day <= 20; day++) {
      vault.clock.advance(DAY);
      const whole: string[] = [];
      const { coverage, packs } = await within(vault, {}, slow(vault, whole));
      for (const at of lastRead.values()) oldest = Math.max(oldest, day - at);
      for (const name of whole) lastRead.set(name, day);
      expect(packs.read).toBe(whole.length);
      if (day > 4) expect(whole.length).toBeLessThan(vault.packs.length);
      expect(coverage).toMatchObject({ overdue: { packs: 0 }, isCutShort: false, isRecorded: true, everyDays: expect.closeTo(1, 2) as number });
    }
    expect(oldest).toBeLessThanOrEqual(5);
  });

  test('it stops within its time, goes on there the next time, and says in how many days it would really be through', async () => {
    const vault = await made();
    vault.clock.advance(30 * DAY);
    const whole: string[] = [];
    const begun = vault.clock.now();
    const first = await within(vault, { maxDurationMs: 4500 }, slow(vault, whole));
    expect(vault.clock.now() - begun).toBeLessThanOrEqual(4500);
    expect(first.packs.read).toBe(4);
    expect(first.coverage).toMatchObject({ isCutShort: true, due: { packs: 13 }, overdueBefore: { packs: 13 }, overdue: { packs: 9 } });
    vault.clock.advance(DAY);
    await within(vault, { maxDurationMs: 4500 }, slow(vault, whole));
    expect(new Set(whole).size).toBe(8);
    expect(first.coverage.daysAtThisPace).toBeGreaterThan(3);
    expect(first.coverage.daysAtThisPace).toBeLessThan(4);
    for (let day = 0; day < 2; day++, vault.clock.advance(DAY)) await within(vault, { maxDurationMs: 4500 }, slow(vault, whole));
    expect(new Set(whole).size).toBe(13);
    expect((await within(vault, { withinDays: 3, maxDurationMs: 1 }, slow(vault))).coverage.daysAtThisPace).toBeGreaterThan(3);
  });

  test('with no time at all it still reads one pack each run, so that all are read in as many runs', async () => {
    const vault = await made();
    vault.clock.advance(30 * DAY);
    const whole: string[] = [];
    for (let run = 0; run < 13; run++, vault.clock.advance(1000)) expect((await within(vault, { maxDurationMs: 0 }, slow(vault, whole))).packs.read).toBe(1);
    expect(new Set(whole).size).toBe(13);
  });

  test('killed at any call that writes, it keeps what was noted, and the next run goes on', async () => {
    for (const hasLanded of [false, true]) {
      for (let call = 0; ; call++) {
        const vault = await made();
        vault.clock.advance(30 * DAY);
        const running = slow(vault);
        const error = await verifyWithin({ ...running, store: killedAt(running.store, call, hasLanded) }, { withinDays: 5, clock: vault.clock }).catch((thrown: unknown) => thrown);
        const before = await noted(vault);
        const whole: string[] = [];
        const { coverage } = await within(vault, {}, slow(vault, whole));
        expect(coverage.overdue.packs).toBe(0);
        // What is noted was read, and is not read again.
        for (const name of whole) expect(before.has(packIdOf(name))).toBe(false);
        expect(whole.length + before.size).toBe(13);
        if (!(error instanceof Killed)) break;
      }
    }
  });

  test('a run that is killed in the middle every time gets through all the same', async () => {
    const vault = await made();
    vault.clock.advance(30 * DAY);
    for (let run = 0; run < 13 && (await noted(vault)).size < 13; run++) {
      const running = slow(vault);
      // After the judgement of the backup in the first run, the first note lands; then it dies.
      await expect(verifyWithin({ ...running, store: killedAt(running.store, run === 0 ? 1 : 0, true) }, { withinDays: 5, clock: vault.clock })).rejects.toThrow(Killed);
      expect((await noted(vault)).size).toBe(run + 1);
    }
    expect((await noted(vault)).size).toBe(13);
  });

  test('a signal stops it, and what was read until then is noted', async () => {
    const vault = await made();
    vault.clock.advance(30 * DAY);
    const stop = new AbortController();
    const onProgress = ({ packs }: { packs: number }) => packs === 3 && stop.abort();
    expect((await failure(within(vault, { signal: stop.signal, onProgress }, slow(vault)))).code).toBe('interrupted');
    expect((await noted(vault)).size).toBe(3);
  });

  test('damage is told with its entries, recorded as any damage is, and does not hold the clock up', async () => {
    const vault = await made();
    const { store, snapshot, repository } = vault;
    const [spoilt] = snapshot.packs;
    await flip(store, spoilt!.name, 16 + 100);
    vault.clock.advance(30 * DAY);
    const report = await within(vault);
    expect(report.damage).toMatchObject([{ name: spoilt!.name, kind: 'pack', touched: [{ entries: 2, examples: ['f00', 'f01'] }] }]);
    expect(report.backups).toMatchObject([{ result: 'corrupted' }]);
    expect(await store.get(names.damaged(packIdOf(spoilt!.name)))).toBeTruthy();
    const backup = report.backups[0]!.backup;
    expect(standingVerdict(await readVerdicts(repository, backup))).toMatchObject({ level: 'sample', result: 'corrupted', damaged: [{ name: spoilt!.name }] });
    expect((await noted(vault)).size).toBe(13);
    expect(report.coverage.overdue.packs).toBe(0);
  });

  test('killed after it saw damage and before the verdict, the pack is not noted as read and is seen again', async () => {
    for (let call = 0; ; call++) {
      const vault = await made();
      const { store, snapshot } = vault;
      await flip(store, snapshot.packs[0]!.name, 16 + 100);
      vault.clock.advance(30 * DAY);
      // Each pack takes long enough to be noted by itself.
      const running = slow(vault, [], 11_000);
      const error = await verifyWithin({ ...running, store: killedAt(running.store, call, false) }, { withinDays: 5, clock: vault.clock }).catch((thrown: unknown) => thrown);
      const isNoted = (await noted(vault)).has(packIdOf(snapshot.packs[0]!.name));
      const isJudged = (await Array.fromAsync(store.list('verdicts/'))).length > 1;
      if (isNoted) expect(isJudged).toBe(true);
      if (error instanceof Killed) continue;
      expect(isNoted).toBe(true);
      break;
    }
  });

  test('backups in which nothing wrong was found are not called verified: only packs were proved', async () => {
    const vault = await made();
    vault.clock.advance(30 * DAY);
    const { backups } = await within(vault);
    expect((await readVerdicts(vault.repository, backups[0]!.backup)).verdicts.map(({ level }) => level)).toEqual(['commit']);
  });

  test('a missing pack and one of another size are damage, and the other packs are read', async () => {
    const vault = await made();
    const { store, snapshot } = vault;
    const [missing, short] = snapshot.packs;
    await store.remove(missing!.name);
    const bytes = await store.get(short!.name);
    await store.remove(short!.name);
    await store.put(short!.name, bytes.subarray(0, bytes.length - 1));
    vault.clock.advance(30 * DAY);
    const { damage, packs } = await within(vault);
    expect(damage.map(({ name, problems }) => [name, problems[0]])).toEqual([[missing!.name, 'it is missing'], [short!.name, `it has ${bytes.length - 1} bytes, wanted ${bytes.length}`]]);
    expect(packs.read).toBe(11);
  });

  test('packs that no backup needs are read, too, and damage in one is recorded, because a writer may build on it', async () => {
    const vault = await made();
    const { store, snapshot } = vault;
    for await (const { name } of store.list('snapshots/')) await store.remove(name);
    for await (const { name } of store.list('refs/')) await store.remove(name);
    const [first, second, third] = snapshot.packs;
    await flip(store, first!.name, 16 + 100);
    await flip(store, second!.name, 3);
    vault.clock.advance(30 * DAY);
    const { damage, packs } = await within(vault);
    expect(damage.map(({ name }) => name).toSorted()).toEqual([first!.name, second!.name].toSorted());
    expect(damage.find(({ name }) => name === second!.name)?.problems[0]).toContain('header was altered');
    expect(packs).toMatchObject({ needed: 0, read: 13 });
    expect(await store.get(names.damaged(packIdOf(first!.name)))).toBeTruthy();
    // Whole without a digest to compare with.
    expect(damage.map(({ name }) => name)).not.toContain(third!.name);
    // Known by now, and nobody needs them: they wait for prune, and are told once.
    vault.clock.advance(30 * DAY);
    expect(await within(vault)).toMatchObject({ damage: [], packs: { read: 11 }, coverage: { packs: 11, overdue: { packs: 0 } } });
  });

  test('a pack without a backup that prune deletes meanwhile is no damage', async () => {
    const vault = await made();
    const { store, snapshot } = vault;
    for await (const { name } of store.list('snapshots/')) await store.remove(name);
    for await (const { name } of store.list('refs/')) await store.remove(name);
    vault.clock.advance(30 * DAY);
    const running = slow(vault);
    const { get } = running.store;
    const pruning: Store = { ...running.store, get: async (name, range) => (name === snapshot.packs[5]!.name && range === undefined && (await store.remove(name)), get(name, range)) };
    expect((await within(vault, {}, { ...running, store: pruning })).damage).toEqual([]);
  });

  test('a full verification and a read-back count as reading, one of structure does not', async () => {
    const vault = await made();
    vault.clock.advance(3 * DAY);
    await verify(vault.repository, { level: 'structure', clock: vault.clock });
    expect((await noted(vault)).size).toBe(0);
    const [{ name } = { name: '' }] = await Array.fromAsync(vault.store.list('snapshots/'));
    await verify(vault.repository, { level: 'full', backups: [name], clock: vault.clock });
    expect((await noted(vault)).size).toBe(13);
    expect(await lookAtCoverage(vault.repository, await Array.fromAsync(vault.store.list('packs/')), { clock: vault.clock, withinDays: 5 })).toMatchObject({ packs: 13, unread: { packs: 0 }, oldest: { days: expect.closeTo(0, 2) as number }, overdue: { packs: 0 } });
    vault.clock.advance(DAY / 2);
    expect((await within(vault)).packs.read).toBe(0);
  });

  test('a vault that takes no writing is verified, and the report says that nothing could be recorded', async () => {
    const vault = await made();
    vault.clock.advance(30 * DAY);
    const closed = { ...vault.repository, store: readOnly(vault.store, 'it is on a read-only file system') };
    for (let run = 0; run < 2; run++) {
      const { packs, coverage, notes, damage } = await within(vault, {}, closed);
      expect([packs.read, coverage.isRecorded, coverage.overdue.packs, damage]).toEqual([13, false, 13, []]);
      expect(notes).toContainEqual({ code: 'not-recorded', message: expect.stringContaining('read-only file system') as string });
    }
    await within(vault, { isRecording: false });
    expect(await nameOfNotes(vault)).toEqual([]);
  });

  test('notes stay few, forget packs that are gone, and one that is spoilt is told once and then gone', async () => {
    const vault = await made();
    for (let day = 0; day < 25; day++, vault.clock.advance(DAY)) await within(vault, { withinDays: 2 }, slow(vault));
    expect((await nameOfNotes(vault)).length).toBeLessThanOrEqual(10);
    await flip(vault.store, (await nameOfNotes(vault))[0]!, 40);
    expect((await within(vault)).damage).toMatchObject([{ kind: 'coverage', touched: [] }]);
    expect((await within(vault)).damage).toEqual([]);
    for (const { name } of vault.snapshot.packs) await vault.store.remove(name);
    for (let day = 0; day < 12; day++, vault.clock.advance(DAY)) await within(vault, { withinDays: 2 }, slow(vault));
    expect([...(await noted(vault)).keys()]).toEqual(vault.snapshot.metaPacks.map(({ name }) => packIdOf(name)));
  });

  test('who may write and not delete leaves spent notes behind, and every pack is read all the same', async () => {
    const vault = await made();
    const undeletable: Store = { ...slow(vault).store, remove: async (name) => readOnly(vault.store).remove(name) };
    for (let day = 0; day < 30; day++, vault.clock.advance(DAY)) {
      const { coverage, notes } = await within(vault, {}, { ...vault.repository, store: undeletable });
      expect([coverage.overdue.packs, coverage.isRecorded, notes.filter(({ code }) => code === 'not-recorded')]).toEqual([0, true, []]);
    }
    const { notes, superseded } = await readCoverage(vault.repository, await vault.store.now());
    expect(notes.length).toBeLessThanOrEqual(10);
    expect(superseded.length).toBeGreaterThan(10);
  });

  test('a key that opens metadata only is refused before anything is read', async () => {
    const vault = await made();
    const { keys, config, store } = vault.repository;
    const metaOnly = openRepository(store, config, { ...keys.keys, pairs: keys.keys.pairs.map(({ number, meta }) => ({ number, meta })) });
    expect((await failure(within(vault, {}, metaOnly))).code).toBe('wrong-key');
    expect(await nameOfNotes(vault)).toEqual([]);
  });
});
