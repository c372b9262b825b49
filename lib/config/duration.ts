const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 60 * 60_000, d: 24 * 60 * 60_000 };

/** What `parseDuration` takes, for JSON Schema and for people. */
export const DURATION = /^[1-9]\d{0,6}(s|m|h|d)$/;
export const DURATION_WANTED = 'a duration such as "90s", "20m", "2h" or "7d"';

/** Milliseconds; the text must match `DURATION`. */
export function parseDuration(text: string): number {
  return Number.parseInt(text, 10) * (UNITS[text.slice(-1)] ?? Number.NaN);
}
