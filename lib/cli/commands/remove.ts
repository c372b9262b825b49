import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { BackupId } from '../../model/ids.ts';
import { listSnapshots } from '../../repository/index.ts';
import { executeRemove, findUnfinishedRemovals } from '../../retention/remove.ts';
import { planRemove } from '../../retention/remove-plan.ts';
import type { RemovableBackup, RemovePlan } from '../../retention/remove-plan.ts';
import { standingOf } from '../../retention/standing.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { listOf, withVault } from '../command.ts';
import { confirm } from '../confirm.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Vault } from '../runtime.ts';
import { findWanted } from '../wanted-backup.ts';
import { counted } from '../words.ts';

export async function run(context: CommandContext, [ids]: CommandArguments): Promise<ExitCode> {
  const { options, output, surroundings } = context;
  return withVault(context, async (vault) => {
    const unfinished = await findUnfinishedRemovals(vault.repository.store);
    const chosen = await Promise.all(listOf(ids).map((id) => choose(context, vault, id, unfinished)));
    const wanted = chosen.map(({ id }) => id);
    const plan = planRemove({ ids: wanted, force: options['force'] === true }, await readBackups(vault, wanted), unfinished);
    const isDryRun = options['dryRun'] === true;
    output.result({ type: 'remove-plan', ...plan, dryRun: isDryRun, notes: chosen.flatMap(({ notes }) => notes) }, () => planLines(plan));
    const [refusal] = plan.refusals;
    if (refusal) throw new HoldfastError(refusal.code, refusal.reason, { nextStep: refusal.nextStep });
    if (isDryRun) return 0;
    await confirm(context, `${counted(plan.removals.length, 'backup')} will be removed from ${vault.directory}.`, plan.warnings);
    await executeRemove(plan, vault.repository, { who: surroundings.userName, why: (options['reason'] as string | undefined) ?? '' });
    await tellCatalog(context, vault, plan);
    output.result({ type: 'removed', backups: plan.removals.map(({ backup }) => backup) }, () => `Removed ${counted(plan.removals.length, 'backup')}. \`holdfast prune\` frees the space in two steps, 24 hours apart.`);
    return 0;
  });
}

/** The whole id of what was named. */
async function choose(context: CommandContext, vault: Vault, named: string, unfinished: readonly { readonly backup: string }[]): Promise<{ readonly id: string; readonly notes: readonly string[] }> {
  const begun = unfinished.filter(({ backup }) => backup.startsWith(named.toUpperCase()));
  if (begun.length === 1) return { id: (begun[0] as { backup: string }).backup, notes: [] };
  const { name, notes } = await findWanted(context, vault, named);
  return { id: idOf(name), notes };
}

/** All backups of the plans that are touched: removal must know whether the last good one goes. */
async function readBackups(vault: Vault, wanted: readonly string[]): Promise<RemovableBackup[]> {
  const { repository } = vault;
  const snapshots = await listSnapshots(repository.store);
  const plans = new Set(snapshots.filter(({ name }) => wanted.includes(idOf(name))).map(({ name }) => name.split('/')[1]));
  const packSizes = new Map<string, number>();
  for await (const { name, size } of repository.store.list('packs/')) packSizes.set(name, size);
  const backups: RemovableBackup[] = [];
  for (const snapshot of snapshots) {
    const plan = snapshot.name.split('/')[1] ?? '';
    if (!plans.has(plan)) continue;
    const { standing, manifest } = await standingOf(repository, snapshot, packSizes);
    backups.push({ plan, planName: manifest?.planName ?? plan, backup: idOf(snapshot.name), storedAt: snapshot.storedAt, standing });
  }
  return backups;
}

function planLines(plan: RemovePlan): string[] {
  return [
    ...plan.removals.map(({ backup, reason }) => `remove ${backup}: ${reason}`),
    ...plan.affected.map(({ planName, remaining, newestGood }) => `  ${planName} keeps ${counted(remaining, 'backup')}${newestGood === undefined ? ', none of them good' : `; the newest good one is ${newestGood}`}`),
    ...plan.warnings,
  ];
}

async function tellCatalog({ output }: CommandContext, vault: Vault, plan: RemovePlan): Promise<void> {
  for (const { backup } of plan.removals) {
    await (await vault.catalog()).setBackupState(backup as BackupId, 'expired').catch((error: unknown) => {
      if (!isHoldfastError(error)) throw error;
      // Another machine's backup may never have been in this catalog.
      if (error.code !== 'not-found') output.warn(`The catalog could not be written: ${error.message}`);
    });
  }
}

function idOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
