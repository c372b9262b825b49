import { parseCron } from './cron.ts';
import { longestGapMinutes } from './longest-gap.ts';
import type { ResolvedPolicy } from './resolve-policy.ts';
import { FREQUENCIES } from './service-levels.ts';
import type { FrequencyName } from './service-levels.ts';

type Frequency = NonNullable<ResolvedPolicy['frequency']>;

/** When the named frequencies come, in UTC and before they are spread. */
export const FREQUENCY_CRONS: Readonly<Record<FrequencyName, string>> = {
  hourly: '0 * * * *',
  daily: '0 2 * * *',
  weekly: '0 3 * * 0',
  monthly: '0 4 1 * *',
};

/** Plans with the same named frequency do not all start at once: each has a minute of its own in the hour. */
const NAMED_SPREAD_MINUTES = 59;

export interface Schedule {
  /** Five fields. */
  readonly cron: string;
  /** IANA. */
  readonly timeZone: string;
  /** So many minutes after the cron time the plan is due. */
  readonly offsetMinutes: number;
}

/** The longest time between two runs, in minutes; `Infinity` for a cron that never comes. */
export function longestGap(frequency: Frequency): number {
  if (typeof frequency === 'string') return FREQUENCIES[frequency];
  const cron = parseCron(frequency.cron);
  return cron === undefined ? Infinity : longestGapMinutes(cron, frequency.timeZone);
}

/**
 * When a plan is due; undefined when it runs only as asked to. The offset follows from `seed`, so it is the same each
 * time and the time between two runs stays what it is. It is never so long that the first run after a deploy would come
 * later than the RPO of a service level allows.
 */
export function scheduleOf({ frequency, serviceLevel }: Pick<ResolvedPolicy, 'frequency' | 'serviceLevel'>, seed: number): Schedule | undefined {
  if (frequency === undefined) return undefined;
  const spread = typeof frequency === 'string' ? NAMED_SPREAD_MINUTES : frequency.spreadMinutes ?? 0;
  const slack = serviceLevel === undefined ? spread : Math.max(0, serviceLevel.rpoMinutes - longestGap(frequency));
  const offsetMinutes = seed % (Math.min(spread, slack) + 1);
  if (typeof frequency === 'string') return { cron: FREQUENCY_CRONS[frequency], timeZone: 'UTC', offsetMinutes };
  return { cron: frequency.cron, timeZone: frequency.timeZone, offsetMinutes };
}
