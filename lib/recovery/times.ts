interface StoredTime {
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
}

/**
 * Node sets file times from floating-point seconds, which near the year 2030 are 240 ns apart: a restored time is
 * within a microsecond of the stored one and always in the same second.
 */
const TOLERANCE_NANOSECONDS = 1000n;
const LAST_EXACT_NANOSECOND = 999_999_500;

export function nanosecondsOf(entry: StoredTime): bigint {
  return BigInt(entry.mtimeSeconds) * 1_000_000_000n + BigInt(entry.mtimeNanoseconds);
}

export function isSameTime(left: bigint, right: bigint): boolean {
  const difference = left - right;
  return difference < TOLERANCE_NANOSECONDS && difference > -TOLERANCE_NANOSECONDS;
}

/** Seconds since the epoch as `futimes` takes them. */
export function secondsOf(entry: StoredTime): number {
  return entry.mtimeSeconds + Math.min(entry.mtimeNanoseconds, LAST_EXACT_NANOSECOND) / 1e9;
}

/** Node reads a negative number as "now"; a Date before 1970 it takes as it is. */
export function fsTime(seconds: number): number | Date {
  return seconds >= 0 ? seconds : new Date(seconds * 1000);
}
