import { isHoldfastError } from '../model/errors.ts';
import { listAllKeptNotes, listSnapshots, listWal, parseWalObjectName, readManifest } from '../repository/index.ts';
import type { Manifest, Repository, WalEntry } from '../repository/index.ts';
import type { Store } from '../stores/store.ts';
import type { KeptBase, WalPrunePlan, WalState } from './wal-plan.ts';
import { BudgetedWork } from './work-budget.ts';
import type { WorkBudget } from './work-budget.ts';

/** Facts of a base backup, undefined of another backup: `readFacts` of the source. */
export type ReadFacts = (opened: { readonly manifest: Manifest }) => Promise<Omit<KeptBase, 'backup'> | undefined>;

/** `now`: the store's time, read before this. WAL is listed before snapshots, so that what is new in between counts for a base backup. */
export async function readWalState(repository: Repository, now: number, readFacts: ReadFacts): Promise<WalState> {
  const plans = new Set<string>();
  for await (const { name } of repository.store.list('wal/')) {
    const plan = parseWalObjectName(name)?.plan;
    if (plan !== undefined) plans.add(plan);
  }
  const entries: WalEntry[] = [];
  for (const plan of plans) entries.push(...(await listWal(repository.store, plan)));
  const notes = await listAllKeptNotes(repository.store);
  if (entries.length === 0) return { now, entries, notes, bases: [], unreadable: [] };
  const bases: KeptBase[] = [];
  const unreadable: string[] = [];
  for (const { name } of await listSnapshots(repository.store)) {
    try {
      const { manifest } = await readManifest(repository, name);
      const facts = await readFacts({ manifest });
      if (facts !== undefined) bases.push({ ...facts, backup: manifest.backup });
    } catch (error) {
      if (isHoldfastError(error, 'not-found')) continue;
      if (!isHoldfastError(error, 'damaged') && !isHoldfastError(error, 'wrong-key') && !isHoldfastError(error, 'unsupported-version')) throw error;
      unreadable.push(name);
    }
  }
  return { now, entries, notes, bases, unreadable };
}

export interface WalPruneResult {
  readonly deletedFiles: number;
  readonly bytesFreed: number;
}

/** Carries out a plan, once. May be killed anywhere and run again. */
export async function executeWalPrune({ deletions }: WalPrunePlan, store: Pick<Store, 'remove'>, options: WorkBudget): Promise<WalPruneResult> {
  let [deletedFiles, bytesFreed] = [0, 0];
  await new BudgetedWork(options).each(deletions, async ({ names, sizeBytes }) => {
    for (const name of names) await store.remove(name);
    deletedFiles += 1;
    bytesFreed += sizeBytes;
  });
  return { deletedFiles, bytesFreed };
}
