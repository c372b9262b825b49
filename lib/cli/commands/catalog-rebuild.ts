import { isHoldfastError } from '../../model/errors.ts';
import { rebuildCatalog } from '../../validation/rebuild-catalog.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Vault } from '../runtime.ts';
import { counted } from '../words.ts';

/** Everything that a catalog can know again from the vault; what lived only here (runs, restores) is gone, and that is said. */
export async function run(context: CommandContext): Promise<ExitCode> {
  const { output } = context;
  return withVault(context, async (vault) => {
    const { plans, backups, validations, unreadable, notes } = await rebuild(vault);
    output.result({ type: 'catalog-rebuilt', plans, backups, validations, unreadable, notes }, () => [`The catalog has ${counted(backups, 'backup')} of ${counted(plans, 'plan')} again, as the vault says.`, ...notes]);
    for (const { name, problem } of unreadable) output.warn(`${name} is not listed: ${problem}`);
    return unreadable.length > 0 ? 3 : 0;
  });
}

/** A broken file cannot even be emptied: it is put aside. */
async function rebuild(vault: Vault): ReturnType<typeof rebuildCatalog> {
  const repositories = (await vault.repositories?.()) ?? vault.repository;
  try {
    return await rebuildCatalog(repositories, await vault.catalog());
  } catch (error) {
    if (!isHoldfastError(error, 'damaged') && !isHoldfastError(error, 'unsupported-version')) throw error;
    await vault.discardCatalog();
    return rebuildCatalog(repositories, await vault.catalog());
  }
}
