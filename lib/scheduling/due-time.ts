import { latestOccurrence, occurrencesBetween } from './cron.ts';
import type { Schedule } from './pinned-plan.ts';

const MINUTE = 60_000;

/**
 * Which time of a schedule a firing at `firedAt` stands for, so that whoever fires twice, late or by another clock
 * claims the same occurrence:
 *
 * - a time at which the schedule is due: that one;
 * - the cron time itself, where the firing could not be moved by the offset: the time `offset` later;
 * - anything else (the second pass of a repeated hour, a schedule that was changed meanwhile, a firing without a time):
 *   the latest that was due, usually claimed long ago.
 *
 * Undefined when the schedule was never due.
 */
export function dueTimeOf(schedule: Schedule, firedAt: number): number | undefined {
  const moved = firedAt + schedule.offsetMinutes * MINUTE;
  if (isDue(schedule, firedAt)) return firedAt;
  if (isDue(schedule, moved)) return moved;
  return latestOccurrence(schedule, firedAt);
}

function isDue(schedule: Schedule, at: number): boolean {
  return occurrencesBetween(schedule, at, at + 1).length === 1;
}
