import { HoldfastError } from '../model/errors.ts';
import type { Store } from './store.ts';
import { wrapStore, type Operation } from './wrapping.ts';

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
