import type { Cron } from './cron.ts';
import { isOn } from './cron.ts';

const MINUTES_A_DAY = 24 * 60;
const MS_A_DAY = 24 * 60 * 60 * 1000;
/** Two leap days and every weekday of each date lie within. */
const DAYS = 12 * 366;
const FIRST = Date.UTC(2024, 0, 1);

/**
 * The longest time between two runs, in minutes, over years; `Infinity` when it never comes. In a zone with daylight
 * saving time the day on which clocks go back is an hour longer, and a clock time in the repeated hour comes once: that
 * hour is added, but for schedules of every hour, which come in both (`lib/scheduling/cron.ts`).
 */
export function longestGapMinutes(cron: Cron, timeZone: string): number {
  const times = [...cron.hours].flatMap((hour) => [...cron.minutes].map((minute) => hour * 60 + minute)).sort((a, b) => a - b);
  const [first, last] = [times[0] as number, times.at(-1) as number];
  let longest = times.reduce((gap, time, index) => Math.max(gap, index === 0 ? 0 : time - (times[index - 1] as number)), 0);
  let previous: number | undefined;
  for (let day = 0; day < DAYS; day += 1) {
    if (!isOn(cron, dateOf(day))) continue;
    if (previous !== undefined) longest = Math.max(longest, (day - previous) * MINUTES_A_DAY + first - last);
    previous = day;
  }
  return previous === undefined || longest === 0 ? Infinity : longest + (cron.isAnyHour ? 0 : clockShiftMinutes(timeZone));
}

function dateOf(day: number): { day: number; month: number; weekday: number } {
  const date = new Date(FIRST + day * MS_A_DAY);
  return { day: date.getUTCDate(), month: date.getUTCMonth() + 1, weekday: date.getUTCDay() };
}

/** By how much the clocks of a zone are changed within a year, in minutes; 0 for most zones. */
export function clockShiftMinutes(timeZone: string): number {
  const offsets = Array.from({ length: 12 }, (_, month) => offsetMinutes(timeZone, Date.UTC(2026, month, 1, 12)));
  return Math.max(...offsets) - Math.min(...offsets);
}

function offsetMinutes(timeZone: string, at: number): number {
  const parts = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' }).formatToParts(at);
  const name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign, hours, minutes] = /([+-])(\d{2}):(\d{2})/.exec(name) ?? [];
  return sign === undefined ? 0 : (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}
