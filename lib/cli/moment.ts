import { HoldfastError } from '../model/errors.ts';

const UNIT_MILLISECONDS: Readonly<Record<string, number>> = { min: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };
const AGO = /^(\d+)\s*(min|h|d|w)$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})?$/;

/** `3d` before now, a date (its begin) or a time, local where no zone stands; milliseconds since the epoch. */
export function parseMoment(text: string, flag: string, now: number): number {
  const [, count, unit] = AGO.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return now - Number(count) * (UNIT_MILLISECONDS[unit] as number);
  const moment = !isInCalendar(text) ? NaN : DATE.test(text) ? Date.parse(`${text}T00:00`) : TIME.test(text) ? Date.parse(text.replace(' ', 'T')) : NaN;
  if (!Number.isNaN(moment)) return moment;
  throw new HoldfastError('usage', `${flag} has the value ${JSON.stringify(text)}, wanted a date, a time, or an age.`, { nextStep: 'For example 2026-11-20, "2026-11-20 14:30", 2026-11-20T14:30:00Z, 90min, 12h, 3d, 2w.' });
}

/** `Date.parse` takes 31 November for 1 December. What does not begin with a date is judged elsewhere. */
function isInCalendar(text: string): boolean {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})/.exec(text) ?? [];
  return year === undefined || new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day);
}
