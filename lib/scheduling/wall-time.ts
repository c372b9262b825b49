const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/**
 * Clock time of a zone as if it were UTC, in milliseconds: 02:30 in Berlin is 02:30Z here. Cron speaks of these; what
 * instants they are is decided below, once, for both DST edges.
 */
export type WallTime = number;

/** What a zone's clock shows at an instant, minus that instant. Whole minutes. */
export function offsetAt(timeZone: string, instant: number): number {
  const at = Math.floor(instant / MINUTE) * MINUTE;
  const shown = /(\d+)\/(\d+)\/(\d+), (\d+):(\d+)/.exec(formatOf(timeZone).format(at)) ?? [];
  const [, month, day, year, hour, minute] = shown.map(Number);
  return Date.UTC(year ?? NaN, (month ?? NaN) - 1, day ?? NaN, hour ?? NaN, minute ?? NaN) - at;
}

/**
 * The instants at which the clock shows `wall`: one, two when the hour is repeated, none when it is skipped.
 *
 * Two transitions of a zone within two days have never been and would be read as one.
 */
export function instantsOf(timeZone: string, wall: WallTime): number[] {
  const before = offsetAt(timeZone, wall - DAY);
  const after = offsetAt(timeZone, wall + DAY);
  if (before === after) return [wall - before];
  return [wall - before, wall - after].filter((instant) => instant + offsetAt(timeZone, instant) === wall).sort((a, b) => a - b);
}

/** For a skipped clock time: the instant at which the clock jumped over it, the first valid one after. */
export function endOfGap(timeZone: string, wall: WallTime): number {
  const before = offsetAt(timeZone, wall - DAY);
  let low = (wall - DAY) / MINUTE;
  let high = (wall + DAY) / MINUTE;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(timeZone, middle * MINUTE) === before) low = middle;
    else high = middle;
  }
  return high * MINUTE;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Making a format takes a hundred times longer than using it. */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' });
  formats.set(timeZone, made);
  return made;
}
