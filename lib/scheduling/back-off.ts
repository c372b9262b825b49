const FIRST_WAIT_MS = 30_000;
const LONGEST_WAIT_MS = 10 * 60_000;

/**
 * Full jitter: between nothing and twice as long as the time before, so that runs that were refused together do not come
 * back together. `random` is from 0 up to 1. Milliseconds.
 */
export function backOff(attempts: number, random: () => number): number {
  const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempts, 20));
  return Math.round(random() * ceiling);
}
