import type { DatabaseRestorePlan, DatabaseRestoreReport } from '../../recovery/restore-database.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { LoadMode } from '../../sources/database-loader.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import { confirm } from '../confirm.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import { Progress } from '../progress.ts';
import type { Vault } from '../runtime.ts';
import { bytesInWords, counted, durationInWords, numberInWords } from '../words.ts';
import { openSingle } from '../wanted-backup.ts';

/** Tables that people see; `--json` has all. */
const SHOWN = 20;
const WORDS = { table: 'table', row: 'row' };

/** `holdfast restore ID [ENTRY] --to-database URL` or `--to-target NAME`. */
export async function restoreIntoDatabase(context: CommandContext, id: string, entries: readonly string[]): Promise<ExitCode> {
  const { options, surroundings } = context;
  if (entries.length > 1) throw new HoldfastError('usage', `${entries.length} entries were named, wanted at most one: a database comes from one archive.`);
  return withVault(context, async (vault) => {
    const { reader, notes } = await openSingle(context, vault, id);
    const plan = await context.runtime.planDatabaseRestore(vault, reader, {
      config: options.config, url: options['toDatabase'] as string | undefined, target: options['toTarget'] as string | undefined, passwordFile: options['passwordFile'] as string | undefined,
      isCreating: options['create'] === true, isCleaning: options['clean'] === true, isKeeping: options['keepExisting'] === true, isWithoutOwners: options['owner'] === false, entry: entries[0],
      tables: options['table'] as string[] | undefined, schemas: options['schema'] as string[] | undefined, jobs: options['jobs'] as number | undefined, signal: surroundings.signal,
    });
    if (options['dryRun'] === true) return dryRun(context, plan, notes);
    for (const { mode, existing, place, into } of plan.loads) {
      if (mode !== 'clean' || existing.objects === 0) continue;
      await confirm(context, into === undefined ? `${counted(existing.objects, 'object')} of the database ${place} will be dropped where the backup has them too:` : `${existing.objects} of ${into} will be changed to what they were:`, existing.tables);
    }
    return perform(context, vault, { plan, notes });
  });
}

const HOW: Readonly<Record<LoadMode, string>> = { create: 'a new database', empty: 'the empty database', clean: 'in place of what is there, the database', keep: 'beside what is there, the database' };

function dryRun({ output }: CommandContext, { backup, loads }: DatabaseRestorePlan, notes: readonly string[]): ExitCode {
  for (const { entry, bytes, place, into, mode, archive, client, server, existing, warnings } of loads) {
    output.result({ type: 'database-restore-plan', backup, entry, bytes, database: place, mode, archive, client, server, existing, warnings, notes }, () => [
      `Nothing was done. ${entry} (${bytesInWords(bytes)}, database ${archive.database} of server ${archive.server}, dumped by ${archive.dumpedBy}) would go into ${into ?? `${HOW[mode]} ${place}`} on server ${server}, by ${client}.`,
      ...(existing.objects > 0 ? [`  there now: ${into === undefined ? `${counted(existing.objects, 'object')}, among them ` : ''}${existing.tables.slice(0, SHOWN).join(', ') || 'no table'}`] : []),
      ...warnings.map((warning) => `  ${warning}`),
    ]);
  }
  return 0;
}

async function perform(context: CommandContext, vault: Vault, { plan, notes: earlier }: { readonly plan: DatabaseRestorePlan; readonly notes: readonly string[] }): Promise<ExitCode> {
  const { output, surroundings, options } = context;
  const progress = new Progress(surroundings, options['progress'] === true);
  const { reports, notes } = await context.runtime
    .restoreDatabase(vault, plan, { signal: surroundings.signal, onProgress: (state) => progress.show({ phase: 'restoring', ...state }) })
    .finally(() => progress.clear());
  for (const report of reports) output.result({ type: 'database-restore', ...report, notes: [...earlier, ...report.notes, ...notes] }, () => reportLines(output, report));
  const warnings = [...reports.flatMap((report) => report.warnings), ...notes];
  for (const warning of warnings) if (!output.isJson) output.warn(warning);
  return warnings.length > 0 ? 3 : 0;
}

function reportLines(output: Pick<Output, 'paint'>, { backup, database, bytes, tables, words = WORDS, notes, durationMilliseconds }: DatabaseRestoreReport): string[] {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const shown = tables.slice(0, SHOWN).map(({ schema, table, rows: count }) => `  ${schema}.${table}  ${counted(count, words.row)}`);
  const more = tables.length > SHOWN ? [`  and ${numberInWords(tables.length - SHOWN)} more; --json names all`] : [];
  return [`${output.paint('green', 'Restored')} ${backup} into ${database}: ${counted(tables.length, words.table)}, ${counted(rows, words.row)}, from ${bytesInWords(bytes)} of dump, in ${durationInWords(durationMilliseconds)}`, ...shown, ...more, ...notes.map((note) => `  ${note}`)];
}
