import { isHoldfastError } from '../../model/errors.ts';
import { rebuildCatalog } from '../../validation/rebuild-catalog.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { confirm } from '../confirm.ts';
import { isStack } from '../runtime.ts';
import type { Vault } from '../runtime.ts';
import { counted } from '../words.ts';

/** Everything that a catalog can know again from the vault; what lived only here (runs, restores) is gone, and that is said. */
export async function run(context: CommandContext): Promise<ExitCode> {
  const { output, options, runtime } = context;
  return withVault(context, async (vault) => {
    const history = isStack(runtime) ? await historyOf(vault) : undefined;
    if (options['dryRun'] === true) return dryRun(context, history);
    // A stack's catalog is also the memory of what ran there, for everybody.
    if (history !== undefined && history.runs + history.restores > 0) await confirm(context, `The history of ${inWords(history)} of this stack will be forgotten; backups, plans and what was verified are read again from its vaults:`, []);
    const { plans, backups, validations, unreadable, notes } = await rebuild(vault);
    output.result({ type: 'catalog-rebuilt', plans, backups, validations, unreadable, notes }, () => [`The catalog has ${counted(backups, 'backup')} of ${counted(plans, 'plan')} again, as the vault says.`, ...notes]);
    for (const { name, problem } of unreadable) output.warn(`${name} is not listed: ${problem}`);
    return unreadable.length > 0 ? 3 : 0;
  });
}

interface History {
  readonly runs: number;
  readonly restores: number;
}

const COUNTED = 10_000;

/** Nothing, when the catalog is too broken to say. */
async function historyOf(vault: Vault): Promise<History> {
  const catalog = await vault.catalog();
  const [runs, restores] = await Promise.all([catalog.listRuns({ limit: COUNTED }), catalog.listRestores({ limit: COUNTED })]).catch((error: unknown) => {
    if (!isHoldfastError(error, 'damaged')) throw error;
    return [[], []];
  });
  return { runs: runs.length, restores: restores.length };
}

function inWords({ runs, restores }: History): string {
  return `${counted(runs, 'run')} and ${counted(restores, 'restore')}`;
}

function dryRun({ output }: CommandContext, history: History | undefined): ExitCode {
  output.result({ type: 'catalog-rebuild-plan', forgets: history ?? null }, () => [`Nothing was done. Backups, plans and what was verified would be read again from the vault${history === undefined ? '; runs and restores would be forgotten' : `, and ${inWords(history)} would be forgotten`}.`]);
  return 0;
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
