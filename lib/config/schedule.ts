import { parseCron } from './cron.ts';
import { longestGapMinutes } from './longest-gap.ts';
import type { ResolvedPolicy } from './resolve-policy.ts';
import { FREQUENCIES } from './service-levels.ts';
import type { FrequencyName } from './service-levels.ts';

type Frequency = NonNullable<ResolvedPolicy['frequency']>;

/** When the named frequencies come, in UTC and before they are spread. */
export const FREQUENCY_TIMES: Readonly<Record<FrequencyName, { readonly hour: string; readonly days: string }>> = {
  hourly: { hour: '*', days: '* * *' },
  daily: { hour: '2', days: '* * *' },
  weekly: { hour: '3', days: '* * 0' },
  monthly: { hour: '4', days: '1 * *' },
};

/** Plans with the same frequency do not all start at once: each has a minute of its own in the hour. */
const MOST_SPREAD_MINUTES = 59;

/** The longest time between two runs, in minutes; `Infinity` for a cron that never comes. */
export function longestGap(frequency: Frequency): number {
  if (typeof frequency === 'string') return FREQUENCIES[frequency];
  const cron = parseCron(frequency.cron);
  return cron === undefined ? Infinity : longestGapMinutes(cron, frequency.timeZone);
}

/**
 * Five fields of cron and their zone. A cron that somebody wrote stays as it is: they chose the minute. A named
 * frequency comes at a minute that follows from `seed`, the same one each time, and never so late that the first run
 * after a deploy would come later than the RPO of a service level allows.
 */
export function cronOf({ frequency, serviceLevel }: Pick<ResolvedPolicy, 'frequency' | 'serviceLevel'>, seed: number): { cron: string; timeZone: string } | undefined {
  if (frequency === undefined || typeof frequency !== 'string') return frequency;
  const slack = serviceLevel === undefined ? MOST_SPREAD_MINUTES : Math.max(0, serviceLevel.rpoMinutes - FREQUENCIES[frequency]);
  const minute = seed % (Math.min(MOST_SPREAD_MINUTES, slack) + 1);
  const { hour, days } = FREQUENCY_TIMES[frequency];
  return { cron: `${minute} ${hour} ${days}`, timeZone: 'UTC' };
}
