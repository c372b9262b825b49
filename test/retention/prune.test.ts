import { encodeRefs, names, rulingNameOf, encodeRuling, packIdOf } from '../../lib/repository/index.ts';
import { planPrune } from '../../lib/retention/prune-plan.ts';
import type { PrunePlan } from '../../lib/retention/prune-plan.ts';
import { readPruneState } from '../../lib/retention/prune-state.ts';
import { executePrune } from '../../lib/retention/prune.ts';
import type { Store } from '../../lib/stores/store.ts';
import { Killed, REPOSITORY_ID, killedAt, memoryVault } from '../support/vault.ts';

const HOUR = 3_600_000;
const PLAN = 'a'.repeat(32);
type Vault = ReturnType<typeof memoryVault>;

const packName = (id: string) => names.pack('hot', 'b'.repeat(32), id.repeat(16));

async function putPack({ store }: Vault, id: string): Promise<void> {
  await store.put(packName(id), Buffer.from(`pack ${id}`));
}

async function putBackup({ store }: Vault, backup: string, packs: readonly string[], hasSnapshot = true): Promise<void> {
  const named = packs.map((id) => ({ name: packName(id), size: 7, sha256: '' }));
  await store.put(names.refs(PLAN, backup, 0), encodeRefs({ format: 1, repository: REPOSITORY_ID, kind: 'refs', plan: PLAN, backup, run: 'R', revision: 0, packs: named, replaced: [] }));
  if (hasSnapshot) await store.put(names.snapshot(PLAN, backup), Buffer.from('sealed'));
}

async function listed(store: Pick<Store, 'list'>, prefix: string): Promise<string[]> {
  return (await Array.fromAsync(store.list(prefix))).map((object) => object.name);
}

async function prune(vault: Vault, store: Store = vault.store) {
  return executePrune(planPrune(await readPruneState(store)), store, { clock: vault.clock });
}

/** Pack 11 is needed, 22 and 33 are not. */
async function vaultWithGarbage(): Promise<Vault> {
  const vault = memoryVault();
  for (const id of ['11', '22', '33']) await putPack(vault, id);
  await putBackup(vault, 'GOOD', ['11']);
  await putBackup(vault, 'UNFINISHED', ['22'], false);
  vault.clock.advance(200 * HOUR);
  return vault;
}

describe('prune', () => {
  it('K8: marks, rules a day later, deletes, and clears its marks, without any key', async () => {
    const vault = await vaultWithGarbage();
    expect(await prune(vault)).toMatchObject({ marked: 2, expired: 1, deletedPacks: 0, isComplete: true });
    vault.clock.advance(23 * HOUR);
    expect(await prune(vault)).toMatchObject({ marked: 0, doomed: 0, deletedPacks: 0 });
    vault.clock.advance(HOUR);
    expect(await prune(vault)).toMatchObject({ doomed: 2, deletedPacks: 2, bytesFreed: 14 });
    expect(await prune(vault)).toMatchObject({ cleared: 2 });
    expect(await listed(vault.store, 'packs/')).toEqual([packName('11')]);
    expect(await listed(vault.store, 'condemned/')).toEqual([]);
  });

  it('K8: leaves alone what only lies beside packs, whatever its name: it neither stops prune nor condemns a pack of a like name', async () => {
    const vault = await vaultWithGarbage();
    for (const odd of [`${packName('11')}.x`, `${packName('11')}.${'z'.repeat(200)}`, 'packs/hot/notes']) await vault.store.put(odd, Buffer.from('odd'));
    vault.clock.advance(100 * HOUR);
    expect(await prune(vault)).toMatchObject({ marked: 2 });
    expect((await listed(vault.store, 'condemned/')).some((name) => name.includes('11'.repeat(16)))).toBe(false);
  });

  it('K8: what only lies beside lists of packs, such as somebody\'s copy of one, stops nothing and names nothing', async () => {
    const vault = await vaultWithGarbage();
    for (const odd of ['bak', '0-', '00', '-1', 'x.0.1']) await vault.store.put(`refs/${PLAN}/GOOD.${odd}`, Buffer.from('odd'));
    const { blockers, marks } = planPrune(await readPruneState(vault.store));
    expect({ blockers, marked: marks.length }).toEqual({ blockers: [], marked: 2 });
  });

  it('spares a pack that a backup has come to need, and condemns it anew when that backup goes', async () => {
    const vault = await vaultWithGarbage();
    await prune(vault);
    await putBackup(vault, 'LATER', ['22', '33']);
    vault.clock.advance(25 * HOUR);
    expect(await prune(vault)).toMatchObject({ spared: 2, deletedPacks: 0 });
    await vault.store.put(names.removed(PLAN, 'LATER'), Buffer.from('sealed'));
    expect(await prune(vault)).toMatchObject({ marked: 2, expired: 2 });
    vault.clock.advance(25 * HOUR);
    expect(await prune(vault)).toMatchObject({ doomed: 2, deletedPacks: 2 });
  });

  it('K8: killed at any writing call, before or after it landed, leaves a vault that the next prunes finish', async () => {
    let kills = 0;
    for (const hasLanded of [false, true]) {
      for (let phase = 0; phase < 4; phase++) {
        for (let call = 0; ; call++) {
          const vault = await vaultWithGarbage();
          let wasKilled = false;
          for (let day = 0; day < 7; day++) {
            const store = day === phase ? killedAt(vault.store, call, hasLanded) : vault.store;
            await prune(vault, store).catch((error: unknown) => {
              if (!(error instanceof Killed)) throw error;
              wasKilled = true;
            });
            vault.clock.advance(25 * HOUR);
          }
          expect(await listed(vault.store, '')).toEqual([packName('11'), names.refs(PLAN, 'GOOD', 0), names.snapshot(PLAN, 'GOOD')].sort());
          if (!wasKilled) break;
          kills++;
        }
      }
    }
    expect(kills).toBeGreaterThan(10);
  });

  it('may run any number of times at once', async () => {
    const vault = await vaultWithGarbage();
    for (let day = 0; day < 4; day++) {
      await Promise.all([prune(vault), prune(vault), prune(vault)]);
      vault.clock.advance(25 * HOUR);
    }
    expect(await listed(vault.store, 'packs/')).toEqual([packName('11')]);
    expect(await listed(vault.store, 'condemned/')).toEqual([]);
  });

  it('obeys the ruling that another prune wrote first', async () => {
    const { vault, plan } = await aboutToRule();
    await vault.store.put(rulingNameOf(plan.rulings[0]?.mark ?? ''), encodeRuling('spared'));
    expect(await executePrune(plan, vault.store, { clock: vault.clock })).toMatchObject({ spared: 1, doomed: 1, deletedPacks: 1 });
    expect(await listed(vault.store, 'packs/')).toHaveLength(2);
  });

  it('deletes nothing by a ruling that comes when its mark was cleared already', async () => {
    const { vault, plan } = await aboutToRule();
    for (const { mark } of plan.rulings) await vault.store.remove(mark);
    expect(await executePrune(plan, vault.store, { clock: vault.clock })).toMatchObject({ deletedPacks: 0 });
    expect(await listed(vault.store, 'packs/')).toHaveLength(3);
    // What it left is cleared by the next one.
    expect(await prune(vault)).toMatchObject({ cleared: 2 });
  });

  it('K8: stops when its time is used up, and goes on the next time', async () => {
    const { vault, plan } = await aboutToRule();
    const slow = { ...killedAt(vault.store, Infinity, true), remove: async (name: string) => vault.store.remove(name).then(() => vault.clock.advance(HOUR)) };
    expect(await executePrune(plan, slow, { clock: vault.clock, maxDurationMs: HOUR / 2, concurrency: 1 })).toMatchObject({ deletedPacks: 1, isComplete: false });
    expect(await prune(vault)).toMatchObject({ deletedPacks: 1, isComplete: true });
  });

  it('stops between two steps when a signal asks it to', async () => {
    const { vault, plan } = await aboutToRule();
    await expect(executePrune(plan, vault.store, { clock: vault.clock, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'interrupted' });
    expect(await listed(vault.store, 'packs/')).toHaveLength(3);
  });

  it('refuses while a snapshot lacks its refs, names it, and does nothing', async () => {
    const { vault } = await aboutToRule();
    await vault.store.remove(names.refs(PLAN, 'GOOD', 0));
    const before = await listed(vault.store, '');
    await expect(prune(vault)).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining(names.snapshot(PLAN, 'GOOD')), nextStep: expect.stringContaining('holdfast remove GOOD') });
    expect(await listed(vault.store, '')).toEqual(before);
  });

  it('refuses when one flipped byte makes a list of packs name another pack', async () => {
    const { vault } = await aboutToRule();
    const name = names.refs(PLAN, 'GOOD', 0);
    const bytes = Buffer.from(await vault.store.get(name));
    const at = bytes.indexOf(packIdOf(packName('11')));
    bytes[at] = (bytes[at] ?? 0) ^ 3;
    await vault.store.remove(name);
    await vault.store.put(name, bytes);
    await expect(prune(vault)).rejects.toMatchObject({ code: 'refused' });
    expect(await listed(vault.store, 'packs/')).toHaveLength(3);
  });
});

async function aboutToRule(): Promise<{ vault: Vault; plan: PrunePlan }> {
  const vault = await vaultWithGarbage();
  await prune(vault);
  vault.clock.advance(25 * HOUR);
  return { vault, plan: planPrune(await readPruneState(vault.store)) };
}
