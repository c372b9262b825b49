import { parseLsn } from '../../sources/postgres/wal/lsn.ts';
import { lineOf } from './lines.ts';
import type { Histories, Line } from './lines.ts';
import type { Base } from './windows.ts';

/** A place where a line left another timeline behind. */
export interface Fork {
  /** The timeline that the line does not follow, behind `forkLsn` or at all. */
  readonly older: number;
  /** The first timeline of the line that is younger. */
  readonly newer: number;
  /** Up to here both are the same. */
  readonly forkLsn: bigint;
  /** What `older` has from here on, the line has not. */
  readonly fromLsn: bigint;
}

/** Every older timeline that has something which this line leaves out, by names and histories alone. */
export function forksOf(line: Line, timelines: readonly number[], histories: Histories): Fork[] {
  return timelines.flatMap((older) => {
    const newer = line.find(({ timeline }) => timeline > older)?.timeline;
    if (newer === undefined) return [];
    const own = line.find(({ timeline }) => timeline === older);
    if (own?.toLsn !== undefined) return [{ older, newer, forkLsn: own.toLsn, fromLsn: own.toLsn }];
    const other = lineOf(older, histories);
    const forkLsn = partingOf(line, other);
    return forkLsn === undefined ? [] : [{ older, newer, forkLsn, fromLsn: other.at(-1)?.fromLsn ?? forkLsn }];
  });
}

/** Where two lines leave each other, the one or the other first. Undefined: they have no timeline in common. */
function partingOf(line: Line, other: Line): bigint | undefined {
  const shared = line.findLast(({ timeline }) => other.some((stretch) => stretch.timeline === timeline));
  const ends = [shared?.toLsn, other.find(({ timeline }) => timeline === shared?.timeline)?.toLsn].filter((end) => end !== undefined);
  return ends.reduce<bigint | undefined>((first, end) => (first === undefined || end < first ? end : first), undefined);
}

/** A base backup from which either way leads on: whoever took one behind the fork has chosen. */
export function isBeforeFork({ timeline, stopLsn }: Pick<Base, 'timeline' | 'stopLsn'>, line: Line, { forkLsn }: Pick<Fork, 'forkLsn'>): boolean {
  const stop = parseLsn(stopLsn);
  const isOnLine = line.some((stretch) => stretch.timeline === timeline && (stretch.toLsn === undefined || stop <= stretch.toLsn));
  return !isOnLine || stop <= forkLsn;
}
