import type { CoverageState } from '../validation/coverage-clock.ts';
import type { CoverageReport } from '../validation/verify.ts';
import { bytesInWords, counted } from './words.ts';

const MINUTE = 60_000;

/** `27.3 days`; whole days from a hundred on. */
export function daysInWords(days: number): string {
  const rounded = days < 99.95 ? Math.round(days * 10) / 10 : Math.round(days);
  return counted(rounded, 'day');
}

/** For programs: times as everywhere else. */
export function coverageJson<T extends CoverageState>(coverage: T): object {
  const { oldest } = coverage;
  return { ...coverage, oldest: oldest === undefined ? null : { ...oldest, since: new Date(oldest.since).toISOString() } };
}

/** How old the oldest is, in a phrase. */
export function oldestInWords({ oldest, unread }: CoverageState): string {
  if (oldest === undefined) return 'nothing is stored';
  const never = unread.packs === 0 ? '' : `; ${counted(unread.packs, 'pack')}, ${bytesInWords(unread.bytes)}, not read since stored`;
  return `${daysInWords(oldest.days)}${never}`;
}

/** Whether the clock is kept, in a phrase; undefined when nobody wants it kept. */
export function clockInWords({ overdue, withinDays, oldest, unread }: CoverageState): string | undefined {
  if (withinDays === undefined || overdue === undefined) return undefined;
  if (overdue.packs === 0) return `kept: every stored byte was ${unread.packs > 0 ? 'stored or ' : ''}read within ${daysInWords(withinDays)}`;
  return `overdue: ${counted(overdue.packs, 'pack')}, ${bytesInWords(overdue.bytes)}, not read for more than ${daysInWords(withinDays)}, one of them for ${daysInWords(oldest?.days ?? 0)}`;
}

/** What somebody must do so that the clock is kept; undefined when nothing. */
export function coverageAdvice({ overdue, isCutShort, daysAtThisPace, withinDays, everyDays, due }: CoverageReport, { maxDurationMs, readBytes }: { readonly maxDurationMs: number | undefined; readonly readBytes: number }): string | undefined {
  if (isTooSlow({ isCutShort, daysAtThisPace, withinDays })) {
    const factor = (daysAtThisPace ?? Infinity) / withinDays;
    const minutes = Number.isFinite(factor) && maxDurationMs !== undefined ? Math.ceil((maxDurationMs * factor) / MINUTE) : undefined;
    const real = daysAtThisPace === undefined ? 'the end is not in sight' : `everything is read every ${daysInWords(daysAtThisPace)}`;
    return `The time that a run may take is too short: at this pace, with a run every ${everyDays < 1.05 ? 'day' : daysInWords(everyDays)}, ${real} instead of ${daysInWords(withinDays)}. Allow ${minutes === undefined ? 'more time' : `--max-duration ${minutes}m or more`}, run it more often, or allow more days.`;
  }
  if (overdue.packs === 0) return undefined;
  return isCutShort ? `The time was over with ${bytesInWords(due.bytes - readBytes)} still to be read: the next run goes on there. Run it again now to catch up sooner.` : 'Run it again: what is damaged or could not be recorded stays the oldest.';
}

export function isTooSlow({ isCutShort, daysAtThisPace, withinDays }: Pick<CoverageReport, 'isCutShort' | 'daysAtThisPace' | 'withinDays'>): boolean {
  return isCutShort && (daysAtThisPace ?? Infinity) > withinDays;
}
