import { names, readVerdicts, writeVerdict } from '../../lib/repository/index.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { removeDeadIndexes } from '../../lib/retention/dead-indexes.ts';
import { planPrune } from '../../lib/retention/prune-plan.ts';
import { readPruneState } from '../../lib/retention/prune-state.ts';
import { standingOf } from '../../lib/retention/standing.ts';
import type { Store } from '../../lib/stores/store.ts';
import { SMALL_PLAN, SmallBackups } from '../support/small-backup.ts';
import { memoryVault } from '../support/vault.ts';

const HOUR = 3_600_000;

/** A backup whose writer slept between its refs and its snapshot. */
async function vaultWith({ sleepMs }: { sleepMs: number }) {
  const vault = memoryVault();
  const { store, clock, repository } = vault;
  const sleepy: Store = {
    description: 'sleepy',
    get: (name, range) => store.get(name, range),
    stat: (...given) => store.stat(...given),
    list: (...given) => store.list(...given),
    remove: (...given) => store.remove(...given),
    now: () => store.now(),
    put: async (name, bytes) => {
      if (name.startsWith('snapshots/')) clock.advance(sleepMs);
      return store.put(name, bytes);
    },
  };
  const backup = await new SmallBackups(repository).make(['one'], { ...repository, store: sleepy });
  return { ...vault, backup };
}

async function standing(repository: Repository, backup: string) {
  const sizes = new Map<string, number>();
  for await (const { name, size } of repository.store.list('packs/')) sizes.set(name, size);
  return standingOf(repository, await repository.store.stat(names.snapshot(SMALL_PLAN, backup)), sizes);
}

describe('the standing of a backup', () => {
  it('is good when it was stored in time and nothing was found against it, and the vault remembers the first', async () => {
    const { repository, backup } = await vaultWith({ sleepMs: HOUR });
    expect(await standing(repository, backup)).toMatchObject({ standing: 'good', manifest: { backup } });
    expect((await readVerdicts(repository, backup)).verdicts).toMatchObject([{ level: 'commit', result: 'good' }]);
    await standing(repository, backup);
    expect((await readVerdicts(repository, backup)).verdicts).toHaveLength(1);
  });

  it('is void when it was stored over an hour after its look, and no later verdict makes it good', async () => {
    const { repository, backup } = await vaultWith({ sleepMs: HOUR + 1 });
    expect(await standing(repository, backup)).toMatchObject({ standing: 'void' });
    await writeVerdict(repository, { backup, level: 'full', result: 'good', damaged: [] });
    expect(await standing(repository, backup)).toMatchObject({ standing: 'void' });
  });

  it('follows the record in a copy of the vault, where every object is younger', async () => {
    const { repository, store, backup } = await vaultWith({ sleepMs: 0 });
    await standing(repository, backup);
    const copy = memoryVault();
    copy.clock.advance(48 * HOUR);
    for await (const { name } of store.list('')) await copy.store.put(name, await store.get(name));
    expect(await standing(copy.repository, backup)).toMatchObject({ standing: 'good' });
    expect(planPrune(await readPruneState(copy.store, copy.repository)).blockers).toEqual([]);
  });

  it('is told also where nothing may be written', async () => {
    const { repository, store, backup } = await vaultWith({ sleepMs: HOUR + 1 });
    const refusing: Store = { description: 'read-only', get: (name, range) => store.get(name, range), stat: (...given) => store.stat(...given), list: (...given) => store.list(...given), remove: (...given) => store.remove(...given), now: () => store.now(), put: () => Promise.reject(new HoldfastError('read-only', 'no writing here')) };
    expect(await standing({ ...repository, store: refusing }, backup)).toMatchObject({ standing: 'void' });
    expect((await readVerdicts(repository, backup)).verdicts).toEqual([]);
  });

  it('is corrupted when a pack is gone, or a verdict says so; unreadable when the manifest does not open', async () => {
    const { repository, store, clock, backup } = await vaultWith({ sleepMs: 0 });
    await writeVerdict(repository, { backup, level: 'full', result: 'corrupted', damaged: [{ name: 'packs/x', problem: 'flipped' }] });
    expect(await standing(repository, backup)).toMatchObject({ standing: 'corrupted', reason: expect.stringContaining('--level full') });
    clock.advance(1000);
    await writeVerdict(repository, { backup, level: 'full', result: 'good', damaged: [] });
    const [pack] = await Array.fromAsync(store.list('packs/'));
    await store.remove(pack?.name ?? '');
    expect(await standing(repository, backup)).toMatchObject({ standing: 'corrupted', reason: expect.stringContaining(pack?.name ?? '') });
    const name = names.snapshot(SMALL_PLAN, backup);
    const bytes = await store.get(name);
    bytes[60] = (bytes[60] ?? 0) ^ 1;
    await store.remove(name);
    await store.put(name, bytes);
    expect(await standing(repository, backup)).toMatchObject({ standing: 'unreadable' });
  });
});

describe('prune with the meta key', () => {
  it('is not stopped by a void snapshot whose refs are gone; without the key it is', async () => {
    const { repository, store, backup } = await vaultWith({ sleepMs: HOUR + 1 });
    await store.remove(names.refs(SMALL_PLAN, backup, 0));
    expect(planPrune(await readPruneState(store, repository)).blockers).toEqual([]);
    expect(planPrune(await readPruneState(store)).blockers).toMatchObject([{ name: names.snapshot(SMALL_PLAN, backup) }]);
  });

  it('is stopped by a list of packs that is not the one its manifest names', async () => {
    const { repository, store, backup } = await vaultWith({ sleepMs: 0 });
    const name = names.refs(SMALL_PLAN, backup, 0);
    const text = Buffer.from(await store.get(name)).toString();
    await store.remove(name);
    await store.put(name, Buffer.from(text.replace('"size":', '"size":1')));
    expect(planPrune(await readPruneState(store, repository)).blockers).toMatchObject([{ reason: expect.stringContaining('the one that its manifest names') }]);
  });

  it('deletes an index once all its packs are gone, and not before', async () => {
    const { repository, store, clock } = await vaultWith({ sleepMs: 0 });
    const packs = await Array.fromAsync(store.list('packs/'));
    const indexes = async () => (await Array.fromAsync(store.list('index/'))).length;
    expect(packs.length).toBeGreaterThan(1);
    await store.remove(packs[0]?.name ?? '');
    expect([await removeDeadIndexes(repository, { clock }), await indexes()]).toEqual([0, 1]);
    for (const { name } of packs) await store.remove(name);
    expect([await removeDeadIndexes(repository, { clock }), await indexes()]).toEqual([1, 0]);
  });
});
