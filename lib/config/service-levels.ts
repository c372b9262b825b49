/**
 * How long a service may be away (RTO) and how much work may be lost (RPO), in minutes (requirement P5).
 * Rows, so that the check of a plan, the monitor and the documentation say the same.
 */
export const SERVICE_LEVELS = {
  critical: { rtoMinutes: 15, rpoMinutes: 5 },
  high: { rtoMinutes: 60, rpoMinutes: 15 },
  medium: { rtoMinutes: 4 * 60, rpoMinutes: 60 },
  low: { rtoMinutes: 24 * 60, rpoMinutes: 4 * 60 },
} as const;

/** The longest time between two runs, in minutes; cron expressions are judged by the scheduler, which can read them. */
export const FREQUENCIES = {
  hourly: 60,
  daily: 24 * 60,
  weekly: 7 * 24 * 60,
  monthly: 31 * 24 * 60,
} as const;

export type ServiceLevelName = keyof typeof SERVICE_LEVELS;
export type FrequencyName = keyof typeof FREQUENCIES;
