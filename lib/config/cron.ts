/** Five fields of cron, each as the set of its values. */
export interface Cron {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  /** 1 is January. */
  readonly months: ReadonlySet<number>;
  /** 0 is Sunday. */
  readonly weekdays: ReadonlySet<number>;
  /** The day field is `*`. With neither day nor weekday open, a date that fits one of them is enough, as in every cron. */
  readonly isAnyDay: boolean;
  readonly isAnyWeekday: boolean;
  /** The hour field is `*`: it means "each hour", so in an hour that clocks repeat it comes twice. */
  readonly isAnyHour: boolean;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

interface Field {
  readonly least: number;
  readonly most: number;
  /** Names of the values from `least` on. */
  readonly names: readonly string[];
}

const FIELDS: readonly Field[] = [
  { least: 0, most: 59, names: [] },
  { least: 0, most: 23, names: [] },
  { least: 1, most: 31, names: [] },
  { least: 1, most: 12, names: MONTHS },
  { least: 0, most: 7, names: WEEKDAYS },
];

const PART = /^(\*|([a-z]{3}|\d{1,2})(?:-([a-z]{3}|\d{1,2}))?)(?:\/(\d{1,2}))?$/;

/** Undefined for what is not five fields of `*`, numbers, names, lists, ranges and steps within their bounds. */
export function parseCron(text: string): Cron | undefined {
  const written = text.trim().toLowerCase().split(/ +/);
  if (written.length !== FIELDS.length) return undefined;
  const sets = written.map((field, index) => fieldValues(field, FIELDS[index] as Field));
  const [minutes, hours, days, months, weekdays] = sets;
  if (!minutes || !hours || !days || !months || !weekdays) return undefined;
  // 7 is Sunday too.
  return { minutes, hours, days, months, weekdays: new Set([...weekdays].map((day) => day % 7)), isAnyHour: written[1] === '*', isAnyDay: written[2] === '*', isAnyWeekday: written[4] === '*' };
}

/** True when the schedule comes on the date. `month` 1 to 12, `weekday` 0 to 6. */
export function isOn(cron: Cron, date: { readonly day: number; readonly month: number; readonly weekday: number }): boolean {
  if (!cron.months.has(date.month)) return false;
  const [isDay, isWeekday] = [cron.days.has(date.day), cron.weekdays.has(date.weekday)];
  return cron.isAnyDay || cron.isAnyWeekday ? isDay && isWeekday : isDay || isWeekday;
}

function fieldValues(written: string, field: Field): ReadonlySet<number> | undefined {
  const values = new Set<number>();
  for (const part of written.split(',')) {
    const range = partRange(part, field);
    if (range === undefined) return undefined;
    for (let value = range.from; value <= range.to; value += range.step) values.add(value);
  }
  return values;
}

function partRange(part: string, { least, most, names }: Field): { from: number; to: number; step: number } | undefined {
  const [, whole, first, last, stepText] = PART.exec(part) ?? [];
  if (whole === undefined) return undefined;
  const number = (text: string): number => (/^\d/.test(text) ? Number(text) : names.indexOf(text) < 0 ? Number.NaN : names.indexOf(text) + least);
  const step = stepText === undefined ? 1 : Number(stepText);
  // `5/10` means from 5 on; the last weekday of a bare `*` is 6, since 7 is 0 again.
  const end = names === WEEKDAYS ? 6 : most;
  const from = first === undefined ? least : number(first);
  const to = last !== undefined ? number(last) : first === undefined || stepText !== undefined ? end : from;
  return from >= least && to <= most && from <= to && step >= 1 ? { from, to, step } : undefined;
}
