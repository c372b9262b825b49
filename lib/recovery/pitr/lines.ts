import type { TimelineSwitch } from '../../sources/postgres/wal/timeline-history.ts';

/** A stretch of a line on one timeline: from where it branched off, to where the next one of the line did. */
export interface Stretch {
  readonly timeline: number;
  readonly fromLsn: bigint;
  /** Undefined: the last one. */
  readonly toLsn: bigint | undefined;
}

/** What a recovery follows: a timeline and its ancestors, the oldest first. */
export type Line = readonly Stretch[];

export type Histories = ReadonlyMap<number, readonly TimelineSwitch[]>;

/** A timeline without a history is a line by itself: 1 has none, and of another one nobody archived it. */
export function lineOf(timeline: number, histories: Histories): Line {
  const switches = histories.get(timeline) ?? [];
  const stretches: Stretch[] = [];
  let fromLsn = 0n;
  for (const { parent, switchLsn } of switches) {
    stretches.push({ timeline: parent, fromLsn, toLsn: switchLsn });
    fromLsn = switchLsn;
  }
  return [...stretches, { timeline, fromLsn, toLsn: undefined }];
}

/** The stretch that PostgreSQL reads a segment from: the newest that has begun by its end. */
export function stretchOf(line: Line, segment: number, segmentBytes: number): Stretch {
  const size = BigInt(segmentBytes);
  return line.findLast(({ fromLsn }) => fromLsn / size <= BigInt(segment)) ?? (line[0] as Stretch);
}
