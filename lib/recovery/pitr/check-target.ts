import { HoldfastError } from '../../model/errors.ts';
import { formatLsn } from '../../sources/postgres/wal/lsn.ts';
import { parseLsn } from '../../sources/postgres/wal/lsn.ts';
import type { Base, LineWindows, Window } from './windows.ts';

/** Where a recovery is to end. `immediate`: as soon as the base backup is consistent. */
export type PitrTarget =
  | { readonly kind: 'latest' }
  | { readonly kind: 'immediate' }
  /** Milliseconds since 1970, with a fraction: PostgreSQL counts microseconds. */
  | { readonly kind: 'time'; readonly at: number }
  | { readonly kind: 'lsn'; readonly lsn: bigint }
  /** Made by `pg_create_restore_point`. Whether WAL holds it is known when replay meets it. */
  | { readonly kind: 'name'; readonly name: string };

export interface TimedWindow extends Window {
  /** When the last transaction in it ended, by the server's clock in milliseconds with a fraction. Undefined: none was found. */
  readonly lastTransactionAt: number | undefined;
  /** False: none was found in its newest segments, and older ones were not looked into. */
  readonly isLookedThrough: boolean;
  /** When its last WAL was stored, by the store's clock; of a base backup alone, when that had ended. */
  readonly storedAt: number;
}

export interface TimedLine extends Omit<LineWindows, 'windows'> {
  readonly windows: readonly TimedWindow[];
}

export interface CheckedTarget {
  /** The newest base backup that leads to the target. */
  readonly base: Base;
  readonly window: TimedWindow;
  readonly line: TimedLine;
}

/**
 * The base backup to begin a recovery with. Fails as `refused` when the target is in a gap, before the first base backup, or
 * behind the last WAL, and shows the windows: PostgreSQL itself would find out only after it had replayed everything.
 * `timeline`: the newest when not given. `latest` ends where the newest window of the line does.
 */
export function checkTarget(lines: readonly TimedLine[], target: PitrTarget, timeline?: number): CheckedTarget {
  const line = timeline === undefined ? lines[0] : lines.find((one) => one.timeline === timeline);
  if (line === undefined) throw refused(lines, timeline === undefined ? 'There is no base backup with its WAL' : `Timeline ${timeline} is none of those that end in something of their own`);
  const newest = line.windows.at(-1);
  if (newest === undefined) throw refused(lines, `Timeline ${line.timeline} has no base backup with its WAL`);
  if (target.kind === 'latest' || target.kind === 'immediate' || target.kind === 'name') return { base: newest.bases.at(-1) as Base, window: newest, line };
  const place = target.kind === 'lsn' ? byLsn(target.lsn) : byTime(target.at);
  const window = line.windows.findLast(place.isBegun);
  if (window === undefined) throw refused(lines, `${place.words} is before the end of the first base backup`);
  if (!place.isWithin(window)) throw refused(lines, `${place.words} is ${window === newest ? beyond(line, place) : 'in a gap: WAL behind it is missing'}`);
  return { base: window.bases.findLast(place.isBehind) as Base, window, line };
}

/** Why nothing behind the newest window is reached: WAL ends there, or lies behind a gap and waits for a base backup. */
function beyond({ gaps, waiting }: TimedLine, { isBefore }: Placed): string {
  const gap = gaps.find(({ isOpen }) => isOpen);
  if (gap === undefined || waiting === undefined || isBefore(waiting.toLsn) === false) return 'not before the end of the last WAL';
  const missing = `WAL from ${formatLsn(gap.fromLsn)} to ${formatLsn(gap.toLsn)} is missing`;
  return isBefore(gap.toLsn) === true ? `in a gap: ${missing}` : `in a gap or behind it: ${missing}, and no base backup was taken since`;
}

/** What the end of the newest window leaves out of the WAL that is there, for somebody who asked for all of it. */
export function unreachedBehind({ timeline, gaps, waiting }: TimedLine): string[] {
  const gap = gaps.find(({ isOpen }) => isOpen);
  if (gap === undefined || waiting === undefined) return [];
  return [`recovery ends at a gap and not at the last WAL: on timeline ${timeline} WAL from ${formatLsn(gap.fromLsn)} to ${formatLsn(gap.toLsn)} is missing in the vault, so that what is there from ${formatLsn(waiting.fromLsn)} to ${formatLsn(waiting.toLsn)} is not replayed. If the server still has these segments in pg_wal, archive them by hand with \`holdfast wal-archive\` and restore again; \`holdfast pitr windows\` shows the gap`];
}

interface Placed {
  readonly words: string;
  readonly isBegun: (window: TimedWindow) => boolean;
  readonly isWithin: (window: TimedWindow) => boolean;
  readonly isBehind: (base: Base) => boolean;
  /** Undefined: of times it is not known where in WAL they are. */
  readonly isBefore: (lsn: bigint) => boolean | undefined;
}

/** Replay stops at the first record at or behind a position: there must be one. */
function byLsn(lsn: bigint): Placed {
  return {
    words: `The position ${formatLsn(lsn)}`,
    isBegun: ({ fromLsn }) => fromLsn <= lsn,
    isWithin: ({ toLsn }) => lsn < toLsn,
    isBehind: ({ stopLsn }) => parseLsn(stopLsn) <= lsn,
    isBefore: (other) => lsn < other,
  };
}

/** Replay stops at the first transaction that ended after a time: without one PostgreSQL says that the target was not reached. */
function byTime(at: number): Placed {
  return {
    words: `The time ${new Date(at).toISOString()}`,
    isBegun: ({ bases }) => bases.some(({ stoppedAt }) => stoppedAt <= at),
    isWithin: ({ lastTransactionAt }) => lastTransactionAt !== undefined && at < lastTransactionAt,
    isBehind: ({ stoppedAt }) => stoppedAt <= at,
    isBefore: () => undefined,
  };
}

function refused(lines: readonly TimedLine[], why: string): HoldfastError {
  const shown = lines.flatMap(({ timeline, windows }) => windows.map((window) => `timeline ${timeline}: ${windowInWords(window)}`));
  const windows = shown.length === 0 ? 'There is none: take a base backup with `holdfast backup`.' : `There is: ${shown.join('; ')}.`;
  return new HoldfastError('refused', `${why}, so nothing was restored. ${windows}`, {
    nextStep: shown.length === 0 ? 'Archive WAL and take a base backup: docs/point-in-time.md.' : 'Choose a target in one of them, or `--to-latest` for the end of the newest. `holdfast pitr windows` shows them with what is missing.',
  });
}

/** `0/3000100 to 0/7000000, 2026-11-28T10:00:00.000Z to before 2026-11-28T12:00:00.000Z`. */
export function windowInWords({ fromLsn, toLsn, bases, lastTransactionAt, isLookedThrough }: TimedWindow): string {
  const until = lastTransactionAt === undefined ? (isLookedThrough ? 'no transaction behind it' : 'a transaction that was not looked for') : `before ${new Date(lastTransactionAt).toISOString()}`;
  return `${formatLsn(fromLsn)} to ${formatLsn(toLsn)}, times from ${new Date(bases[0]?.stoppedAt ?? 0).toISOString()} to ${until}`;
}
