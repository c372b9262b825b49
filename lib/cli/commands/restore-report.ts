import { display } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { outcomeOf, skippedGroups } from '../../recovery/restore.ts';
import type { OverwritePolicy, RefusedEntry, RestoreReport, SkippedGroup } from '../../recovery/restore.ts';
import type { Output } from '../output.ts';
import { bytesInWords, counted, durationInWords, numberInWords } from '../words.ts';

/** Paths that people see of each kind; `--json` has all. */
const SHOWN = 10;

/** Everything but the paths of what was there already and is the same. */
export function restoreJson(report: RestoreReport, notes: readonly string[]): object {
  const { backup, target, restored, skipped, refused, treeDamage, deleted, leftovers, warnings, durationMilliseconds } = report;
  return {
    type: 'restore', backup, target, restored, skipped: skipped.length, deleted: deleted.length, leftovers, outcome: outcomeOf(report) ?? 'done', durationMilliseconds, warnings, notes,
    skippedByReason: skippedGroups(report).map(({ reason, left, paths }) => ({ reason, left: left ?? 'never-restored', entries: paths.length, ...(left === 'same' ? {} : { paths: paths.map(display) }) })),
    refused: refused.map(({ below, ...entry }) => ({ ...entry, path: display(entry.path), ...(below === undefined ? {} : { below: display(below) }) })),
    treeDamage: treeDamage.map(({ from, to, error }) => ({ from: display(from), to: to === undefined ? null : display(to), problem: error.message })),
  };
}

export function restoreLines(output: Pick<Output, 'paint'>, report: RestoreReport, overwrite: OverwritePolicy): string[] {
  const { backup, target, restored, treeDamage, deleted, leftovers, durationMilliseconds } = report;
  const isWhole = outcomeOf(report) === undefined;
  const lines = [`${isWhole ? output.paint('green', 'Restored') : output.paint('yellow', 'Restored in part')} ${backup} to ${target}: ${counted(restored.files, 'file')}, ${bytesInWords(restored.bytes)}, in ${durationInWords(durationMilliseconds)}`];
  const groups = skippedGroups(report);
  for (const group of groups) lines.push(...groupLines(output, group));
  if (groups.some(({ left }) => left === 'different')) lines.push(`  next: ${overwrite === 'older' ? '`--overwrite changed` replaces what differs, whatever is newer' : '`--overwrite changed` replaces what differs'}`);
  if (deleted.length > 0) lines.push(`  ${counted(deleted.length, 'extra entry', 'extra entries')} deleted`);
  if (leftovers > 0) lines.push(`  ${counted(leftovers, 'unfinished file')} of an earlier restore removed`);
  lines.push(...refusedLines(output, report.refused));
  for (const { from, to, error } of treeDamage) lines.push(`  ${output.paint('red', 'lost')} every entry from ${display(from) || 'the first'} to ${to === undefined ? 'the last' : display(to)}: ${error.message}`);
  return lines;
}

function groupLines(output: Pick<Output, 'paint'>, { reason, left, paths }: SkippedGroup): string[] {
  const count = counted(paths.length, 'entry', 'entries');
  if (left !== 'different') return [`  ${count} left as they are: ${reason}`];
  return [`  ${output.paint('yellow', 'differs')}: ${count} left as they are: ${reason}`, ...bounded(paths.map((path) => `    ${display(path)}`), '    and N more; --json names all')];
}

/** What something bars is told with what bars it, so that one such directory does not hide everything else. */
function refusedLines(output: Pick<Output, 'paint'>, refused: readonly RefusedEntry[]): string[] {
  const below = new Map<ByteString, number>();
  for (const entry of refused) if (entry.below !== undefined) below.set(entry.below, (below.get(entry.below) ?? 0) + 1);
  const own = refused.filter((entry) => entry.below === undefined);
  const lines = own.map(({ path, reason }) => {
    const inside = below.get(path);
    below.delete(path);
    return `  ${output.paint('red', 'not restored')} ${display(path)}${inside === undefined ? '' : ` and ${counted(inside, 'entry', 'entries')} below it`}: ${reason}`;
  });
  for (const [path, count] of below) lines.push(`  ${output.paint('red', 'not restored')} ${counted(count, 'entry', 'entries')} below ${display(path)}: ${refused.find((entry) => entry.below === path)?.reason ?? ''}`);
  const conflict = refused.some(({ kind }) => kind === 'conflict') ? ['  next: move away what stands in the way, or restore into another directory'] : [];
  return [...bounded(lines, '  and N more not restored; --json names all'), ...conflict];
}

function bounded(lines: readonly string[], rest: string): string[] {
  return lines.length <= SHOWN ? [...lines] : [...lines.slice(0, SHOWN), rest.replace('N', numberInWords(lines.length - SHOWN))];
}
