import { openRepository } from '../../lib/repository/index.ts';
import type { Repository, RepositoryConfig } from '../../lib/repository/index.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import type { Store } from '../../lib/stores/store.ts';
import { LeapingClock } from './fake-clock.ts';

export const REPOSITORY_ID = '0123456789abcdef0123456789abcdef';

/** A vault in memory with fixed keys, whose clock the test moves. */
export function memoryVault(): { clock: LeapingClock; store: MemoryStore; repository: Repository } {
  const clock = new LeapingClock();
  const store = new MemoryStore(clock);
  const config = { format: 1, repository: REPOSITORY_ID, chunker: {} } as unknown as RepositoryConfig;
  const keys = { pairs: [{ number: 1, meta: new Uint8Array(32).fill(1), data: new Uint8Array(32).fill(2) }], chunker: new Uint8Array(32).fill(3) };
  return { clock, store, repository: openRepository(store, config, keys) };
}

/** The error of every call of a process that is gone. */
export class Killed extends Error {
  override readonly name = 'Killed';
}

/** The store of a process that is killed at its n-th writing call (from 0), before or after that call reached the store. */
export function killedAt(store: Store, call: number, hasLanded: boolean): Store {
  let calls = 0;
  const writing = async <T>(work: () => Promise<T>): Promise<T> => {
    const number = calls++;
    if (number > call || (number === call && !hasLanded)) throw new Killed();
    const result = await work();
    if (number === call) throw new Killed();
    return result;
  };
  return {
    description: store.description,
    put: (name, bytes) => writing(() => store.put(name, bytes)),
    remove: (name) => writing(() => store.remove(name)),
    get: (...given) => store.get(...given),
    stat: (...given) => store.stat(...given),
    list: (...given) => store.list(...given),
    now: () => store.now(),
  };
}
