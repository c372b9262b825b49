import { packIdOf } from '../repository/index.ts';
import type { Coverage } from '../repository/index.ts';

export const DAY = 24 * 60 * 60_000;
const HALF_DAY = DAY / 2;
const MINUTE = 60_000;
/** So many gaps between runs tell how often it runs. */
const GAPS = 5;
/** A pack is due when it would be older than wanted after so many more gaps: a run may be late by half of one. */
const MARGIN = 1.5;

/** A pack as the vault lists it. */
export interface ClockedPack {
  readonly name: string;
  readonly size: number;
  /** By the store. */
  readonly storedAt: number;
}

export interface Amount {
  readonly packs: number;
  readonly bytes: number;
}

/** How long ago what is stored was read. Ages are in days by the store's time. */
export interface CoverageState extends Amount {
  /** Stored, and never read since. */
  readonly unread: Amount;
  /** Undefined when there is no pack. */
  readonly oldest: { readonly pack: string; /** When it was read last, else stored. */ readonly since: number; readonly days: number } | undefined;
  /** Older than wanted; undefined when nobody said what is wanted. */
  readonly overdue: Amount | undefined;
  readonly withinDays: number | undefined;
}

export interface CoveragePlan<T extends ClockedPack> {
  /** What this run must read, the longest unread first. */
  readonly due: readonly T[];
  /** How often it seems to run; at least one day. */
  readonly everyMilliseconds: number;
  /** Read again in that time before this run. */
  readonly recentBytes: number;
  readonly totalBytes: number;
}

type Facts = Pick<Coverage, 'readAt' | 'runs'>;

/** A note from before the pack was stored is about bytes that lay elsewhere: in the vault that this one is a copy of. */
export function unreadSince({ name, storedAt }: ClockedPack, { readAt }: Pick<Facts, 'readAt'>): number {
  return Math.max(storedAt, readAt.get(packIdOf(name)) ?? 0);
}

/** `now`: the store's. The order of `packs` does not matter. */
export function coverageState(packs: readonly ClockedPack[], facts: Pick<Facts, 'readAt'>, { now, withinDays }: { readonly now: number; readonly withinDays?: number | undefined }): CoverageState {
  const [oldest] = byAge(packs, facts);
  return {
    ...amountOf(packs),
    unread: amountOf(packs.filter(({ name, storedAt }) => (facts.readAt.get(packIdOf(name)) ?? -Infinity) + MINUTE <= storedAt)),
    oldest: oldest && { pack: oldest.pack.name, since: oldest.since, days: Math.max(0, now - oldest.since) / DAY },
    overdue: withinDays === undefined ? undefined : amountOf(packs.filter((pack) => now - unreadSince(pack, facts) > withinDays * DAY)),
    withinDays,
  };
}

/**
 * Chooses what a run reads, so that every pack is read again within `withinDays` as long as runs go on as they came: what
 * would be too old before the run after the next one, and, so that the work is even, its share of all bytes. `now` is the
 * store's. Whoever stops early goes on next time where it stopped, because what was read is no longer the oldest.
 */
export function planCoverage<T extends ClockedPack>(packs: readonly T[], facts: Facts, { now, withinDays }: { readonly now: number; readonly withinDays: number }): CoveragePlan<T> {
  const everyMilliseconds = gapOf(facts.runs, now);
  const totalBytes = amountOf(packs).bytes;
  const recentBytes = amountOf(packs.filter((pack) => pack.storedAt <= now - everyMilliseconds && unreadSince(pack, facts) > now - everyMilliseconds)).bytes;
  const spare = withinDays * DAY - 2 * everyMilliseconds;
  const share = (spare > everyMilliseconds ? (totalBytes * everyMilliseconds) / spare : totalBytes) - recentBytes;
  const due: T[] = [];
  let bytes = 0;
  for (const { pack, since } of byAge(packs, facts)) {
    const isLastChance = now - since + MARGIN * everyMilliseconds > withinDays * DAY;
    const isFresh = since > now - everyMilliseconds;
    if (!isLastChance && (isFresh || bytes >= share)) break;
    due.push(pack);
    bytes += pack.size;
  }
  return { due, everyMilliseconds, recentBytes, totalBytes };
}

/** In so many days everything is read when each run reads as much as this one did; undefined when it read nothing. */
export function daysAtThisPace({ everyMilliseconds, recentBytes, totalBytes }: CoveragePlan<ClockedPack>, readBytes: number): number | undefined {
  const bytes = recentBytes + readBytes;
  return bytes === 0 ? undefined : Math.max(1, totalBytes / bytes) * (everyMilliseconds / DAY);
}

/** The usual gap between runs, so that one long pause does not count. Runs soon after one another are one. */
function gapOf(runs: readonly number[], now: number): number {
  const kept = distinctRuns([...runs, now]);
  const gaps = kept.slice(1).map((run, index) => run - (kept[index] as number)).slice(-GAPS).sort((left, right) => left - right);
  return Math.max(DAY, gaps[Math.floor(gaps.length / 2)] ?? DAY);
}

/** Ascending, half a day or more apart: one that is tried again, or runs every hour, tells nothing about tomorrow. */
export function distinctRuns(runs: readonly number[]): number[] {
  const kept: number[] = [];
  for (const run of runs.toSorted((left, right) => left - right)) if (run - (kept.at(-1) ?? -Infinity) >= HALF_DAY) kept.push(run);
  return kept;
}

function byAge<T extends ClockedPack>(packs: readonly T[], facts: Pick<Facts, 'readAt'>): { readonly pack: T; readonly since: number }[] {
  const aged = packs.map((pack) => ({ pack, since: unreadSince(pack, facts) }));
  return aged.sort((left, right) => left.since - right.since || (left.pack.name < right.pack.name ? -1 : 1));
}

function amountOf(packs: readonly Pick<ClockedPack, 'size'>[]): Amount {
  return { packs: packs.length, bytes: packs.reduce((sum, { size }) => sum + size, 0) };
}
