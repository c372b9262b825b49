import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { foldCoverage, names, openCoverage, openRepository, packIdsOf, readCoverage, sealCoverage, writeCoverage } from '../../lib/repository/index.ts';
import type { CoverageNote } from '../../lib/repository/index.ts';
import { failure } from '../sources/reading.ts';
import { memoryVault } from '../support/vault.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const id = () => randomBytes(16).toString('hex');
const note = (read: Record<string, number>, more: Partial<CoverageNote> = {}): CoverageNote => ({ supersedes: [], runs: [], readAt: new Map(Object.entries(read)), ...more });
const everything = () => true;

describe('notes of what was read (format §9, V2)', () => {
  test('what is written is read, to the minute', () => {
    const { repository } = memoryVault();
    fc.assert(fc.property(fc.array(fc.tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.integer({ min: 0, max: 2 ** 32 }))), fc.array(fc.integer({ min: 0, max: 2 ** 32 })), fc.array(fc.stringMatching(/^coverage\/[A-Z0-9]{26}$/)), (rows, runs, supersedes) => {
      const written: CoverageNote = { supersedes, runs: runs.map((run) => run * MINUTE), readAt: new Map(rows.map(([pack, minute]) => [Buffer.from(pack).toString('hex'), minute * MINUTE])) };
      const name = names.coverage('01');
      const read = openCoverage(repository, name, sealCoverage(repository, name, written));
      expect(read).toEqual(written);
    }), { numRuns: 50 });
  });

  test('of 100,000 packs it takes less than 2.1 MB', () => {
    const { repository } = memoryVault();
    const readAt = new Map(Array.from({ length: 100_000 }, (_, index) => [id(), (29_000_000 + (index % 43_200)) * MINUTE]));
    const stored = sealCoverage(repository, names.coverage('01'), { supersedes: [], runs: [], readAt });
    expect(stored.length).toBeLessThan(2_100_000);
    expect(openCoverage(repository, names.coverage('01'), stored).readAt.size).toBe(100_000);
  });

  test('a flipped bit, another name, another key: none of them opens', async () => {
    const { repository } = memoryVault();
    const stored = sealCoverage(repository, names.coverage('01'), note({ [id()]: MINUTE }));
    for (const at of [0, 4, 11, 20, stored.length - 1]) {
      const flipped = Buffer.from(stored);
      flipped[at]! ^= 1;
      const { code } = await failure((async () => openCoverage(repository, names.coverage('01'), flipped))());
      expect(['damaged', 'unsupported-version', 'wrong-key']).toContain(code);
    }
    expect((await failure((async () => openCoverage(repository, names.coverage('02'), stored))())).code).toBe('damaged');
  });

  test('of several notes the newest time of a pack counts, in whatever order they were written', async () => {
    const { repository, store, clock } = memoryVault();
    const [one, other, third] = [id(), id(), id()];
    const start = await store.now();
    clock.advance(10 * DAY);
    await writeCoverage(repository, note({ [one]: start + 5 * DAY, [other]: start }), await store.now());
    await writeCoverage(repository, note({ [one]: start + DAY, [third]: start + 2 * DAY }, { runs: [start] }), await store.now());
    const { readAt, runs, notes } = await readCoverage(repository, await store.now());
    const minute = (time: number) => Math.floor(time / MINUTE) * MINUTE;
    expect(Object.fromEntries(readAt)).toEqual({ [one]: minute(start + 5 * DAY), [other]: minute(start), [third]: minute(start + 2 * DAY) });
    expect(runs).toEqual([minute(start)]);
    expect(notes).toHaveLength(2);
  });

  test('a note cannot claim a time after it was stored, nor one that has not come yet', async () => {
    const { repository, store, clock } = memoryVault();
    const pack = id();
    const storedAt = await store.now();
    await writeCoverage(repository, note({ [pack]: storedAt + 1000 * DAY }, { runs: [storedAt + DAY] }), storedAt);
    clock.advance(DAY);
    const seen = await readCoverage(repository, await store.now());
    expect([seen.readAt.get(pack), seen.runs]).toEqual([storedAt, []]);
    // The store's clock went back behind the time of the note: nothing is known any more.
    expect((await readCoverage(repository, storedAt - DAY)).readAt.size).toBe(0);
  });

  test('folding keeps every time of the packs that are kept, and makes one note of many; killed before the removal nothing changes', async () => {
    const { repository, store, clock } = memoryVault();
    const packs = Array.from({ length: 30 }, id);
    for (const pack of packs) {
      clock.advance(DAY);
      await writeCoverage(repository, note({ [pack]: await store.now() }), await store.now());
    }
    const before = await readCoverage(repository, await store.now());
    const spent = await foldCoverage(repository, before, (pack) => pack !== packs[3], await store.now());
    expect(spent.toSorted()).toEqual([...before.notes].toSorted());
    const folded = await readCoverage(repository, await store.now());
    expect(folded.notes).toHaveLength(1);
    expect(folded.superseded.toSorted()).toEqual([...before.notes].toSorted());
    for (const name of spent) await store.remove(name);
    const after = await readCoverage(repository, await store.now());
    expect(after.readAt).toEqual(folded.readAt);
    expect(after.readAt.size).toBe(29);
    for (const pack of packs.filter((_, index) => index !== 3)) expect(after.readAt.get(pack)).toBe(before.readAt.get(pack));
  });

  test('a note that does not open costs what it said and nothing else, and the next fold takes it away', async () => {
    const { repository, store } = memoryVault();
    const [one, other] = [id(), id()];
    const now = await store.now();
    await writeCoverage(repository, note({ [one]: now }), now);
    await store.put('coverage/spoilt', Buffer.from('nonsense that was never sealed'));
    await writeCoverage(repository, note({ [other]: now }), now);
    const seen = await readCoverage(repository, now);
    expect([seen.damaged, [...seen.readAt.keys()].toSorted()]).toEqual([['coverage/spoilt'], [one, other].toSorted()]);
    for (const name of await foldCoverage(repository, seen, everything, now)) await store.remove(name);
    expect(await readCoverage(repository, now)).toMatchObject({ damaged: [], superseded: [], readAt: seen.readAt });
  });

  test('a note of another key is left alone', async () => {
    const { repository, store } = memoryVault();
    const now = await store.now();
    const later = openRepository(store, repository.config, { ...repository.keys.keys, pairs: [{ number: 7, meta: randomBytes(32) }] });
    await store.put('coverage/other', sealCoverage(later, 'coverage/other', note({ [id()]: now })));
    const seen = await readCoverage(repository, now);
    expect([seen.damaged, seen.notes, seen.readAt.size]).toEqual([[], [], 0]);
    expect(await foldCoverage(repository, seen, everything, now)).not.toContain('coverage/other');
  });

  test('notes that somebody folds while they are read are found in the new one', async () => {
    const { repository, store } = memoryVault();
    const packs = Array.from({ length: 20 }, id);
    const now = await store.now();
    for (const pack of packs) await writeCoverage(repository, note({ [pack]: now }), now);
    let hasFolded = false;
    const get = async (name: string) => {
      if (!hasFolded) {
        hasFolded = true;
        for (const spent of await foldCoverage(repository, await readCoverage(repository, now), everything, now)) await store.remove(spent);
      }
      return store.get(name);
    };
    const meanwhile = { ...repository, store: Object.assign(Object.create(store) as typeof store, { get, list: store.list.bind(store) }) };
    expect([...(await readCoverage(meanwhile, now)).readAt.keys()].toSorted()).toEqual(packs.toSorted());
  });

  test('packs are named by the last component of their names', () => {
    expect(packIdsOf([{ name: 'packs/hot/w/aa/01' }, { name: 'packs/meta/w/bb/02' }])).toEqual(new Set(['01', '02']));
  });
});
