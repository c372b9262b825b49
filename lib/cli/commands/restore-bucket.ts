import { display } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { OverwritePolicy } from '../../recovery/decision.ts';
import { objectOutcome } from '../../recovery/objects/restore-objects.ts';
import type { ObjectRestoreReport } from '../../recovery/objects/restore-objects.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import { EXIT_CODE_OF } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import { Progress } from '../progress.ts';
import type { PlannedBucketRestore, Vault } from '../runtime.ts';
import { bytesInWords, counted, durationInWords, numberInWords } from '../words.ts';
import { openSingle } from '../wanted-backup.ts';

/** Keys that people see; `--json` has those that were told. */
const SHOWN = 10;

/** `holdfast restore ID [PATTERNS] --to-bucket URL`. */
export async function restoreIntoBucket(context: CommandContext, id: string, patterns: readonly string[]): Promise<ExitCode> {
  const { options, surroundings } = context;
  return withVault(context, async (vault) => {
    const { reader, notes } = await openSingle(context, vault, id);
    const overwrite = (options['overwrite'] as OverwritePolicy | undefined) ?? 'never';
    const planned = await context.runtime.planBucketRestore(vault, reader, { url: options['toBucket'] as string, patterns, overwrite, signal: surroundings.signal });
    refuseNothing(planned, patterns);
    return options['dryRun'] === true ? dryRun(context, planned, notes) : perform(context, vault, { reader, planned, notes });
  });
}

function refuseNothing({ plan }: PlannedBucketRestore, patterns: readonly string[]): void {
  if (plan.leftOut > 0 || Object.values(plan.totals).some(({ objects }) => objects > 0)) return;
  throw new HoldfastError('not-found', patterns.length > 0 ? `Nothing in the backup ${plan.backup} matches ${patterns.join(' ')}.` : `The backup ${plan.backup} holds no file and no object.`, { nextStep: `\`holdfast ls ${plan.backup}\` shows what it holds.` });
}

async function dryRun({ output }: CommandContext, { plan, objects }: PlannedBucketRestore, notes: readonly string[]): Promise<ExitCode> {
  for await (const { action, key, bytes, reason } of objects()) output.result({ type: 'planned', action, key: display(key), bytes, reason }, () => `${action.padEnd(12)} ${display(key)}  (${reason})`);
  const { totals, backup, target, leftOut } = plan;
  output.result({ type: 'restore-plan', backup, target, totals, leftOut, notes }, () => ['', `Nothing was done. Into ${target}: ${Object.entries(totals).map(([action, { objects: count }]) => `${action} ${count}`).join(', ')}; ${bytesInWords(totals.create.bytes + totals.overwrite.bytes)}.`]);
  return 0;
}

interface Chosen {
  readonly reader: SnapshotReader;
  readonly planned: PlannedBucketRestore;
  readonly notes: readonly string[];
}

async function perform(context: CommandContext, vault: Vault, { reader, planned, notes: earlier }: Chosen): Promise<ExitCode> {
  const { output, surroundings, options } = context;
  const progress = new Progress(surroundings, options['progress'] === true);
  const { report, notes } = await context.runtime
    .restoreBucket(vault, reader, planned, { signal: surroundings.signal, onProgress: (state) => progress.show({ phase: 'restoring', ...state }) })
    .finally(() => progress.clear());
  const outcome = objectOutcome(report);
  output.result({ type: 'bucket-restore', ...report, outcome: outcome ?? 'done', notes: [...earlier, ...notes] }, () => reportLines(output, report));
  for (const note of notes) if (!output.isJson) output.warn(note);
  if (outcome === 'damaged') return EXIT_CODE_OF.damaged;
  return outcome === undefined && report.leftOut === 0 && notes.length === 0 ? 0 : 3;
}

function reportLines(output: Pick<Output, 'paint'>, report: ObjectRestoreReport): string[] {
  const { backup, target, written, bytes, same, conflicts, conflictCount, damaged, leftOut, durationMilliseconds } = report;
  const isWhole = objectOutcome(report) === undefined;
  return [
    `${isWhole ? output.paint('green', 'Restored') : output.paint('yellow', 'Restored in part')} ${backup} into ${target}: ${counted(written, 'object')}, ${bytesInWords(bytes)}, in ${durationInWords(durationMilliseconds)}; each was found there as it was sent`,
    ...(same > 0 ? [`  ${counted(same, 'object')} left as they are: the same ETag and size are there`] : []),
    ...(conflictCount > 0 ? [`  ${output.paint('yellow', 'differs')}: ${counted(conflictCount, 'object')} left as they are`, ...shown(conflicts, conflictCount), '  next: `--overwrite changed` replaces what differs, or restore under another prefix'] : []),
    ...(leftOut > 0 ? [`  ${counted(leftOut, 'entry', 'entries')} left out: links, special files, and what was not readable when the backup was made`] : []),
    ...damaged.slice(0, SHOWN).map(({ key, message }) => `  ${output.paint('red', 'not restored')} ${key}: ${message}`),
  ];
}

function shown(keys: readonly string[], count: number): string[] {
  const lines = keys.slice(0, SHOWN).map((key) => `    ${key}`);
  return count > SHOWN ? [...lines, `    and ${numberInWords(count - SHOWN)} more`] : lines;
}
