import { join } from 'node:path';
import type { ByteString } from '../../../lib/model/byte-string.ts';
import { systemClock } from '../../../lib/model/clock.ts';
import { HoldfastError } from '../../../lib/model/errors.ts';
import { SnapshotReader, decodeRefs, directoryOf, openRepository, packIdOf, readRefs } from '../../../lib/repository/index.ts';
import type { Repository } from '../../../lib/repository/index.ts';
import { removeDeadIndexes } from '../../../lib/retention/dead-indexes.ts';
import { planPrune } from '../../../lib/retention/prune-plan.ts';
import { readPruneState } from '../../../lib/retention/prune-state.ts';
import { executePrune } from '../../../lib/retention/prune.ts';
import { openDirectoryStore } from '../../../lib/stores/directory-store.ts';
import { MemoryStore } from '../../../lib/stores/memory-store.ts';
import type { Store } from '../../../lib/stores/store.ts';
import { healVault } from '../../../lib/validation/healing/heal-vault.ts';
import { planHealing } from '../../../lib/validation/healing/healing-plan.ts';
import { readHealingState } from '../../../lib/validation/healing/healing-state.ts';
import { verify } from '../../../lib/validation/verify.ts';
import { Killed, killedAt } from '../../support/vault.ts';
import { TEST_KEYS, objectNames } from '../../support/run-backup.ts';
import { LeapingClock } from '../../support/fake-clock.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { WoundedVault, flipped, tamper, watched } from '../../support/wounded-vault.ts';

const newMemory = () => new MemoryStore(systemClock);
const gone = () => undefined;

const STORES: readonly (readonly [string, () => Store])[] = [
  ['a store in memory', newMemory],
  ['a directory', () => openDirectoryStore(join(temporaryFolder(), 'vault'))],
];

const PACK_DAMAGE: readonly (readonly [string, (bytes: Buffer) => Buffer | undefined])[] = [
  ['with a flipped byte in a frame', flipped(5000)],
  ['with a flipped byte in its directory', flipped(-60)],
  ['with a flipped byte in its header', flipped(8)],
  ['cut short', (bytes) => bytes.subarray(0, bytes.length - 100)],
  ['longer than it was written', (bytes) => Buffer.concat([bytes, Buffer.alloc(10)])],
  ['that is gone', gone],
];

async function expectAllGood(vault: WoundedVault): Promise<void> {
  expect(await vault.damage()).toEqual([]);
  expect(await vault.standings()).toEqual(vault.backups.map(() => 'good'));
  expect(await vault.readable()).toEqual(vault.everything());
}

describe.each(STORES)('in %s', (_name, newStore) => {
  test.each(PACK_DAMAGE)('V1: a data pack %s is named by verify, healed by the next backup, and every backup is good again', async (_what, change) => {
    const vault = await WoundedVault.begin(newStore());
    const [pack] = await vault.packs(0, 'hot');
    await tamper(vault.store, pack!.name, change);
    expect(await vault.damagedNames()).toEqual([pack!.name]);
    expect(await vault.standings()).toEqual(['corrupted', 'corrupted', 'corrupted']);
    const { healing } = await vault.backUp();
    expect(healing).toMatchObject({ report: { packs: 1, lostChunks: 0, unhealed: [] } });
    await expectAllGood(vault);
  });

  test('V1: the tree of the newest backup is healed by the next one, which writes the same tree again', async () => {
    const vault = new WoundedVault(newStore());
    for (const name of ['a', 'b', 'c']) vault.write(name);
    await vault.backUp();
    const [pack] = await vault.packs(0, 'meta');
    await tamper(vault.store, pack!.name, flipped(100));
    expect(await vault.damagedNames()).toEqual([pack!.name]);
    const { manifest, healing } = await vault.backUp();
    expect(healing).toMatchObject({ report: { packs: 1, unhealed: [] } });
    expect(manifest.statistics).toMatchObject({ newBytes: 0 });
    await expectAllGood(vault);
  });
});

describe('a tree of several parts', () => {
  test('V1: parts in which nothing changed are written again from the newest records, though they are cut elsewhere now; the rest is named', async () => {
    const vault = new WoundedVault(newMemory());
    for (let file = 0; file < 2500; file++) vault.write(`f${String(file).padStart(4, '0')}`, '', 1);
    await vault.backUp();
    const { chunks } = vault.backups[0]!.outcome.manifest.tree.base;
    expect(chunks.length).toBeGreaterThan(3);
    vault.write('f0000a');
    await vault.backUp();
    const [pack] = await vault.packs(0, 'meta');
    await tamper(vault.store, pack!.name, gone);
    expect((await vault.backUp()).healing).toMatchObject({ report: { packs: 1, lostChunks: 1, unhealed: [{ lost: 1 }] } });
    const newest = vault.backups[2]!.outcome.manifest.tree.base.chunks.map(({ id }) => id);
    expect(chunks.filter(({ id }) => newest.includes(id))).toEqual([]);
    const damage = await vault.damage();
    expect(damage.map(({ name, touched }) => [name, touched.map(({ ranges }) => ranges.length)])).toEqual([[pack!.name, [1, 1]]]);
    // The root's own record changed with its time, and with it the first part; the new file stands in the delta.
    const reader = await SnapshotReader.open(vault.repository, vault.snapshot(1));
    const read: string[] = [];
    for await (const records of reader.recordBatches('' as ByteString, () => {})) for (const { path } of records) read.push(path);
    const second = Buffer.from(chunks[1]!.first, 'base64').toString();
    expect(read).toEqual(['', 'f0000a', ...[...vault.backups[0]!.held.keys()].filter((path) => path >= second)]);
  });
});

describe('what is healed', () => {
  test('V1: frames that are whole are copied byte for byte, and nothing else of the vault is touched', async () => {
    const vault = await WoundedVault.begin(newMemory());
    const [pack] = await vault.packs(0, 'hot');
    const before = Buffer.from(await vault.store.get(pack!.name));
    await tamper(vault.store, pack!.name, flipped(5000));
    await vault.damage();
    for (const name of ['c', 'd']) vault.remove(name);
    const objects = await objectNames(vault.store);
    await vault.backUp();
    const [healed] = (await readRefs(vault.repository, vault.backups[0]!.outcome.manifest)).replaced;
    const added = (await objectNames(vault.store)).filter((name) => !objects.includes(name));
    const copy = Buffer.from(await vault.store.get(added.find((name) => name.endsWith(healed!.new)) as string));
    // Frames of the old pack, seal and all, found again in the new one; but for the damaged one.
    const sealed = directoryOf(vault.repository.keys, pack!.name, before).frames.map(({ offset, sealedLength }) => copy.includes(before.subarray(offset, offset + sealedLength)));
    expect(sealed).toEqual([false, ...sealed.slice(1).map(() => true)]);
    expect(sealed.length).toBeGreaterThan(1);
    expect(await objectNames(vault.store)).toEqual(expect.arrayContaining(objects));
    await expectAllGood(vault);
  });

  test('V1: a healed backup is built on: nothing is read again, and the list of the next one says what replaced what', async () => {
    const vault = await WoundedVault.begin(newMemory());
    const [pack] = await vault.packs(0, 'hot');
    await tamper(vault.store, pack!.name, flipped(8));
    await vault.damage();
    expect(await healVault(vault.repository)).toMatchObject({ packs: 1, unhealed: [] });
    const next = await vault.backUp();
    expect(next.manifest.statistics).toMatchObject({ readBytes: 0, newBytes: 0 });
    const { replaced, packs, revision } = await readRefs(vault.repository, next.manifest);
    expect([revision, replaced]).toEqual([0, [{ old: packIdOf(pack!.name), new: expect.any(String) }]]);
    expect(packs.map(({ name }) => packIdOf(name))).toContain(replaced[0]!.new);
    vault.write('a', 'changed');
    expect((await vault.backUp()).manifest.statistics).toMatchObject({ readBytes: 16_000 });
    await expectAllGood(vault);
  });

  test('V1: of a frame that holds other chunks too, only what is wanted goes into the healed pack', async () => {
    const vault = await WoundedVault.begin(newMemory());
    const [pack] = await vault.packs(0, 'hot');
    await tamper(vault.store, pack!.name, gone);
    vault.remove('c');
    vault.write('dd');
    expect((await vault.backUp()).healing).toMatchObject({ report: { packs: 1, lostChunks: 1 } });
    const { replaced } = await readRefs(vault.repository, vault.backups[0]!.outcome.manifest);
    const name = (await objectNames(vault.store, 'packs/hot/')).find((one) => one.endsWith(replaced[0]!.new)) as string;
    const { frames } = directoryOf(vault.repository.keys, name, await vault.store.get(name));
    expect(frames.flatMap(({ chunks }) => chunks)).toHaveLength(3);
    expect(await vault.readable()).toEqual(vault.everything().filter((entry) => !/^[0-2]:c$/.test(entry)));
  });

  test('V1: a pack that another one holds whole is not stored twice', async () => {
    const vault = await WoundedVault.begin(newMemory());
    const [pack] = await vault.packs(0, 'hot');
    await tamper(vault.store, pack!.name, gone);
    const before = await vault.packs(-1, 'hot');
    await vault.backUp();
    const after = (await objectNames(vault.store, 'packs/hot/')).length;
    // One of them is gone; the backup stored a to d in one pack, and the healing stored none.
    expect(after).toBe(before.length);
    await expectAllGood(vault);
  });

  test('V1: all data packs of a backup and every index at once', async () => {
    const vault = await WoundedVault.begin(newMemory());
    for (const { name } of await vault.packs(0, 'hot')) await tamper(vault.store, name, gone);
    for (const name of await objectNames(vault.store, 'index/')) await tamper(vault.store, name, flipped(200));
    await vault.damage();
    expect((await vault.backUp()).healing).toMatchObject({ report: { lostChunks: 1, unhealed: [] } });
    // The first backup's f is nowhere else: it comes back, and goes again.
    vault.write('f');
    await vault.backUp();
    await healVault(vault.repository);
    await expectAllGood(vault);
  });

  test('V1: before anything is stored anew the plan says what is lost, and after the healing there is nothing left to plan', async () => {
    const vault = await WoundedVault.begin(newMemory());
    const [pack] = await vault.packs(0, 'hot');
    await tamper(vault.store, pack!.name, flipped(-60));
    await vault.damage();
    expect(planHealing(await readHealingState(vault.repository))).toMatchObject({ steps: [], unhealed: [{ pack: pack!.name, lost: 4 }] });
    await vault.backUp();
    expect(planHealing(await readHealingState(vault.repository))).toMatchObject({ steps: [], revisions: [], unhealed: [] });
  });

  test('a vault without damage is read and not written', async () => {
    const vault = await WoundedVault.begin(newMemory());
    const before = await objectNames(vault.store);
    expect(await healVault(vault.repository)).toMatchObject({ packs: 0, backups: [], unhealed: [] });
    expect(await objectNames(vault.store)).toEqual(before);
    expect((await vault.backUp()).healing).toBeUndefined();
  });

  test('V1: a pack that was recorded as damaged and is whole again is told, and nothing is stored for it', async () => {
    const vault = await WoundedVault.begin(newMemory());
    const [pack] = await vault.packs(0, 'hot');
    const whole = Buffer.from(await vault.store.get(pack!.name));
    await tamper(vault.store, pack!.name, flipped(5000));
    await vault.damage();
    await tamper(vault.store, pack!.name, () => whole);
    const plan = planHealing(await readHealingState(vault.repository));
    expect(plan).toMatchObject({ steps: [], revisions: [], unhealed: [], cleared: [{ name: `damaged/${packIdOf(pack!.name)}` }] });
  });

  test('V1: the meta key alone heals trees and says that it cannot prove content', async () => {
    const vault = await WoundedVault.begin(newMemory());
    const [pack] = await vault.packs(0, 'hot');
    await tamper(vault.store, pack!.name, flipped(5000));
    await vault.damage();
    const { data: _data, ...pair } = TEST_KEYS.pairs[0]!;
    const metaOnly = openRepository(vault.store, vault.repository.config, { ...TEST_KEYS, pairs: [pair] });
    expect(planHealing(await readHealingState(metaOnly))).toMatchObject({ steps: [], unhealed: [{ reason: expect.stringContaining('--meta-only') }] });
  });
});

describe('with the source gone', () => {
  test('V1: exactly the touched entries are lost, named, and the rest restores', async () => {
    const vault = await WoundedVault.begin(newMemory());
    const [pack] = await vault.packs(0, 'hot');
    await tamper(vault.store, pack!.name, flipped(16 + 100));
    await vault.damage();
    for (const name of ['a', 'b', 'c', 'd']) vault.remove(name);
    const { healing } = await vault.backUp();
    expect(healing).toMatchObject({ report: { packs: 0, unhealed: [{ pack: pack!.name, nextStep: expect.stringContaining('If the source still has these files') }] } });
    const [damage, ...others] = await vault.damage();
    expect([damage?.name, others]).toEqual([pack!.name, []]);
    const lost = damage!.touched.flatMap(({ snapshot, examples }) => examples.map((path) => `${[0, 1, 2, 3].find((index) => vault.snapshot(index) === snapshot)}:${path}`)).sort();
    expect(lost.length).toBeGreaterThan(0);
    expect(await vault.readable()).toEqual(vault.everything().filter((entry) => !lost.includes(entry)));
  });

  test('V1: what is found again is healed, what is not is named by the pack that was lost, until the source has it again', async () => {
    const vault = await WoundedVault.begin(newMemory());
    const [pack] = await vault.packs(0, 'hot');
    await tamper(vault.store, pack!.name, gone);
    await vault.damage();
    for (const name of ['a', 'b']) vault.remove(name);
    expect((await vault.backUp()).healing).toMatchObject({ report: { packs: 1, lostChunks: 2 } });
    const damage = await vault.damage();
    expect(damage.map(({ name }) => name)).toEqual([pack!.name]);
    expect(damage[0]!.touched.map(({ examples }) => examples)).toEqual([['a', 'b'], ['a', 'b'], ['a', 'b']]);
    expect(await vault.readable()).toEqual(vault.everything().filter((entry) => !/^[0-2]:[ab]$/.test(entry)));
    expect((await vault.standings()).at(-1)).toBe('good');
    for (const name of ['a', 'b']) vault.write(name);
    expect((await vault.backUp()).healing).toMatchObject({ report: { packs: 1, lostChunks: 0, unhealed: [] } });
    await expectAllGood(vault);
  });

  test('V1: damage that nothing heals is not searched for after every backup, only when there is something new', async () => {
    const vault = await WoundedVault.begin(newMemory());
    const [pack] = await vault.packs(0, 'hot');
    await tamper(vault.store, pack!.name, flipped(16 + 100));
    await vault.damage();
    for (const name of ['a', 'b', 'c', 'd']) vault.remove(name);
    expect((await vault.backUp()).healing).toMatchObject({ report: { packs: 0, unhealed: [{ pack: pack!.name }] } });
    vault.write('new');
    expect((await vault.backUp()).healing).toBeUndefined();
    expect((await vault.backUp()).healing).toBeUndefined();
    for (const name of ['a', 'b']) vault.write(name);
    expect((await vault.backUp()).healing).toMatchObject({ report: { packs: 1, lostChunks: 0, unhealed: [] } });
    await expectAllGood(vault);
  });

  test('V1: an old tree that nobody wrote again is named, and a later backup that does not need it is good', async () => {
    const vault = await WoundedVault.begin(newMemory());
    const [base] = await vault.packs(0, 'meta');
    const delta = (await vault.packs(1, 'meta')).find(({ name }) => name !== base!.name);
    await tamper(vault.store, delta!.name, gone);
    expect(await vault.damagedNames()).toEqual([delta!.name]);
    const { unhealed } = await healVault(vault.repository);
    expect(unhealed).toMatchObject([{ pack: delta!.name, backups: [vault.snapshot(1)], nextStep: expect.stringContaining('from a copy of the vault') }]);
    expect(await vault.damagedNames()).toEqual([delta!.name]);
    expect(await vault.standings()).toEqual(['good', 'corrupted', 'good']);
  });
});

/** A store that goes away when the fourth backup is made and healing begins. */
function unhealing(store: Store): Store {
  return watched(store, async (call, name) => {
    if (call === 'list' && name === 'damaged/' && (await objectNames(store, 'snapshots/')).length === 4) throw new HoldfastError('unavailable', 'The store went away.');
  });
}

describe('killed, and with others', () => {
  /** A vault with two wounds, one of which takes a copy, and all that heals them; `copy`: the same vault again and again. */
  async function wounded(): Promise<{ vault: WoundedVault; before: string[]; copy: () => Promise<Repository> }> {
    const vault = await WoundedVault.begin(newMemory());
    const [first, second] = await vault.packs(0, 'hot');
    await tamper(vault.store, first!.name, flipped(5000));
    await tamper(vault.store, second!.name, gone);
    await vault.damage();
    vault.write('f');
    for (const name of ['c', 'd']) vault.remove(name);
    expect((await vault.backUp({ ...vault.repository, store: unhealing(vault.store) })).healing).toMatchObject({ problem: { code: 'unavailable' } });
    const objects = new Map<string, Uint8Array>();
    for (const name of await objectNames(vault.store)) objects.set(name, await vault.store.get(name));
    const copy = async () => {
      const again = newMemory();
      for (const [name, bytes] of objects) await again.put(name, bytes);
      return { ...vault.repository, store: again };
    };
    return { vault, before: await vault.readable(), copy };
  }

  test('V1: killed at any writing call, before or after it landed, everything reads as well as before, and a repeat finishes', async () => {
    const { vault, before, copy } = await wounded();
    let kills = 0;
    for (const hasLanded of [false, true]) {
      for (let call = 0; ; call++) {
        const repository = await copy();
        const death = await healVault({ ...repository, store: killedAt(repository.store, call, hasLanded) }).then(() => undefined, (error: unknown) => error);
        if (death === undefined) break;
        expect(death).toBeInstanceOf(Killed);
        kills++;
        expect(await vault.readable(repository)).toEqual(expect.arrayContaining(before));
        expect(await healVault(repository)).toMatchObject({ unhealed: [], lostChunks: 0 });
        expect(await vault.readable(repository)).toEqual(vault.everything());
        expect((await verify(repository, { level: 'full', clock: systemClock })).backups.map(({ result }) => result)).toEqual(['good', 'good', 'good', 'good']);
      }
    }
    // A pack, an index, a list for each of the three backups; each before and after it landed.
    expect(kills).toBeGreaterThanOrEqual(10);
  });

  test('V1: two healers at once are harmless', async () => {
    const { vault, copy } = await wounded();
    const repository = await copy();
    const results = await Promise.all([healVault(repository), healVault(repository), healVault(repository)]);
    expect(results.map(({ lostChunks }) => lostChunks)).toEqual([0, 0, 0]);
    expect(await vault.readable(repository)).toEqual(vault.everything());
    expect((await verify(repository, { level: 'full', clock: systemClock })).backups.map(({ result }) => result)).toEqual(['good', 'good', 'good', 'good']);
  });
});

describe('beside prune', () => {
  const HOUR = 3_600_000;

  async function aged(): Promise<{ vault: WoundedVault; store: MemoryStore; clock: LeapingClock; pack: string }> {
    const clock = new LeapingClock();
    const store = new MemoryStore(clock);
    const vault = await WoundedVault.begin(store, clock);
    clock.advance(60 * HOUR);
    const [pack] = await vault.packs(0, 'hot');
    await tamper(store, pack!.name, flipped(5000));
    await vault.damage();
    for (const name of ['c', 'd']) vault.remove(name);
    return { vault, store, clock, pack: pack!.name };
  }

  async function prune({ repository }: WoundedVault, clock: LeapingClock): Promise<void> {
    await executePrune(planPrune(await readPruneState(repository.store, repository)), repository.store, { clock });
    await removeDeadIndexes(repository, { clock });
  }

  test('V1, K8: prune frees the bad pack and the note about it, and never what a healed backup needs', async () => {
    const { vault, store, clock, pack } = await aged();
    await vault.backUp();
    for (let day = 0; day < 12; day++) {
      await prune(vault, clock);
      clock.advance(25 * HOUR);
      expect(await vault.readable()).toEqual(vault.everything());
    }
    const left = await objectNames(store);
    expect(left).not.toContain(pack);
    expect(left.filter((name) => name.startsWith('damaged/') || name.startsWith('condemned/'))).toEqual([]);
    await expectAllGood(vault);
  });

  test('V1, K8: a healer that slept until prune had condemned its pack names it in no list', async () => {
    const { vault, store, clock } = await aged();
    await vault.backUp({ ...vault.repository, store: unhealing(store) });
    const before = await vault.readable();
    let isAsleep = false;
    const sleepy = watched(store, async (call, name) => {
      if (isAsleep || call !== 'put' || !name.startsWith('index/')) return;
      isAsleep = true;
      for (let day = 0; day < 5; day++) {
        clock.advance(25 * HOUR);
        await prune(vault, clock);
      }
    });
    const lists = await objectNames(store, 'refs/');
    await expect(healVault({ ...vault.repository, store: sleepy })).rejects.toMatchObject({ code: 'stale' });
    expect(await objectNames(store, 'refs/')).toEqual(lists);
    expect(await vault.readable()).toEqual(before);
    await healVault(vault.repository);
    await expectAllGood(vault);
  });

  test('V1, K8: a list that was stored after prune had decided about its pack is taken back', async () => {
    const { vault, store, clock } = await aged();
    await vault.backUp({ ...vault.repository, store: unhealing(store) });
    const before = await vault.readable();
    let isAsleep = false;
    const sleepy = watched(store, async (call, name) => {
      if (isAsleep || call !== 'put' || !/^refs.*\.1$/.test(name)) return;
      isAsleep = true;
      for (let day = 0; day < 4; day++) {
        clock.advance(25 * HOUR);
        await prune(vault, clock);
      }
    });
    await expect(healVault({ ...vault.repository, store: sleepy })).rejects.toMatchObject({ code: 'stale' });
    expect(isAsleep).toBe(true);
    expect(await vault.readable()).toEqual(before);
    expect((await readRefs(vault.repository, vault.backups[0]!.outcome.manifest)).replaced).toEqual([]);
    await healVault(vault.repository);
    await expectAllGood(vault);
  });

  test('V1, K8: prune decides nothing while the list that a healing wrote is damaged', async () => {
    const { vault, store } = await aged();
    await vault.backUp();
    await tamper(store, vault.refs(0, 1), flipped(60));
    const stopped = planPrune(await readPruneState(store, vault.repository));
    expect(stopped.blockers).toMatchObject([{ reason: expect.stringContaining('is not genuine'), nextStep: expect.stringContaining('holdfast repair packs') }]);
    await healVault(vault.repository);
    expect(planPrune(await readPruneState(store, vault.repository)).blockers).toEqual([]);
  });
});

describe('lists of packs', () => {
  test.each([['flipped', flipped(40)], ['gone', gone]] as const)('V1: the list of the newest backup, %s, is made again by the next backup', async (_what, change) => {
    const vault = await WoundedVault.begin(newMemory());
    await tamper(vault.store, vault.refs(-1, 0), change);
    expect(await vault.damagedNames()).toEqual([vault.refs(-1, 0)]);
    await vault.backUp();
    await expectAllGood(vault);
    const again = await readRefs(vault.repository, vault.backups[2]!.outcome.manifest);
    expect(again).toMatchObject({ revision: 1, mac: expect.any(String) });
  });

  test('V1: that of an old backup is made again by a repair, also when packs that it names are gone', async () => {
    const vault = await WoundedVault.begin(newMemory());
    const [pack] = await vault.packs(0, 'hot');
    await tamper(vault.store, vault.refs(0, 0), gone);
    await tamper(vault.store, pack!.name, gone);
    await vault.backUp();
    await healVault(vault.repository);
    await expectAllGood(vault);
  });

  test('V1: a later list that is damaged is followed by one that is not', async () => {
    const vault = await WoundedVault.begin(newMemory());
    const [pack] = await vault.packs(0, 'hot');
    await tamper(vault.store, pack!.name, gone);
    await vault.backUp();
    await tamper(vault.store, vault.refs(0, 1), flipped(60));
    expect(await vault.damagedNames()).toContain(vault.refs(0, 1));
    expect(await healVault(vault.repository)).toMatchObject({ backups: [vault.snapshot(0)] });
    expect(decodeRefs(await vault.store.get(vault.refs(0, 2)), 'refs').replaced).toHaveLength(1);
    await expectAllGood(vault);
  });
});

