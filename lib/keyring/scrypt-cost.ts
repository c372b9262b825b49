/** Parameters of scrypt (RFC 7914): N·r·128 bytes of memory, p rounds of it. */
export interface ScryptCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

const MAX_N = 2 ** 20;
const MAX_R = 16;
const MAX_P = 4;
const MIN_WORK = 2 ** 17;
/** N·r: 1 GiB of memory. */
const MAX_WORK = 2 ** 23;

/** 64 MiB, about a fifth of a second. */
export const DEFAULT_SCRYPT_COST: ScryptCost = { N: 65536, r: 8, p: 1 };

/**
 * What is wrong with a cost, or undefined. Slots come from the store, so that this is asked before any work: a hostile
 * slot can neither exhaust memory nor weaken the key (format §3).
 */
export function checkScryptCost({ N, r, p }: ScryptCost): string | undefined {
  const isWhole = [N, r, p].every((value) => Number.isSafeInteger(value) && value >= 1);
  const isWithin = isWhole && N <= MAX_N && Number.isInteger(Math.log2(N)) && r <= MAX_R && p <= MAX_P && N * r >= MIN_WORK && N * r <= MAX_WORK;
  if (isWithin) return undefined;
  return `scrypt N=${N} r=${r} p=${p} is out of bounds, wanted N a power of two up to ${MAX_N}, r up to ${MAX_R}, p up to ${MAX_P}, N*r from ${MIN_WORK} to ${MAX_WORK}`;
}
