import { listKeptNotes } from '../../repository/index.ts';
import type { Repository } from '../../repository/index.ts';
import type { WalLedger } from './read-ledger.ts';

/** How long ago anything said that WAL of a plan arrives; times by the store's clock. */
export interface WalAge {
  /** When the newest WAL was stored, or the newest note that all is kept. Undefined: never. */
  readonly newestAt: number | undefined;
  /** Undefined: never. */
  readonly ageMs: number | undefined;
  readonly maxAgeMs: number;
  readonly isLate: boolean;
}

/** One listing of the plan's notes besides the ledgers, which know its WAL. */
export async function walAge({ store }: Pick<Repository, 'store'>, plan: string, ledgers: readonly Pick<WalLedger, 'newest'>[], maxAgeMs: number): Promise<WalAge> {
  const notes = await listKeptNotes(store, plan);
  // After the listings: what arrives meanwhile makes it older, never younger than it is.
  const now = await store.now();
  const times = [...notes.map(({ storedAt }) => storedAt), ...ledgers.flatMap(({ newest }) => (newest === undefined ? [] : [newest.storedAt]))];
  if (times.length === 0) return { newestAt: undefined, ageMs: undefined, maxAgeMs, isLate: true };
  const newestAt = Math.max(...times);
  const ageMs = Math.max(0, now - newestAt);
  return { newestAt, ageMs, maxAgeMs, isLate: ageMs > maxAgeMs };
}
