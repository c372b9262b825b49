import type { DatabaseRestorePlan, DatabaseRestoreReport } from '../../recovery/restore-database.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import { confirm } from '../confirm.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import { Progress } from '../progress.ts';
import type { Vault } from '../runtime.ts';
import { bytesInWords, counted, durationInWords, numberInWords } from '../words.ts';
import { openWanted } from '../wanted-backup.ts';

/** Tables that people see; `--json` has all. */
const SHOWN = 20;

/** `holdfast restore ID [ENTRY] --to-database URL` or `--to-target NAME`. */
export async function restoreIntoDatabase(context: CommandContext, id: string, entries: readonly string[]): Promise<ExitCode> {
  const { options, surroundings } = context;
  if (entries.length > 1) throw new HoldfastError('usage', `${entries.length} entries were named, wanted at most one: a database comes from one archive.`);
  return withVault(context, async (vault) => {
    const reader = await openWanted(context, vault, id);
    const plan = await context.runtime.planDatabaseRestore(vault, reader, {
      config: options.config, url: options['toDatabase'] as string | undefined, target: options['toTarget'] as string | undefined, passwordFile: options['passwordFile'] as string | undefined,
      isCreating: options['create'] === true, isCleaning: options['clean'] === true, isWithoutOwners: options['owner'] === false, entry: entries[0], signal: surroundings.signal,
    });
    if (options['dryRun'] === true) return dryRun(context, plan);
    if (plan.target.mode === 'clean' && plan.existing.objects > 0) await confirm(context, `${counted(plan.existing.objects, 'object')} of the database ${nameOf(plan)} will be dropped where the backup has them too:`, plan.existing.tables);
    return perform(context, vault, { reader, plan });
  });
}

const HOW: Readonly<Record<DatabaseRestorePlan['target']['mode'], string>> = { create: 'a new database', empty: 'the empty database', clean: 'in place of what is there, the database' };

function dryRun({ output }: CommandContext, plan: DatabaseRestorePlan): ExitCode {
  const { backup, entry, bytes, header, client, server, existing, warnings, target } = plan;
  const json = { type: 'database-restore-plan', backup, entry, bytes, database: nameOf(plan), mode: target.mode, archive: { server: header.server.text, dumpedBy: header.dumpedBy.text, database: header.database }, client: client.text, server: server.text, existing, warnings };
  output.result(json, () => [
    `Nothing was done. ${entry} (${bytesInWords(bytes)}, database ${header.database} of PostgreSQL ${header.server.text}, by pg_dump ${header.dumpedBy.text}) would go into ${HOW[target.mode]} ${nameOf(plan)} on PostgreSQL ${server.text}, by pg_restore ${client.text}.`,
    ...(existing.objects > 0 ? [`  there now: ${counted(existing.objects, 'object')}, among them ${existing.tables.slice(0, SHOWN).join(', ') || 'no table'}`] : []),
    ...warnings.map((warning) => `  ${warning}`),
  ]);
  return 0;
}

async function perform(context: CommandContext, vault: Vault, { reader, plan }: { readonly reader: SnapshotReader; readonly plan: DatabaseRestorePlan }): Promise<ExitCode> {
  const { output, surroundings, options } = context;
  const progress = new Progress(surroundings, options['progress'] === true);
  const { report, notes } = await context.runtime
    .restoreDatabase(vault, reader, plan, { signal: surroundings.signal, onProgress: (state) => progress.show({ phase: 'restoring', ...state }) })
    .finally(() => progress.clear());
  output.result({ type: 'database-restore', ...report, notes }, () => reportLines(output, report));
  for (const warning of [...report.warnings, ...notes]) if (!output.isJson) output.warn(warning);
  return report.warnings.length > 0 || notes.length > 0 ? 3 : 0;
}

function reportLines(output: Pick<Output, 'paint'>, { backup, database, bytes, tables, durationMilliseconds }: DatabaseRestoreReport): string[] {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const shown = tables.slice(0, SHOWN).map(({ schema, table, rows: count }) => `  ${schema}.${table}  ${counted(count, 'row')}`);
  const more = tables.length > SHOWN ? [`  and ${numberInWords(tables.length - SHOWN)} more; --json names all`] : [];
  return [`${output.paint('green', 'Restored')} ${backup} into ${database}: ${counted(tables.length, 'table')}, ${counted(rows, 'row')}, ${bytesInWords(bytes)}, in ${durationInWords(durationMilliseconds)}`, ...shown, ...more];
}

function nameOf({ target: { connection } }: DatabaseRestorePlan): string {
  return `${connection.database} at ${connection.host}:${connection.port}`;
}
