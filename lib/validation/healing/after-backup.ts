import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { Repository } from '../../repository/index.ts';
import type { HealingOptions } from './heal.ts';
import { healVault } from './heal-vault.ts';
import type { HealingReport } from './heal-vault.ts';

/** What became of the healing that follows a backup; the backup stands whatever it is. Left: who backed up may not read content. */
export type HealingOutcome = HealingAttempt | { readonly isLeft: true };
export type HealingAttempt = { readonly report: HealingReport } | { readonly problem: HoldfastError };

/**
 * The backup before this one stored anew what its source still had of damaged packs: now older backups can have it back.
 * Never throws what the vault, the store or a signal say: a backup that is made is not undone by it.
 */
export async function healAfterBackup(repository: Repository, options: HealingOptions): Promise<HealingAttempt> {
  try {
    return { report: await healVault(repository, options) };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return { problem: error };
  }
}
