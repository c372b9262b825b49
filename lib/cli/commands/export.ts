import { lstatSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { display, fromText } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import { systemProcesses } from '../../model/process-owner.ts';
import type { ExportLeftover } from '../../recovery/export/export-leftovers.ts';
import { planExport } from '../../recovery/export/export-plan.ts';
import type { ExportPlan, ExportTarget } from '../../recovery/export/export-plan.ts';
import type { ExportFormat } from '../../recovery/export/formats.ts';
import { leftoversFor, namesOf, performExport, refuseTaken } from '../../recovery/export/perform-export.ts';
import type { ExportReport } from '../../recovery/export/perform-export.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { listOf, textOf, withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { Progress } from '../progress.ts';
import { bytesInWords, counted, durationInWords } from '../words.ts';
import { openWanted } from '../wanted-backup.ts';

/** Entries that people see of those that are not in the export; `--json` and the metadata have all. */
const SHOWN = 10;

export function check(options: CommandContext['options']): void {
  if (typeof options['to'] === 'string' && options['to'] !== '') return;
  throw new HoldfastError('usage', `${options['to'] === undefined ? 'No target was given' : '--to is empty'}, wanted --to with a directory, a file, or - for standard output.`, { nextStep: 'For example: `holdfast export latest --to /tmp/exports/`.' });
}

export async function run(context: CommandContext, [id, patterns]: CommandArguments): Promise<ExitCode> {
  const { options, surroundings } = context;
  const target = targetOf(context, options['to'] as string);
  return withVault(context, async (vault) => {
    const { reader, notes } = await openWanted(context, vault, textOf(id));
    const plan = await planExport(reader, {
      target, patterns: listOf(patterns), format: options['format'] as ExportFormat | undefined, isGoingOn: options['keepGoing'] === true, keepsHoles: options['sparse'] !== false, signal: surroundings.signal,
    });
    return options['dryRun'] === true ? dryRun(context, { reader, plan, notes }) : perform(context, { reader, plan, notes });
  });
}

function targetOf({ surroundings }: CommandContext, to: string): ExportTarget {
  if (to === '-') {
    if (surroundings.stdout.isTTY === true) throw new HoldfastError('refused', 'Standard output is a terminal, and an export is no text.', { nextStep: 'Send it into a file or a program: `holdfast export latest --to - > backup.tar.zst`.' });
    return { kind: 'stream' };
  }
  const path = resolve(surroundings.workingFolder, to);
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  // A link to nowhere is something that is there.
  if (to.endsWith('/') && !isFolder && lstatSync(path, { throwIfNoEntry: false })) throw new HoldfastError('target-exists', `${path} is there and is no directory.`, { nextStep: 'Choose another --to.' });
  return { kind: isFolder || to.endsWith('/') ? 'folder' : 'file', path: fromText(path) };
}

interface Chosen {
  readonly reader: SnapshotReader;
  readonly plan: ExportPlan;
  /** About the choice of the backup. */
  readonly notes: readonly string[];
}

async function dryRun({ output, surroundings }: CommandContext, { reader: { manifest }, plan, notes }: Chosen): Promise<ExitCode> {
  await refuseTaken(plan);
  const { format, exports, totals, treeDamage } = plan;
  const leftovers = await leftoversFor(plan, { processes: systemProcesses(), clock: surroundings.clock });
  const paths = exports.map(({ path }) => (path === undefined ? null : display(path)));
  output.result({ type: 'export-plan', backup: manifest.backup, format, paths, ...totals, unreadableRanges: treeDamage.length, leftovers: leftovers.map(leftoverJson), notes }, () => [
    ...leftovers.map((leftover) => leftoverLine(leftover, 'would remove')),
    ...paths.map((path) => `would write ${path ?? 'to standard output'}${path === null ? '' : ', and .json and .sha256 beside it'}`),
    `Nothing was done. As ${format}: ${counted(totals.entries, 'entry', 'entries')}, ${counted(totals.files, 'file')}, ${bytesInWords(totals.bytes)} before compression.`,
  ]);
  return treeDamage.length > 0 ? 12 : 0;
}

async function perform(context: CommandContext, { reader, plan, notes }: Chosen): Promise<ExitCode> {
  const { options, surroundings } = context;
  // What is cut must not end as if its reader had seen enough.
  if (plan.request.target.kind === 'stream') surroundings.stdout.removeAllListeners('error').on('error', () => undefined);
  const progress = new Progress(surroundings, options['progress'] === true);
  const report = await performExport(reader, plan, { clock: surroundings.clock, processes: systemProcesses(), version: surroundings.version, stream: surroundings.stdout, onProgress: (state) => progress.show(state) }).finally(() => progress.clear());
  tell(context, { plan, notes }, report);
  if (!report.isComplete) return 12;
  return report.leftOut.some(({ kind }) => kind === 'never-kept') ? 3 : 0;
}

/** Where the export itself is on standard output, the result is on standard error. */
function tell({ output }: CommandContext, { plan: { format, request, totals }, notes }: Pick<Chosen, 'plan' | 'notes'>, report: ExportReport): void {
  const { backup, exports, leftOut, leftovers, isComplete, durationMilliseconds } = report;
  const json = {
    type: 'export', backup, format, isComplete, durationMilliseconds, ...totals,
    exports: exports.map(({ path, name, bytes, sha256, metadata }) => ({ name: display(name), ...pathsOf(path), bytes, sha256, metadata })),
    leftOut: leftOut.map(({ path, ...rest }) => ({ path: display(path), ...rest })),
    leftovers: leftovers.map(leftoverJson),
    notes,
  };
  const word = isComplete ? output.paint('green', 'Exported') : output.paint('yellow', 'Exported in part');
  const lines = [
    ...exports.map(({ path, bytes, sha256 }) => `${word} ${backup} to ${path === undefined ? 'standard output' : display(path)}: ${bytesInWords(bytes)}, sha256 ${sha256}`),
    `  ${counted(totals.files, 'file')}, ${bytesInWords(totals.bytes)} before compression, in ${durationInWords(durationMilliseconds)}`,
    ...leftOut.slice(0, SHOWN).map(({ path, reason }) => `  ${output.paint('yellow', 'left out')} ${display(path)}: ${reason}`),
    ...(leftOut.length > SHOWN ? [`  and ${leftOut.length - SHOWN} more: the metadata has all`] : []),
    ...leftovers.map((leftover) => `  ${leftoverLine(leftover, 'removed')}`),
  ];
  if (request.target.kind !== 'stream') return output.result(json, () => lines);
  for (const line of output.isJson ? [JSON.stringify(json)] : lines) output.note(line);
}

function leftoverLine({ path, bytes, isAbandoned }: ExportLeftover, done: string): string {
  const what = `${display(path)} (${bytesInWords(bytes)})`;
  return isAbandoned ? `${done} ${what}, which an export that was killed left` : `left ${what}: an export that was killed, or is at work on another machine; a week after it was written to it is removed`;
}

function leftoverJson({ path, bytes, isAbandoned }: ExportLeftover): object {
  return { path: display(path), bytes, isAbandoned };
}

function pathsOf(path: Parameters<typeof namesOf>[0] | undefined): object {
  if (path === undefined) return {};
  const [file, metadata, checksum] = namesOf(path).map(display);
  return { path: file, metadataPath: metadata, checksumPath: checksum };
}
