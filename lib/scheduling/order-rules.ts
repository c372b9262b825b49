import { SERVICE_LEVELS } from '../config/service-levels.ts';
import type { ScheduledPlan } from './pinned-plan.ts';

const MINUTE = 60_000;

/** Lease of an admitted run until its worker claims it: provisioning and the pull of an image may take this long. */
export const STARTING_LEASE = 15 * MINUTE;
/** Runs of one plan at once (P8): a second one would read the same source for nothing. */
export const RUNS_PER_PLAN = 1;

/**
 * How much earlier than its enqueue time a run ranks, by the RPO it has promised. The bonus is time, so whoever has
 * waited longer than the largest bonus goes before everybody that came after: nothing starves.
 */
export const RANK_BONUS = [
  { rpoMinutes: SERVICE_LEVELS.critical.rpoMinutes, bonusMinutes: 120 },
  { rpoMinutes: SERVICE_LEVELS.high.rpoMinutes, bonusMinutes: 60 },
  { rpoMinutes: SERVICE_LEVELS.medium.rpoMinutes, bonusMinutes: 30 },
  { rpoMinutes: SERVICE_LEVELS.low.rpoMinutes, bonusMinutes: 10 },
] as const;

/** A plan's priority (0 to 100, 50 is usual) moves it by at most this much either way: less than a step of the levels. */
const PRIORITY_MINUTES = 5;

/** Place in the queue; the smallest goes first. */
export function rankOf(policy: ScheduledPlan['policy'], queuedAt: number): number {
  const rpo = policy.serviceLevel?.rpoMinutes ?? Infinity;
  const bonus = RANK_BONUS.find((row) => rpo <= row.rpoMinutes)?.bonusMinutes ?? 0;
  const priority = ((policy.priority - 50) / 50) * PRIORITY_MINUTES;
  return Math.round(queuedAt - (bonus + priority) * MINUTE);
}

export interface Windows {
  /** Not started by then, the run fails. */
  readonly startBy: number;
  /** Not ended by then, it is stopped. */
  readonly stopBy: number;
}

/** Both count from the moment a run may start first: a late catch-up has its whole window. */
export function windowsOf(plan: Pick<ScheduledPlan, 'startWindowMinutes' | 'maxDurationMinutes'>, mayStartAt: number): Windows {
  const startBy = mayStartAt + plan.startWindowMinutes * MINUTE;
  return { startBy, stopBy: startBy + plan.maxDurationMinutes * MINUTE };
}
