import { HoldfastError } from '../../model/errors.ts';
import type { OverwritePolicy } from '../../recovery/decision.ts';
import { valueOutcome } from '../../recovery/values/restore-values.ts';
import type { ValueRestoreReport } from '../../recovery/values/restore-values.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import { EXIT_CODE_OF } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import { Progress } from '../progress.ts';
import type { PlannedValuesRestore, Vault } from '../runtime.ts';
import { counted } from '../words.ts';
import { openSingle } from '../wanted-backup.ts';

/** `holdfast restore ID [PATTERNS] --to-aws URL`. Names are shown, values never. */
export async function restoreIntoServices(context: CommandContext, id: string, patterns: readonly string[]): Promise<ExitCode> {
  const { options, surroundings } = context;
  return withVault(context, async (vault) => {
    const { reader, notes } = await openSingle(context, vault, id);
    const overwrite = (options['overwrite'] as OverwritePolicy | undefined) ?? 'never';
    const planned = await context.runtime.planValuesRestore(vault, reader, { url: options['toAws'] as string, patterns, overwrite, signal: surroundings.signal });
    const { plan } = planned;
    if (plan.values.length === 0 && plan.damaged.length === 0) throw new HoldfastError('not-found', `Nothing ${patterns.length > 0 ? `that matches ${patterns.join(' ')} ` : ''}in the backup ${plan.backup} goes to ${plan.target}.`, { nextStep: `\`holdfast ls ${plan.backup} --recursive\` shows what it holds: parameters/… go to ssm:, secrets/… to secretsmanager:, files to a directory (--to).` });
    return options['dryRun'] === true ? dryRun(context, planned, notes) : perform(context, vault, { reader, planned, notes });
  });
}

function dryRun({ output }: CommandContext, { plan }: PlannedValuesRestore, notes: readonly string[]): ExitCode {
  for (const { action, name, reason } of plan.values) output.result({ type: 'planned', action, name, reason }, () => `${action.padEnd(12)} ${name}  (${reason})`);
  const { backup, target, leftOut, damaged, values } = plan;
  const totals = Object.fromEntries((['create', 'overwrite', 'undelete', 'skip', 'conflict'] as const).map((action) => [action, values.filter((value) => value.action === action).length]));
  output.result({ type: 'restore-plan', backup, target, totals, leftOut, damaged, notes }, () => ['', `Nothing was done. Into ${target}: ${Object.entries(totals).map(([action, count]) => `${action} ${count}`).join(', ')}.`]);
  return 0;
}

interface Chosen {
  readonly reader: SnapshotReader;
  readonly planned: PlannedValuesRestore;
  readonly notes: readonly string[];
}

async function perform(context: CommandContext, vault: Vault, { reader, planned, notes: earlier }: Chosen): Promise<ExitCode> {
  const { output, surroundings, options } = context;
  const progress = new Progress(surroundings, options['progress'] === true);
  const { report, notes } = await context.runtime
    .restoreValues(vault, reader, planned, { signal: surroundings.signal, onProgress: (state) => progress.show({ phase: 'restoring', ...state }) })
    .finally(() => progress.clear());
  const outcome = valueOutcome(report);
  output.result({ type: 'value-restore', ...report, outcome: outcome ?? 'done', notes: [...earlier, ...notes] }, () => reportLines(output, report));
  for (const note of notes) if (!output.isJson) output.warn(note);
  if (outcome === 'damaged') return EXIT_CODE_OF.damaged;
  return outcome === undefined && notes.length === 0 ? 0 : 3;
}

function reportLines(output: Pick<Output, 'paint'>, report: ValueRestoreReport): string[] {
  const { backup, target, written, same, conflicts, damaged, leftOut, withoutRotation } = report;
  return [
    `${valueOutcome(report) === undefined ? output.paint('green', 'Restored') : output.paint('yellow', 'Restored in part')} ${backup} into ${target}: ${counted(written, 'value')}; each was found there as it was sent`,
    ...(same > 0 ? [`  ${counted(same, 'value')} left as they are: the same type and value are there`] : []),
    ...(conflicts.length > 0 ? [`  ${output.paint('yellow', 'differs')}: ${counted(conflicts.length, 'value')} left as they are`, ...conflicts.map((name) => `    ${name}`), '  next: `--overwrite changed` replaces what differs, or restore under another prefix'] : []),
    ...(withoutRotation.length > 0 ? [`  rotation was on and is not switched on: ${withoutRotation.join(', ')}`] : []),
    ...(leftOut > 0 ? [`  ${counted(leftOut, 'entry', 'entries')} left out: they are no ${target.startsWith('ssm:') ? 'parameters' : 'secrets'}, or a service owns them`] : []),
    ...damaged.map(({ name, message }) => `  ${output.paint('red', 'not restored')} ${name}: ${message}`),
  ];
}
