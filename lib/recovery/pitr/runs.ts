import { stretchOf } from './lines.ts';
import type { Line } from './lines.ts';

/** What the vault holds of one system, by timeline and number of the segment. */
export interface HeldWal {
  readonly systemId: string;
  readonly segmentBytes: number;
  /** Numbers of whole segments, ascending. */
  readonly segments: ReadonlyMap<number, readonly number[]>;
  /** Bytes of the longest state of segments that are not whole. */
  readonly partials: ReadonlyMap<number, ReadonlyMap<number, number>>;
}

/** WAL without a hole in it, as a recovery on one line reads it. */
export interface Run {
  /** Number of the first segment, and of the one behind the last whole one. */
  readonly first: number;
  readonly behind: number;
  readonly fromLsn: bigint;
  readonly toLsn: bigint;
  /** What the last bytes come from: a whole segment, or the beginning of one. */
  readonly last: { readonly timeline: number; readonly segment: number; readonly isPartial: boolean };
}

/** All runs of a line in order. */
export function runsOf(line: Line, held: HeldWal): Run[] {
  const spans = spansOf(line, held);
  // A beginning of a segment that follows nothing is a run of its own.
  const starts = partialsOf(line, held).filter((segment) => !spans.some(({ first, behind }) => first <= segment && segment <= behind));
  return [...spans, ...starts.map((segment) => ({ first: segment, behind: segment }))]
    .sort((left, right) => left.first - right.first)
    .flatMap((span) => finished(span, line, held));
}

interface Span {
  readonly first: number;
  readonly behind: number;
}

function spansOf(line: Line, held: HeldWal): Span[] {
  const spans: { first: number; behind: number }[] = [];
  for (const [position, stretch] of line.entries()) {
    const from = segmentOf(stretch.fromLsn, held);
    const next = line[position + 1];
    const to = next === undefined ? Infinity : segmentOf(next.fromLsn, held);
    for (const segment of held.segments.get(stretch.timeline) ?? []) {
      if (segment < from || segment >= to) continue;
      const last = spans.at(-1);
      if (last?.behind === segment) last.behind = segment + 1;
      else spans.push({ first: segment, behind: segment + 1 });
    }
  }
  return spans;
}

/** Where beginnings of segments are that this line can read. */
function partialsOf(line: Line, held: HeldWal): number[] {
  const found = line.flatMap(({ timeline, fromLsn, toLsn }) =>
    [...(held.partials.get(timeline)?.keys() ?? []), ...endsOf(timeline, toLsn, held)].filter((segment) => segmentOf(fromLsn, held) <= segment && (toLsn === undefined || segment <= segmentOf(toLsn, held))));
  return [...new Set(found)];
}

/** A whole segment in which the next timeline branched off counts up to there, should that timeline's own not be here. */
function endsOf(timeline: number, toLsn: bigint | undefined, held: HeldWal): number[] {
  if (toLsn === undefined) return [];
  return (held.segments.get(timeline) ?? []).includes(segmentOf(toLsn, held)) ? [segmentOf(toLsn, held)] : [];
}

function finished({ first, behind }: Span, line: Line, held: HeldWal): Run[] {
  const fromLsn = lsnOf(first, held);
  const tail = tailOf(behind, line, held);
  if (tail !== undefined) return [{ first, behind, fromLsn, toLsn: tail.toLsn, last: { timeline: tail.timeline, segment: behind, isPartial: tail.isPartial } }];
  if (first === behind) return [];
  return [{ first, behind, fromLsn, toLsn: lsnOf(behind, held), last: { timeline: stretchOf(line, behind - 1, held.segmentBytes).timeline, segment: behind - 1, isPartial: false } }];
}

/** How far what is there of a segment leads, which has no whole one on the timeline that it is read from. */
function tailOf(segment: number, line: Line, held: HeldWal): { readonly toLsn: bigint; readonly timeline: number; readonly isPartial: boolean } | undefined {
  const begin = lsnOf(segment, held);
  const found = line.flatMap(({ timeline, fromLsn, toLsn }) => {
    if (segmentOf(fromLsn, held) > segment) return [];
    const isWhole = toLsn !== undefined && endsOf(timeline, toLsn, held).includes(segment);
    const bytes = isWhole ? held.segmentBytes : held.partials.get(timeline)?.get(segment);
    if (bytes === undefined) return [];
    const end = begin + BigInt(bytes);
    const capped = toLsn !== undefined && toLsn < end ? toLsn : end;
    return capped > begin ? [{ toLsn: capped, timeline, isPartial: !isWhole }] : [];
  });
  return found.toSorted((left, right) => (left.toLsn < right.toLsn ? 1 : left.toLsn > right.toLsn ? -1 : right.timeline - left.timeline))[0];
}

function segmentOf(lsn: bigint, { segmentBytes }: HeldWal): number {
  return Number(lsn / BigInt(segmentBytes));
}

function lsnOf(segment: number, { segmentBytes }: HeldWal): bigint {
  return BigInt(segment) * BigInt(segmentBytes);
}
