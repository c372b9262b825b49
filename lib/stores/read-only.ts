import type { Clock } from '../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { Store } from './store.ts';
import { wrapStore, type Operation, type StoreCall } from './wrapping.ts';

const WRITING: readonly Operation[] = ['put', 'remove'];

/** Reading passes; `put` and `remove` fail as `read-only` before the store is asked. `reason` completes the message. */
export function readOnly(store: Store, reason = 'it was opened for reading only'): Store {
  return wrapStore(store, {
    async call({ operation, name }, run) {
      if (!WRITING.includes(operation)) return run();
      throw new HoldfastError('read-only', `refused to ${operation} ${name} in ${store.description}: ${reason}`, { data: { name } });
    },
  });
}

/**
 * As `readOnly`, for plans that are shown and not carried out: where the store cannot be asked for its time, because that
 * takes writing (a read-only mount, a folder of somebody else), `clock` answers. Nothing that is decided by that time can
 * be done through this store.
 */
export function lookingOnly(store: Store, clock: Pick<Clock, 'now'>): Store {
  const looked = readOnly(store, 'it is only looked at');
  return wrapStore(looked, {
    async call<T>({ operation }: StoreCall, run: () => Promise<T>): Promise<T> {
      if (operation !== 'now') return run();
      return run().catch((error: unknown) => {
        if (!isUnwritable(error)) throw error;
        return clock.now() as T;
      });
    },
  });
}

/** The place takes nothing, forbidden or full, as opposed to failing at it: what only reads can go on. */
export function isUnwritable(error: unknown): error is HoldfastError {
  return isHoldfastError(error, 'read-only') || isHoldfastError(error, 'permission') || isHoldfastError(error, 'no-space');
}
