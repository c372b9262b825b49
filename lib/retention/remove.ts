import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { Repository } from '../repository/index.ts';
import { names, sealJson } from '../repository/index.ts';
import { keyOf } from './prune-state.ts';
import type { PlannedRemoval, RemovePlan, UnfinishedRemoval } from './remove-plan.ts';

/** Who removes backups and why; kept in the vault, sealed. */
export interface RemovalCause {
  readonly who: string;
  readonly why: string;
}

/** Removals that a kill left half done: their fact is there, and still a snapshot or refs. Names only, nothing is read. */
export async function findUnfinishedRemovals(store: Pick<Repository['store'], 'list'>): Promise<UnfinishedRemoval[]> {
  const removed = new Set<string>();
  for await (const { name } of store.list('removed/')) removed.add(keyOf(name));
  const leftovers = new Set<string>();
  for (const prefix of ['snapshots/', 'refs/']) {
    for await (const { name } of store.list(prefix)) if (removed.has(keyOf(name))) leftovers.add(keyOf(name));
  }
  return [...leftovers].map((key) => ({ plan: key.slice(0, key.indexOf('/')), backup: key.slice(key.indexOf('/') + 1) }));
}

/**
 * Carries out a plan: for each backup the fact that it is removed, then its snapshot, then its refs (format §12). Packs
 * that nothing names any more are left to prune. Repeatable after a kill anywhere. Fails as `refused` or `not-found`,
 * before anything is done, when the plan holds refusals.
 */
export async function executeRemove(plan: RemovePlan, repository: Repository, cause: RemovalCause, random?: (size: number) => Uint8Array): Promise<void> {
  const [refusal] = plan.refusals;
  if (refusal) throw new HoldfastError(refusal.code, refusal.reason, { nextStep: refusal.nextStep, data: { refusals: plan.refusals } });
  for (const removal of plan.removals) await removeOne(repository, removal, cause, random);
}

async function removeOne(repository: Repository, { plan, backup, reason }: PlannedRemoval, cause: RemovalCause, random?: (size: number) => Uint8Array): Promise<void> {
  const { store } = repository;
  await recordRemoval(repository, names.removed(plan, backup), { ...cause, reason }, random);
  await store.remove(names.snapshot(plan, backup));
  for await (const { name } of store.list(`refs/${plan}/`)) if (keyOf(name) === `${plan}/${backup}`) await store.remove(name);
}

async function recordRemoval(repository: Repository, name: string, cause: RemovalCause & { readonly reason: string }, random?: (size: number) => Uint8Array): Promise<void> {
  const fact = { format: 1, at: await repository.store.now(), ...cause };
  try {
    await repository.store.put(name, sealJson(repository.keys, 'verdict', name, fact, repository.cipher, random));
  } catch (error) {
    // The first removal's words stand; this one only finishes its work.
    if (!isHoldfastError(error, 'already-exists')) throw error;
  }
}
