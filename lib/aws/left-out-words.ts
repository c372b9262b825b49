import { display } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import { skippedGroups } from '../recovery/restore.ts';
import type { RestoreReport } from '../recovery/restore.ts';

/** One line for each reason why something of the backup does not stand in the target as it was; none when all does. */
export function leftOutInWords(report: Pick<RestoreReport, 'skipped' | 'refused'>): string[] {
  const groups = skippedGroups(report).filter(({ left }) => left !== 'same');
  return [
    ...groups.map(({ reason, left, paths }) => `${inWords(paths, left === undefined ? 'not restored' : paths.length === 1 ? 'left as it is' : 'left as they are')}: ${reason}`),
    ...[...refusedByReason(report.refused)].map(([reason, paths]) => `${inWords(paths, 'not restored')}: ${reason}`),
  ];
}

/** Entries that were there already, as in the backup: a second restore finds all of them so. */
export function sameEntries({ skipped }: Pick<RestoreReport, 'skipped'>): number {
  return skipped.filter(({ left }) => left === 'same').length;
}

function refusedByReason(refused: RestoreReport['refused']): Map<string, ByteString[]> {
  const byReason = new Map<string, ByteString[]>();
  for (const { path, reason } of refused) {
    const known = byReason.get(reason);
    if (known) known.push(path);
    else byReason.set(reason, [path]);
  }
  return byReason;
}

function inWords(paths: readonly ByteString[], what: string): string {
  const [first] = paths;
  return `${paths.length} ${paths.length === 1 ? 'entry' : 'entries'} ${what}${first === undefined ? '' : `, such as ${display(first) || '.'}`}`;
}
