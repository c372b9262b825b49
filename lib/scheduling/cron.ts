import { Cron } from 'croner';
import { HoldfastError } from '../model/errors.ts';
import type { Schedule } from './pinned-plan.ts';
import { endOfGap, instantsOf, offsetAt } from './wall-time.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** How far back the latest occurrence is looked for, step by step: most schedules answer in the first. */
const LOOK_BACK_DAYS = [1 / 12, 1, 8, 32, 366, 4 * 366 + 1];
const LOOK_AHEAD_DAYS = LOOK_BACK_DAYS;

/**
 * The instants from `from` (inclusive) to `to` (exclusive) at which a schedule is due, ascending, each once. Both DST
 * edges:
 *
 * - A clock time that is skipped is due at the first valid instant; several in one gap are due once.
 * - A clock time that is repeated is due the first time only, except where the hour field begins with `*`: such a
 *   schedule means "every so often", and its second pass is due as well, or an hourly plan would go two hours without a
 *   backup.
 *
 * The offset is added to the instant, not to the clock. `config-invalid` when the expression or the zone cannot be read.
 */
export function occurrencesBetween(schedule: Schedule, from: number, to: number): number[] {
  const offset = schedule.offsetMinutes * MINUTE;
  const repeats = /^\S+\s+\*/.test(schedule.cron.trim());
  const due = new Set<number>();
  for (const wall of wallTimes(schedule, from - offset, to - offset)) {
    for (const instant of dueAt(schedule.timeZone, wall, repeats)) due.add(instant + offset);
  }
  return [...due].filter((instant) => instant >= from && instant < to).sort((a, b) => a - b);
}

/** The last time at or before `notAfter` at which the schedule was due, or undefined when there was none in four years. */
export function latestOccurrence(schedule: Schedule, notAfter: number): number | undefined {
  for (const days of LOOK_BACK_DAYS) {
    const latest = occurrencesBetween(schedule, notAfter - days * DAY, notAfter + 1).at(-1);
    if (latest !== undefined) return latest;
  }
  return undefined;
}

/** The next `count` times after `after` at which the schedule is due, soonest first; fewer when four years hold no more. */
export function nextOccurrences(schedule: Schedule, after: number, count: number): number[] {
  let found: number[] = [];
  for (const days of LOOK_AHEAD_DAYS) {
    found = occurrencesBetween(schedule, after + 1, after + days * DAY);
    if (found.length >= count) break;
  }
  return found.slice(0, count);
}

function dueAt(timeZone: string, wall: number, repeats: boolean): number[] {
  const instants = instantsOf(timeZone, wall);
  if (instants.length === 0) return [endOfGap(timeZone, wall)];
  return repeats ? instants : instants.slice(0, 1);
}

/** Clock times that may be due in a stretch of time: a little more than needed at both ends. */
function wallTimes({ cron, timeZone }: Schedule, from: number, to: number): number[] {
  const pattern = parse(cron);
  const offsets = [from - DAY, from + DAY, to - DAY, to + DAY].map((instant) => readOffset(timeZone, instant));
  const end = to + Math.max(...offsets);
  const found: number[] = [];
  let at = pattern.nextRun(new Date(from + Math.min(...offsets) - 1000));
  while (at !== null && at.getTime() < end) {
    found.push(at.getTime());
    at = pattern.nextRun(at);
  }
  return found;
}

const patterns = new Map<string, Cron>();

/** The pattern is walked in UTC, where every clock time exists once; zones are applied here, by the rules above. */
function parse(cron: string): Cron {
  try {
    const pattern = patterns.get(cron) ?? new Cron(cron, { utcOffset: 0, mode: '5-part', paused: true });
    patterns.set(cron, pattern);
    return pattern;
  } catch (cause) {
    throw new HoldfastError('config-invalid', `The cron expression ${JSON.stringify(cron)} cannot be read; wanted five fields: minute hour day month weekday.`, { cause });
  }
}

function readOffset(timeZone: string, instant: number): number {
  try {
    return offsetAt(timeZone, instant);
  } catch (cause) {
    throw new HoldfastError('config-invalid', `The time zone ${JSON.stringify(timeZone)} is not known; wanted an IANA name such as "Europe/Berlin".`, { cause });
  }
}
