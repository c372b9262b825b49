import type { BackupRecord } from '../../catalog/records.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { listPlan, noBackupOf } from '../listed-backups.ts';
import { planNames } from '../plan-names.ts';
import { tableLines } from '../table.ts';
import { bytesInWords, numberInWords, timeInWords } from '../words.ts';
import { bringUpToDate } from '../up-to-date.ts';

/** For people; programs get everything. */
const SHOWN = 500;

/** `missing`: this machine has seen it in the vault, which does not show it any more. */
type ListedBackup = Omit<BackupRecord, 'state'> & { readonly state: BackupRecord['state'] | 'missing' };

export async function run(context: CommandContext): Promise<ExitCode> {
  return withVault(context, async (vault) => {
    const { output, options } = context;
    const plan = options['plan'] as string | undefined;
    const { exitCode, vanished } = await bringUpToDate(context, vault);
    const given = options['limit'] as number | undefined;
    const limit = given ?? (output.isJson ? Infinity : SHOWN);
    // One more than is shown tells whether there is more.
    const catalog = await vault.catalog();
    const known = await listPlan(catalog, plan === undefined ? [undefined] : planNames(plan, context), given ?? limit + 1);
    if (plan !== undefined && known.length === 0) throw await noBackupOf(plan, catalog, context);
    const backups = known.slice(0, limit).map((backup): ListedBackup => (vanished.has(backup.backupId) ? { ...backup, state: 'missing' } : backup));
    if (output.isJson) for (const backup of backups) output.result(jsonOf(backup), () => []);
    else output.result({}, () => (backups.length === 0 ? 'There is no backup yet.' : tableLines([{ head: 'ID' }, { head: 'FINISHED' }, { head: 'PLAN' }, { head: 'STATE' }, { head: 'FILES', align: 'right' }, { head: 'SIZE', align: 'right' }, { head: 'ADDED', align: 'right' }], backups.map(rowOf), (head) => output.paint('dim', head))));
    if (known.length > backups.length) output.note(`These are the newest ${numberInWords(backups.length)}: --limit N shows more, --json all of them.`);
    return exitCode;
  });
}

function rowOf(backup: ListedBackup): string[] {
  const state = backup.warnings > 0 ? `${backup.state}, ${backup.warnings} warning${backup.warnings === 1 ? '' : 's'}` : backup.state;
  return [backup.backupId, timeInWords(backup.finishedAt), shortened(backup.planName), state, numberInWords(backup.files), bytesInWords(backup.bytes), bytesInWords(backup.addedBytes)];
}

/** A plan of many paths has their list as its name. */
function shortened(name: string): string {
  return name.length <= 48 ? name : `${name.slice(0, 47)}…`;
}

function jsonOf({ backupId, type: kind, startedAt, finishedAt, ...rest }: ListedBackup): object {
  return { type: 'backup', backup: backupId, kind, ...rest, startedAt: new Date(startedAt).toISOString(), finishedAt: new Date(finishedAt).toISOString() };
}
