import { isHoldfastError } from '../model/errors.ts';
import type { Repository } from '../repository/index.ts';
import { openIndex, packIdOf } from '../repository/index.ts';
import type { Expiry } from './prune-plan.ts';
import { BudgetedWork } from './work-budget.ts';
import type { WorkBudget } from './work-budget.ts';

export interface IndexState {
  readonly name: string;
  /** Undefined: it does not open. */
  readonly packIds: readonly string[] | undefined;
  /** Names of index objects that it stands for. */
  readonly supersedes: readonly string[];
}

/**
 * Deletes indexes none of whose packs is left, and those that another one stands for; how many. An index is only a cache, so this is never urgent: run it when
 * prune has deleted packs. Needs the meta key.
 */
export async function removeDeadIndexes(repository: Repository, budget: WorkBudget): Promise<number> {
  const indexes = await readIndexes(repository);
  // Listed after the indexes were read: a pack that an index names was stored before it.
  const listed = new Set<string>();
  for await (const { name } of repository.store.list('packs/')) listed.add(packIdOf(name));
  let removed = 0;
  await new BudgetedWork(budget).each(planDeadIndexes(indexes, listed), async ({ name }) => {
    await repository.store.remove(name);
    removed++;
  });
  return removed;
}

/** What another index stands for goes; one that stands for others that are still there stays. */
export function planDeadIndexes(indexes: readonly IndexState[], listedPackIds: ReadonlySet<string>): Expiry[] {
  const names = new Set(indexes.map(({ name }) => name));
  const replacedBy = new Map(indexes.flatMap(({ name, supersedes }) => supersedes.map((superseded) => [superseded, name] as const)));
  return indexes.flatMap(({ name, packIds, supersedes }): Expiry[] => {
    const successor = replacedBy.get(name);
    if (successor !== undefined && successor !== name) return [{ name, reason: `${successor} stands for it` }];
    if (packIds === undefined || supersedes.some((superseded) => names.has(superseded)) || packIds.some((id) => listedPackIds.has(id))) return [];
    return [{ name, reason: `all ${packIds.length} packs that it names are gone` }];
  });
}

/** One after the other: an index can be large. One that does not open is for verify to tell, until another stands for it. */
async function readIndexes(repository: Repository): Promise<IndexState[]> {
  const states: IndexState[] = [];
  for await (const { name } of repository.store.list('index/')) {
    try {
      const { packs, supersedes } = openIndex(repository.keys, name, await repository.store.get(name));
      states.push({ name, packIds: packs.map((pack) => packIdOf(pack.name)), supersedes });
    } catch (error) {
      if (!isHoldfastError(error, 'not-found') && !isHoldfastError(error, 'damaged')) throw error;
      if (error.code === 'damaged') states.push({ name, packIds: undefined, supersedes: [] });
    }
  }
  return states;
}
