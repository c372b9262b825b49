import { names } from '../../lib/repository/index.ts';
import { planPrune } from '../../lib/retention/prune-plan.ts';
import { readPruneState } from '../../lib/retention/prune-state.ts';
import { executePrune } from '../../lib/retention/prune.ts';
import { planRemove } from '../../lib/retention/remove-plan.ts';
import type { RemovableBackup } from '../../lib/retention/remove-plan.ts';
import { executeRemove, findUnfinishedRemovals } from '../../lib/retention/remove.ts';
import type { Store } from '../../lib/stores/store.ts';
import { SMALL_PLAN, SmallBackups } from '../support/small-backup.ts';
import { Killed, killedAt, memoryVault } from '../support/vault.ts';

const backup = (id: string, storedAt: number, standing: RemovableBackup['standing'] = 'good', plan = 'p1'): RemovableBackup => ({ plan, planName: `plan ${plan}`, backup: id, storedAt, standing });
const CAUSE = { who: 'operator', why: 'no longer needed' };

describe('the plan of a removal', () => {
  const known = [backup('A', 1), backup('B', 2), backup('C', 3, 'corrupted'), backup('D', 4, 'void'), backup('E', 5, 'good', 'p2')];

  it('tells which good backup stays the newest one', () => {
    expect(planRemove({ ids: ['B', 'D'], force: false }, known)).toEqual({
      removals: [
        { plan: 'p1', backup: 'B', reason: 'asked for; it is good' },
        { plan: 'p1', backup: 'D', reason: 'asked for; it is void' },
      ],
      affected: [{ planName: 'plan p1', newestGood: 'A', remaining: 2 }],
      warnings: [],
      refusals: [],
    });
  });

  it('refuses to take the last good backup of a plan, even when others are left that are not good', () => {
    const plan = planRemove({ ids: ['A', 'B'], force: false }, known);
    expect(plan.refusals).toEqual([{ code: 'refused', reason: expect.stringContaining('last good backup of plan p1 (B)'), nextStep: expect.stringContaining('--force') }]);
    expect(plan.affected).toEqual([{ planName: 'plan p1', newestGood: undefined, remaining: 2 }]);
  });

  it('takes it when forced, with a warning', () => {
    const plan = planRemove({ ids: ['E'], force: true }, known);
    expect(plan).toMatchObject({ refusals: [], removals: [{ backup: 'E' }], warnings: [expect.stringContaining('last good backup of plan p2')] });
  });

  it('lets bad backups go from a plan that has no good one', () => {
    expect(planRemove({ ids: ['X'], force: false }, [backup('X', 1, 'corrupted')]).refusals).toEqual([]);
  });

  it('refuses an id that is not there, and takes one id once', () => {
    expect(planRemove({ ids: ['Z'], force: true }, known).refusals).toEqual([{ code: 'not-found', reason: 'No backup Z is in this vault.', nextStep: expect.any(String) }]);
    expect(planRemove({ ids: ['A', 'A'], force: false }, known).removals).toHaveLength(1);
  });

  it('goes on with a removal that was begun, whose snapshot may be gone', () => {
    expect(planRemove({ ids: ['Z'], force: false }, known, [{ plan: 'p1', backup: 'Z' }]).removals).toEqual([{ plan: 'p1', backup: 'Z', reason: 'its removal was begun and not finished' }]);
  });
});

describe('removing', () => {
  async function vaultWithTwo() {
    const vault = memoryVault();
    const backups = new SmallBackups(vault.repository);
    const ids = [await backups.make(['one', 'two']), await backups.make(['two', 'three'])] as const;
    const known = ids.map((id, at) => backup(id, at, 'good', SMALL_PLAN));
    return { ...vault, ids, known };
  }
  const listed = async (store: Pick<Store, 'list'>, prefix: string) => (await Array.fromAsync(store.list(prefix))).map((object) => object.name);

  it('records who and why, sealed, and leaves the packs to prune', async () => {
    const { repository, store, ids, known } = await vaultWithTwo();
    const packs = await listed(store, 'packs/');
    await executeRemove(planRemove({ ids: [ids[0]], force: false }, known), repository, CAUSE);
    expect(await listed(store, 'snapshots/')).toEqual([names.snapshot(SMALL_PLAN, ids[1])]);
    expect(await listed(store, 'refs/')).toEqual([names.refs(SMALL_PLAN, ids[1], 0)]);
    expect(await listed(store, 'removed/')).toEqual([names.removed(SMALL_PLAN, ids[0])]);
    expect(Buffer.from(await store.get(names.removed(SMALL_PLAN, ids[0]))).toString('latin1')).not.toContain('operator');
    expect(await listed(store, 'packs/')).toEqual(packs);
  });

  it('killed anywhere, is finished by doing it again, or by prune', async () => {
    for (const finish of ['remove', 'prune'] as const) {
      for (const hasLanded of [false, true]) {
        for (let call = 0; ; call++) {
          const { repository, store, clock, ids, known } = await vaultWithTwo();
          const plan = planRemove({ ids: [ids[0]], force: false }, known);
          const wasKilled = await executeRemove(plan, { ...repository, store: killedAt(store, call, hasLanded) }, CAUSE).then(() => false, (error: unknown) => error instanceof Killed);
          if (!wasKilled) break;
          const wasBegun = (await listed(store, 'removed/')).length > 0;
          const unfinished = await findUnfinishedRemovals(store);
          if (finish === 'prune') await executePrune(planPrune(await readPruneState(store, repository)), store, { clock });
          else if (unfinished.length > 0 || !wasBegun) await executeRemove(planRemove({ ids: [ids[0]], force: false }, known, unfinished), repository, CAUSE);
          const isGone = finish === 'remove' || wasBegun;
          expect(await listed(store, 'refs/')).toEqual((isGone ? [ids[1]] : ids).map((id) => names.refs(SMALL_PLAN, id, 0)).sort());
          expect(await listed(store, 'snapshots/')).toEqual((isGone ? [ids[1]] : ids).map((id) => names.snapshot(SMALL_PLAN, id)).sort());
          expect(await findUnfinishedRemovals(store)).toEqual([]);
        }
      }
    }
  });

  it('does nothing when a part of it is refused', async () => {
    const { repository, store, ids, known } = await vaultWithTwo();
    const before = await listed(store, '');
    await expect(executeRemove(planRemove({ ids: [...ids], force: false }, known), repository, CAUSE)).rejects.toMatchObject({ code: 'refused', nextStep: expect.stringContaining('--force') });
    expect(await listed(store, '')).toEqual(before);
  });
});
