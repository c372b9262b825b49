const MINUTE = 60_000;

/** A year as a zone's clock shows it, minute by minute. */
export interface Year {
  readonly from: number;
  /** Clock time of each minute, as if it were UTC; in minutes, for there are half a million. */
  readonly wall: Int32Array;
  /** Indices of minutes whose clock time, or a later one, was shown before. */
  readonly repeated: ReadonlySet<number>;
  /** Clock times that were jumped over just before a minute. */
  readonly skipped: ReadonlyMap<number, readonly number[]>;
}

/**
 * Every minute of a stretch of time as `Intl.DateTimeFormat` shows it, and nothing of the code under test. `stepMinutes`
 * above 1 asks Intl once a step and counts in between: no zone has changed its clock but at a quarter of an hour.
 */
export function walk(timeZone: string, span: { readonly from: number; readonly to: number; readonly stepMinutes: number }): Year {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  const wall = new Int32Array((span.to - span.from) / MINUTE);
  const repeated = new Set<number>();
  const skipped = new Map<number, number[]>();
  let latest = -Infinity;
  for (let at = 0; at < wall.length; at += 1) {
    const inStep = at % span.stepMinutes;
    if (inStep === 0) wall[at] = Date.parse(`${format.format(span.from + at * MINUTE).replace(' ', 'T')}Z`) / MINUTE;
    else wall[at] = (wall[at - 1] ?? 0) + 1;
    const shown = wall[at] ?? 0;
    if (shown <= latest) repeated.add(at);
    const before = at === 0 ? shown - 1 : (wall[at - 1] ?? 0);
    if (shown > before + 1) skipped.set(at, Array.from({ length: shown - before - 1 }, (_, index) => before + 1 + index));
    latest = Math.max(latest, shown);
  }
  return { from: span.from, wall, repeated, skipped };
}

type Matcher = (wallMinutes: number) => boolean;

/** Reads five fields of cron: lists of numbers, ranges and steps, nothing but what the tests use. Both day fields restricted means either. */
export function cronMatcher(cron: string): Matcher {
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = cron.split(' ');
  const isEither = day !== '*' && weekday !== '*';
  return matcher({ minute, hour, month, day, weekday }, (isDay, isWeekday) => (isEither ? isDay || isWeekday : isDay && isWeekday), 0);
}

/** The same for the six fields of EventBridge Scheduler, Sunday = 1. */
export function schedulerMatcher(expression: string): Matcher {
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = expression.slice('cron('.length, -1).split(' ');
  return matcher({ minute, hour, month, day, weekday }, (isDay, isWeekday) => isDay && isWeekday, 1);
}

function matcher(fields: Record<'minute' | 'hour' | 'month' | 'day' | 'weekday', string>, join: (isDay: boolean, isWeekday: boolean) => boolean, sunday: number): Matcher {
  const [minutes, hours, days, months, weekdays] = [valuesOf(fields.minute, 0), valuesOf(fields.hour, 0), valuesOf(fields.day, 1), valuesOf(fields.month, 1), valuesOf(fields.weekday, sunday)];
  return (wall) => {
    if (!minutes.has(wall % 60)) return false;
    const at = new Date(wall * MINUTE);
    return hours.has(at.getUTCHours()) && months.has(at.getUTCMonth() + 1) && join(days.has(at.getUTCDate()), weekdays.has(at.getUTCDay() + sunday));
  };
}

function valuesOf(field: string, first: number): ReadonlySet<number> {
  return new Set(field.split(',').flatMap((part) => {
    const [range = '', step = '1'] = part.split('/');
    const [from = '', to = from] = range === '*' || range === '?' ? [String(first), '99'] : range.split('-');
    return Array.from({ length: Math.floor((Number(to) - Number(from)) / Number(step)) + 1 }, (_, index) => Number(from) + index * Number(step));
  }));
}

/** The instants at which a schedule without offset is due, by the rules that `occurrencesBetween` promises. */
export function dueByWalking(cron: string, year: Year): number[] {
  const matches = cronMatcher(cron);
  const isEverySoOften = cron.split(' ')[1]?.startsWith('*') === true;
  const due: number[] = [];
  year.wall.forEach((wall, at) => {
    const isShown = matches(wall) && (isEverySoOften || !year.repeated.has(at));
    if (isShown || year.skipped.get(at)?.some(matches)) due.push(year.from + at * MINUTE);
  });
  return due;
}
