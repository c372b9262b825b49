import { HoldfastError } from '../../model/errors.ts';
import type { KeptUpLimits } from './kept-up.ts';

export interface ReceiveLimits extends KeptUpLimits {
  /** How often the segment that is being written is kept, too. */
  readonly partialEveryMs: number;
}

const PARTIAL_EVERY_MS = 60_000;
const WARN_AFTER_MS = 5 * 60_000;
const NOTE_EVERY_MS = 5 * 60_000;

/**
 * What was given, with defaults. That everything is kept is proved by two looks, so less patience than three would warn of
 * nothing. A third of it lies between two notes, so that one may be lost. Fails as `usage`.
 */
export function receiveLimits(given: { readonly partialEveryMs?: number | undefined; readonly warnAfterMs?: number | undefined }, freshnessMs?: number): ReceiveLimits {
  const { partialEveryMs = PARTIAL_EVERY_MS, warnAfterMs = Math.max(freshnessMs ?? WARN_AFTER_MS, 3 * partialEveryMs) } = given;
  if (warnAfterMs < 3 * partialEveryMs) {
    throw new HoldfastError('usage', `--warn-after is ${warnAfterMs / 1000} s and --partial-every ${partialEveryMs / 1000} s, wanted three times as much or more: it takes two looks to know what is kept.`, { nextStep: `Give --warn-after ${(3 * partialEveryMs) / 1000}s or more, or --partial-every ${Math.max(1, Math.floor(warnAfterMs / 3000))}s or less.` });
  }
  return { partialEveryMs, warnAfterMs, noteEveryMs: Math.min(NOTE_EVERY_MS, (freshnessMs ?? warnAfterMs) / 3) };
}
