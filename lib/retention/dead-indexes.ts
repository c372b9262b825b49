import { isHoldfastError } from '../model/errors.ts';
import type { Repository } from '../repository/index.ts';
import { openIndex, packIdOf } from '../repository/index.ts';
import type { Expiry } from './prune-plan.ts';
import { BudgetedWork } from './work-budget.ts';
import type { WorkBudget } from './work-budget.ts';

export interface IndexState {
  readonly name: string;
  readonly packIds: readonly string[];
  readonly isMerged: boolean;
}

/**
 * Deletes indexes none of whose packs is left; how many. An index is only a cache, so this is never urgent: run it when
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

/** A merged index stays: it may stand for others that name living packs. */
export function planDeadIndexes(indexes: readonly IndexState[], listedPackIds: ReadonlySet<string>): Expiry[] {
  return indexes
    .filter((index) => !index.isMerged && index.packIds.every((id) => !listedPackIds.has(id)))
    .map(({ name, packIds }) => ({ name, reason: `all ${packIds.length} packs that it names are gone` }));
}

/** One after the other: an index can be large. One that does not open is left for verify to tell. */
async function readIndexes(repository: Repository): Promise<IndexState[]> {
  const states: IndexState[] = [];
  for await (const { name } of repository.store.list('index/')) {
    try {
      const { packs, supersedes } = openIndex(repository.keys, name, await repository.store.get(name));
      states.push({ name, packIds: packs.map((pack) => packIdOf(pack.name)), isMerged: supersedes.length > 0 });
    } catch (error) {
      if (!isHoldfastError(error, 'not-found') && !isHoldfastError(error, 'damaged')) throw error;
    }
  }
  return states;
}
