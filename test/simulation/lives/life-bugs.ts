import type { Store } from '../../../lib/stores/store.ts';
import { altered } from '../planted-bugs.ts';
import type { LifeMeddling } from './life.ts';

/** Damage is found and told, and no note of it is left for writers. */
function withoutDamageRecords(store: Store): Store {
  return altered(store, { put: async (name, bytes) => (name.startsWith('damaged/') ? { created: true } : store.put(name, bytes)) });
}

/** Writers build on packs that are known to be damaged. */
function withoutLookingForDamage(store: Store): Store {
  return altered(store, {
    list: async function* (prefix) {
      for await (const object of store.list(prefix)) if (prefix !== 'damaged/') yield object;
    },
  });
}

/** Healing says that backups have new lists of packs, and they have not. */
function withoutNewLists(store: Store): Store {
  return altered(store, { put: async (name, bytes) => (/^refs\/.*\.[1-9]\d*$/.test(name) ? { created: true } : store.put(name, bytes)) });
}

export interface LifeBug {
  readonly name: string;
  readonly meddling: LifeMeddling;
  /** The harm that has to be seen. */
  readonly expected: RegExp;
}

export const LIFE_BUGS: readonly LifeBug[] = [
  { name: 'damage that is not recorded', meddling: { verifierStore: withoutDamageRecords }, expected: /made after all damage was found, lacks/ },
  { name: 'writers that do not look at damaged/', meddling: { writerStore: withoutLookingForDamage }, expected: /was recorded as damaged before its run began/ },
  { name: 'lists of packs that healing did not write', meddling: { healerStore: withoutNewLists }, expected: /after healing, and the source has them/ },
];
