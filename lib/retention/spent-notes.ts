import { readCoverage } from '../repository/index.ts';
import type { Repository } from '../repository/index.ts';
import { isUnwritable } from '../stores/read-only.ts';

/** Removes notes of what was read that a newer one holds everything of (format §9): never urgent, and never a loss. */
export async function removeSpentNotes(repository: Repository): Promise<void> {
  const { superseded } = await readCoverage(repository, await repository.store.now());
  await removeNotes(repository.store, superseded);
}

/** Who may write and not delete, as the verifier of a stack, leaves them to prune: they say nothing new. */
export async function removeNotes(store: Pick<Repository['store'], 'remove'>, names: readonly string[]): Promise<void> {
  try {
    for (const name of names) await store.remove(name);
  } catch (error) {
    if (!isUnwritable(error)) throw error;
  }
}
