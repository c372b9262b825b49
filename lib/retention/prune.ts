import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { newUlid } from '../model/ids.ts';
import type { Ruling } from '../repository/index.ts';
import { encodeMark, encodeRuling, names, packIdOf, readRuling, rulingNameOf } from '../repository/index.ts';
import type { Store } from '../stores/store.ts';
import type { Clearing, PlannedRuling, PrunePlan } from './prune-plan.ts';
import { BudgetedWork } from './work-budget.ts';
import type { WorkBudget } from './work-budget.ts';

export interface PruneResult {
  readonly expired: number;
  readonly doomed: number;
  readonly spared: number;
  readonly deletedPacks: number;
  readonly bytesFreed: number;
  readonly cleared: number;
  readonly marked: number;
  /** False when the time allowed was used up; the next prune goes on. */
  readonly isComplete: boolean;
}

export interface PruneOptions extends WorkBudget {
  /** For the names of marks; default: the operating system's generator. */
  readonly random?: (size: number) => Uint8Array;
}

type PruningStore = Pick<Store, 'put' | 'get' | 'list' | 'remove'>;

/**
 * Carries out a plan, once. Holds no lock and needs no key. May be killed anywhere and run again, also by several at
 * once and late: every step is safe at any later time, because names of marks are used once and rulings are written
 * once. Fails as `refused` when the plan has blockers.
 */
export async function executePrune(plan: PrunePlan, store: PruningStore, options: PruneOptions): Promise<PruneResult> {
  refuseIfBlocked(plan);
  const work = new BudgetedWork(options);
  const done = { expired: 0, doomed: 0, spared: 0, deletedPacks: 0, bytesFreed: 0, cleared: 0, marked: 0 };
  // Snapshots before refs, so that none is ever without its list of packs.
  for (const isSnapshot of [true, false]) {
    await work.each(plan.expired.filter(({ name }) => name.startsWith('snapshots/') === isSnapshot), async ({ name }) => {
      await store.remove(name);
      done.expired++;
    });
  }
  const rulings = new Map<string, Ruling>();
  await work.each(plan.rulings, async (planned) => {
    const ruling = await rule(store, planned);
    if (ruling) rulings.set(planned.mark, ruling);
    if (ruling) done[ruling]++;
  });
  await deletePacks(plan, rulings, store, work, (sizeBytes) => {
    done.deletedPacks++;
    done.bytesFreed += sizeBytes;
  });
  await clearMarks(plan, store, work, () => done.cleared++);
  await work.each(plan.marks, async ({ pack }) => {
    await store.put(names.condemned(packIdOf(pack), newUlid(plan.at, options.random)), encodeMark(pack));
    done.marked++;
  });
  return { ...done, isComplete: work.isComplete };
}

function refuseIfBlocked(plan: PrunePlan): void {
  const [first] = plan.blockers;
  if (!first) return;
  const others = plan.blockers.length > 1 ? ` (and ${plan.blockers.length - 1} more)` : '';
  throw new HoldfastError('refused', `Prune stops: ${first.name}${others}: ${first.reason}.`, { nextStep: first.nextStep, data: { blockers: plan.blockers } });
}

/** The ruling that holds: ours, or that of whoever was first. Undefined when it was cleared meanwhile. */
async function rule(store: PruningStore, planned: PlannedRuling): Promise<Ruling | undefined> {
  try {
    await store.put(rulingNameOf(planned.mark), encodeRuling(planned.ruling));
    return planned.ruling;
  } catch (error) {
    if (!isHoldfastError(error, 'already-exists')) throw error;
    return readRuling(store, planned.mark);
  }
}

/**
 * A ruling counts only for a mark that is still there after the ruling was read. Otherwise ours may have come so late
 * that another one was made, obeyed and cleared before it, and the pack may be in use again.
 */
async function deletePacks(plan: PrunePlan, rulings: ReadonlyMap<string, Ruling>, store: PruningStore, work: BudgetedWork, onDeleted: (sizeBytes: number) => void): Promise<void> {
  const doomed = plan.deletions.filter(({ mark, isRuled }) => isRuled || rulings.get(mark) === 'doomed');
  if (doomed.length === 0) return;
  const standing = await standingMarks(store);
  await work.each(doomed.filter(({ mark }) => standing.has(mark)), async ({ pack, sizeBytes }) => {
    await store.remove(pack);
    onDeleted(sizeBytes);
  });
}

/** Mark before ruling: a mark left without its ruling could be ruled on again. */
async function clearMarks(plan: PrunePlan, store: PruningStore, work: BudgetedWork, onCleared: () => void): Promise<void> {
  if (plan.cleared.length === 0) return;
  const standing = plan.cleared.some(({ isOrphan }) => isOrphan) ? await standingMarks(store) : new Set<string>();
  const isSafe = ({ isOrphan, mark }: Clearing) => !isOrphan || !standing.has(mark);
  await work.each(plan.cleared.filter(isSafe), async ({ mark, ruling, isOrphan }) => {
    if (!isOrphan) await store.remove(mark);
    await store.remove(ruling);
    onCleared();
  });
}

async function standingMarks(store: PruningStore): Promise<Set<string>> {
  const standing = new Set<string>();
  for await (const { name } of store.list('condemned/')) standing.add(name);
  return standing;
}
