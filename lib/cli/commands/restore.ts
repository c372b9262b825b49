import { resolve } from 'node:path';
import { HoldfastError } from '../../model/errors.ts';
import { display } from '../../model/byte-string.ts';
import { outcomeOf, planRestore, plannedEntries, spaceWarning } from '../../recovery/restore.ts';
import type { OverwritePolicy, RestorePlan } from '../../recovery/restore.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { listOf, textOf, withVault } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT_CODE_OF } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { Progress } from '../progress.ts';
import { isStack } from '../runtime.ts';
import type { Vault } from '../runtime.ts';
import { bytesInWords, counted } from '../words.ts';
import { openWanted } from '../wanted-backup.ts';
import { restoreJson, restoreLines } from './restore-report.ts';

const PLACES = { to: '--to', toBucket: '--to-bucket', toAws: '--to-aws', toDatabase: '--to-database', toTarget: '--to-target', toDataDirectory: '--to-data-directory' } as const;
type Place = keyof typeof PLACES;
/** Options that mean something with some places only. */
const MEANT_FOR: readonly { readonly places: readonly Place[]; readonly what: string; readonly flags: Readonly<Record<string, string>> }[] = [
  { places: ['to', 'toBucket', 'toAws'], what: 'directories, buckets, parameters and secrets', flags: { overwrite: '--overwrite' } },
  { places: ['to'], what: 'directories', flags: { deleteExtra: '--delete-extra', threads: '--threads' } },
  { places: ['toDatabase', 'toTarget'], what: 'databases', flags: { create: '--create', clean: '--clean', keepExisting: '--keep-existing', passwordFile: '--password-file', table: '--table', schema: '--schema', jobs: '--jobs' } },
  { places: ['toDataDirectory'], what: 'data directories', flags: { toTime: '--to-time', toLsn: '--to-lsn', toName: '--to-name', toLatest: '--to-latest', immediate: '--immediate', timeline: '--timeline', targetAction: '--target-action', restoreCommand: '--restore-command', start: '--start', keepArchiving: '--keep-archiving' } },
];

/** One place to restore to, and no option that means nothing there. */
export function check(options: CommandContext['options']): void {
  const given = (Object.keys(PLACES) as Place[]).filter((name) => options[name] !== undefined);
  const [place] = given;
  if (place === undefined || given.length > 1) throw new HoldfastError('usage', `${given.length === 0 ? 'No target was given' : `${given.map((name) => PLACES[name]).join(' and ')} were given`}, wanted one of ${Object.values(PLACES).join(', ')}.`, { nextStep: 'For example: `holdfast restore latest --to /tmp/restored`.' });
  for (const { places, what, flags } of MEANT_FOR.filter((row) => !row.places.includes(place))) {
    const stray = Object.keys(flags).find((name) => options[name] !== undefined);
    if (stray !== undefined) throw new HoldfastError('usage', `${flags[stray]} means nothing with ${PLACES[place]}: it is for ${what} (${places.map((name) => PLACES[name]).join(', ')}).`);
  }
}

export async function run(context: CommandContext, [id, patterns]: CommandArguments): Promise<ExitCode> {
  const { options, surroundings } = context;
  const { signal } = surroundings;
  if (isStack(context.runtime) && typeof options['toTarget'] === 'string') return (await import('./stack-restore.ts')).restoreInStack(context, context.runtime, { id: textOf(id), target: options['toTarget'], select: listOf(patterns) });
  if (options['toDataDirectory'] !== undefined) return (await import('./restore-data-directory.ts')).restoreIntoDataDirectory(context, textOf(id), listOf(patterns));
  if (options['toAws'] !== undefined) return (await import('./restore-values.ts')).restoreIntoServices(context, textOf(id), listOf(patterns));
  if (options['toBucket'] !== undefined) return (await import('./restore-bucket.ts')).restoreIntoBucket(context, textOf(id), listOf(patterns));
  if (options['to'] === undefined) return (await import('./restore-database.ts')).restoreIntoDatabase(context, textOf(id), listOf(patterns));
  return withVault(context, async (vault) => {
    const { reader, notes } = await openWanted(context, vault, textOf(id));
    const target = resolve(surroundings.workingFolder, options['to'] as string);
    const overwrite = (options['overwrite'] as OverwritePolicy | undefined) ?? 'never';
    const plan = await planRestore(reader, { target, patterns: listOf(patterns), overwrite, deleteExtra: options['deleteExtra'] === true, signal });
    refuseNothing(plan);
    const warning = spaceWarning(plan);
    if (warning !== undefined && !context.output.isJson) context.output.warn(warning);
    if (options['dryRun'] === true) return dryRun(context, { reader, plan, notes });
    const deletions = plan.totals['delete-extra'].entries;
    if (deletions > 0) await confirm(context, `${counted(deletions, 'entry', 'entries')} below ${target} that the backup does not have will be deleted:`, namesOf(plan));
    return perform(context, vault, { reader, plan, notes });
  });
}

function refuseNothing(plan: RestorePlan): void {
  const isNothing = Object.values(plan.totals).every(({ entries }) => entries === 0);
  if (isNothing && plan.patterns.length > 0 && plan.treeDamage.length === 0) throw new HoldfastError('not-found', `Nothing in the backup ${plan.backup} matches ${plan.patterns.join(' ')}.`, { nextStep: `Patterns start at the top of the backup: \`holdfast ls ${plan.backup}\` shows it.` });
}

function namesOf(plan: RestorePlan): string[] {
  return [...plan.exceptions.values()].filter(({ action }) => action === 'delete-extra').map(({ path }) => display(path));
}

interface Chosen {
  readonly reader: SnapshotReader;
  readonly plan: RestorePlan;
  /** About the choice of the backup. */
  readonly notes: readonly string[];
}

async function dryRun({ output }: CommandContext, { reader, plan, notes }: Chosen): Promise<ExitCode> {
  for await (const { action, path, bytes, reason } of plannedEntries(reader, plan)) output.result({ type: 'planned', action, path: display(path), bytes, reason }, () => `${action.padEnd(12)} ${display(path) || '.'}  (${reason})`);
  const { totals } = plan;
  output.result({ type: 'restore-plan', backup: plan.backup, target: plan.target, totals, notes }, () => ['', `Nothing was done. Into ${plan.target}: ${Object.entries(totals).map(([action, total]) => `${action} ${total.entries}`).join(', ')}; ${bytesInWords(totals.create.bytes + totals.overwrite.bytes)}.`]);
  return plan.treeDamage.length > 0 ? 12 : 0;
}

async function perform(context: CommandContext, vault: Vault, { reader, plan, notes: earlier }: Chosen): Promise<ExitCode> {
  const { options, surroundings, output } = context;
  const progress = new Progress(surroundings, options['progress'] === true);
  const threads = options['threads'] as number | undefined;
  const { report, notes } = await context.runtime
    .restore(vault, reader, plan, {
      signal: surroundings.signal,
      onProgress: (state) => progress.show({ phase: 'restoring', ...state }),
      ...(threads === undefined ? {} : { threads }),
      ...(options['owner'] === false ? { restoreOwner: false } : {}),
    })
    .finally(() => progress.clear());
  const outcome = outcomeOf(report);
  output.result(restoreJson(report, [...earlier, ...notes]), () => restoreLines(output, report, plan.overwrite));
  for (const warning of [...report.warnings, ...notes]) if (!output.isJson) output.warn(warning);
  if (outcome === undefined) return report.warnings.length > 0 || notes.length > 0 ? 3 : 0;
  // Something stood in the way of single entries, or differs and was left: the rest is there.
  return outcome === 'target-exists' ? 3 : EXIT_CODE_OF[outcome];
}
