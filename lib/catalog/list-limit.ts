import { HoldfastError } from '../model/errors.ts';

const DEFAULT_LIMIT = 1_000;
const MAX_LIMIT = 10_000;

/** How many records a list gives at most: 1,000 when not said, `usage` outside 1 to 10,000. */
export function limitOf(limit = DEFAULT_LIMIT): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) throw new HoldfastError('usage', `The limit is ${limit}, wanted a whole number from 1 to ${MAX_LIMIT}.`);
  return limit;
}
