import { isHoldfastError } from '../../model/errors.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Vault } from '../runtime.ts';
import { counted } from '../words.ts';

/** Everything that a catalog can know again from the vault; what lived only here (runs, restores) is gone, and that is said. */
export async function run(context: CommandContext): Promise<ExitCode> {
  const { runtime, output } = context;
  return withVault(context, async (vault) => {
    await empty(vault);
    const { added, unreadable } = await runtime.synchroniseCatalog(vault);
    output.result({ type: 'catalog-rebuilt', backups: added, unreadable }, () => [`The catalog has ${counted(added, 'backup')} again, as the vault says. The history of runs and restores on this machine began anew.`]);
    for (const name of unreadable) output.warn(`${name} does not open and is not listed: run \`holdfast verify\`.`);
    return unreadable.length > 0 ? 3 : 0;
  });
}

async function empty(vault: Vault): Promise<void> {
  const nothing = { plans: [], backups: [], validations: [] };
  try {
    await (await vault.catalog()).replaceAll(nothing);
  } catch (error) {
    if (!isHoldfastError(error, 'damaged') && !isHoldfastError(error, 'unsupported-version')) throw error;
    await vault.discardCatalog();
    await (await vault.catalog()).replaceAll(nothing);
  }
}
