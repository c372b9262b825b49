import type { ObjectInfo, Store } from './store.ts';

/**
 * A store whose objects carry no times that mean anything: a copy of a vault has those of copying, and nothing may be
 * judged by them (format §12). Every object seems to have been there always.
 */
export function withoutTimes(store: Store): Store {
  const timeless = (info: ObjectInfo): ObjectInfo => ({ ...info, storedAt: 0 });
  return {
    description: store.description,
    put: (...given) => store.put(...given),
    get: (...given) => store.get(...given),
    remove: (...given) => store.remove(...given),
    now: () => store.now(),
    stat: async (name) => timeless(await store.stat(name)),
    async *list(...given) {
      for await (const info of store.list(...given)) yield timeless(info);
    },
  };
}
