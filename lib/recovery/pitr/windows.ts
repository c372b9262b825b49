import { parseLsn, segmentNumber, segmentOf } from '../../sources/postgres/wal/lsn.ts';
import { lineOf } from './lines.ts';
import type { Histories, Line } from './lines.ts';
import { runsOf } from './runs.ts';
import type { HeldWal, Run } from './runs.ts';

/** A base backup as its facts tell it (`lib/sources/postgres/base-backup-facts.ts`). */
export interface Base {
  readonly backup: string;
  readonly systemId: string;
  readonly timeline: number;
  readonly startLsn: string;
  readonly stopLsn: string;
  readonly startSegment: string;
  /** Milliseconds by the server's clock. */
  readonly stoppedAt: number;
  /** It holds the WAL from start to stop itself. */
  readonly hasWal?: boolean;
}

/** Every position from `fromLsn` to `toLsn` can be restored to: there is a base backup before it, and all WAL behind that. */
export interface Window {
  readonly fromLsn: bigint;
  readonly toLsn: bigint;
  /** Those to begin with, the oldest first. */
  readonly bases: readonly Base[];
  /** Where its last bytes are. Undefined: a base backup that restores by itself, and no WAL. */
  readonly last: Run['last'] | undefined;
}

/** WAL that is missing between what is there. */
export interface Gap {
  readonly fromLsn: bigint;
  readonly toLsn: bigint;
  readonly missingSegments: number;
  /** No base backup was taken since: nothing behind the gap can be restored to yet. */
  readonly isOpen: boolean;
}

export interface LineWindows {
  /** The newest timeline of the line. */
  readonly timeline: number;
  readonly line: Line;
  readonly windows: readonly Window[];
  readonly gaps: readonly Gap[];
  /** Base backups that nothing can be restored from, because WAL is missing that they need. */
  readonly stranded: readonly Base[];
  /** WAL behind the last window that waits for a base backup; from its first to its last position. */
  readonly waiting: { readonly fromLsn: bigint; readonly toLsn: bigint } | undefined;
}

/**
 * What can be restored to, for each line of timelines that ends in something of its own, the newest timeline first. Decides
 * from names of WAL objects, timeline histories and facts of base backups alone. `apart`: timelines that are known to have
 * transactions of their own, where names cannot tell.
 */
export function recoverableWindows(held: HeldWal, histories: Histories, bases: readonly Base[], apart: readonly number[] = []): LineWindows[] {
  const own = bases.filter(({ systemId }) => systemId === held.systemId);
  const lines = timelinesOf(held, histories, bases).map((timeline) => lineOf(timeline, histories));
  return lines.filter((line) => apart.includes(line.at(-1)?.timeline ?? 0) || !lines.some((other) => isContained(line, other, held, own))).map((line) => windowsOf(line, held, own));
}

/** All that anything is known of, the newest first. */
export function timelinesOf(held: HeldWal, histories: Histories, bases: readonly Base[]): number[] {
  const own = bases.filter(({ systemId }) => systemId === held.systemId);
  return [...new Set([...held.segments.keys(), ...held.partials.keys(), ...histories.keys(), ...own.map(({ timeline }) => timeline)])].sort((left, right) => right - left);
}

/** `line` is the beginning of `other`, and has nothing behind the place where that branched off. */
function isContained(line: Line, other: Line, held: HeldWal, bases: readonly Base[]): boolean {
  const timeline = line.at(-1)?.timeline ?? 0;
  const branched = other.slice(0, -1).find((stretch) => stretch.timeline === timeline)?.toLsn;
  if (branched === undefined) return false;
  const segment = segmentOf(branched, held.segmentBytes);
  const lastWhole = held.segments.get(timeline)?.at(-1) ?? -1;
  const lastPartial = Math.max(-1, ...(held.partials.get(timeline)?.keys() ?? []));
  // A server that was promoted fills its last segment up to the place where it branched off; one that went on fills it whole.
  return lastWhole < segment && lastPartial <= segment && bases.every((base) => base.timeline !== timeline || parseLsn(base.stopLsn) <= branched);
}

function windowsOf(line: Line, held: HeldWal, bases: readonly Base[]): LineWindows {
  const runs = runsOf(line, held);
  const onLine = bases.filter((base) => line.some(({ timeline, toLsn }) => timeline === base.timeline && (toLsn === undefined || parseLsn(base.stopLsn) <= toLsn))).toSorted(byStop);
  const used = new Set<Base>();
  const found = runs.map((run) => {
    const inRun = onLine.filter((base) => isIn(base, run, held));
    for (const base of inRun) used.add(base);
    return { run, window: windowOf(inRun, run) };
  });
  const alone = onLine.filter((base) => base.hasWal === true && !used.has(base));
  const windows = [...found.flatMap(({ window }) => (window === undefined ? [] : [window])), ...alone.map(windowAlone)].sort((left, right) => (left.fromLsn < right.fromLsn ? -1 : 1));
  const newest = found.at(-1);
  return {
    timeline: line.at(-1)?.timeline ?? 0, line, windows,
    gaps: gapsOf(found),
    stranded: onLine.filter((base) => !used.has(base) && base.hasWal !== true),
    waiting: newest !== undefined && newest.window === undefined ? { fromLsn: newest.run.fromLsn, toLsn: newest.run.toLsn } : undefined,
  };
}

/** All WAL that a recovery from it needs to become consistent is in this run. */
function isIn(base: Base, run: Run, held: HeldWal): boolean {
  const stop = parseLsn(base.stopLsn);
  const first = base.hasWal === true ? segmentOf(stop, held.segmentBytes) : segmentNumber(base.startSegment, held.segmentBytes);
  return run.first <= first && first <= run.behind && stop <= run.toLsn && run.fromLsn <= stop;
}

function windowOf(bases: readonly Base[], { toLsn, last }: Run): Window | undefined {
  const [first] = bases;
  return first && { fromLsn: parseLsn(first.stopLsn), toLsn, bases, last };
}

function windowAlone(base: Base): Window {
  return { fromLsn: parseLsn(base.stopLsn), toLsn: parseLsn(base.stopLsn), bases: [base], last: undefined };
}

/** What is missing before the first window is missed by nobody. */
function gapsOf(found: readonly { readonly run: Run; readonly window: Window | undefined }[]): Gap[] {
  const begin = found.findIndex(({ window }) => window !== undefined);
  if (begin < 0) return [];
  return found.slice(begin + 1).map(({ run }, index) => {
    const before = (found[begin + index] as (typeof found)[number]).run;
    return { fromLsn: before.toLsn, toLsn: run.fromLsn, missingSegments: run.first - before.behind, isOpen: !found.slice(begin + 1 + index).some(({ window }) => window !== undefined) };
  });
}

function byStop(left: Base, right: Base): number {
  return parseLsn(left.stopLsn) < parseLsn(right.stopLsn) ? -1 : 1;
}
