import type { ByteRange, ObjectInfo, PutOptions, Store } from './store.ts';

export type Operation = 'put' | 'get' | 'stat' | 'list' | 'remove' | 'now';

/** One call of a store as wrappers see it. */
export interface StoreCall {
  readonly operation: Operation;
  /** The object, the prefix of a listing, or empty. */
  readonly name: string;
  /** Bytes that a `put` sends; 0 for all others. */
  readonly bytesUp: number;
  /** Of a `get`; absent when it reads everything. */
  readonly range?: ByteRange | undefined;
  /** Of a `put`: waiting on its behalf (`pause`) must end when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** What a wrapper does around the calls of another store. */
export interface Wrapping {
  /** Every call but `list`; `run` may be called not at all, once, or again. */
  call<T>(call: StoreCall, run: () => Promise<T>): Promise<T>;
  /** Absent: listings pass. `run` begins a listing, where the caller wants it when no other place is given. */
  list?(call: StoreCall, run: (after?: string) => AsyncIterable<ObjectInfo>): AsyncIterable<ObjectInfo>;
}

/** The one place that knows all methods of a store, so that each wrapper says only what it adds. */
export function wrapStore(store: Store, wrapping: Wrapping): Store {
  const call = <T>(operation: Operation, name: string, run: () => Promise<T>, more: Partial<StoreCall> = {}): Promise<T> =>
    wrapping.call({ operation, name, bytesUp: 0, ...more }, run);
  return {
    description: store.description,
    put: (name, bytes, options: PutOptions = {}) => call('put', name, () => store.put(name, bytes, options), { bytesUp: sizeOf(bytes), signal: options.signal }),
    get: (name, range, options) => call('get', name, () => store.get(name, range, options), { range }),
    stat: (name) => call('stat', name, () => store.stat(name)),
    list: (prefix, after) => {
      const run = (from = after) => store.list(prefix, from);
      return wrapping.list === undefined ? run() : wrapping.list({ operation: 'list', name: prefix, bytesUp: 0 }, run);
    },
    remove: (name) => call('remove', name, () => store.remove(name)),
    now: () => call('now', '', () => store.now()),
  };
}

function sizeOf(bytes: Uint8Array | readonly Uint8Array[]): number {
  return bytes instanceof Uint8Array ? bytes.byteLength : bytes.reduce((sum, part) => sum + part.byteLength, 0);
}
