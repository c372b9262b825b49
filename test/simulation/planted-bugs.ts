import type { PruneState } from '../../lib/retention/prune-state.ts';
import { RULING_AGE_MS } from '../../lib/repository/index.ts';
import type { ObjectInfo, Store } from '../../lib/stores/store.ts';
import type { Meddling } from './story.ts';

const HOUR = 3_600_000;

/** The store with some of its methods replaced. */
export function altered(store: Store, changes: Partial<Store>): Store {
  const all: Store = {
    description: store.description,
    put: (...given) => store.put(...given),
    get: (...given) => store.get(...given),
    stat: (...given) => store.stat(...given),
    list: (...given) => store.list(...given),
    remove: (...given) => store.remove(...given),
    now: () => store.now(),
  };
  return { ...all, ...changes };
}

/** The writer obeys `condemned/` when it begins; its second look, though taken, shows it nothing. */
function withoutSecondLook(store: Store): Store {
  let looks = 0;
  return altered(store, {
    list: async function* (prefix) {
      const isIgnored = prefix === 'condemned/' && looks++ > 0;
      for await (const object of store.list(prefix)) if (!isIgnored) yield object;
    },
  });
}

/** Marks are carried out when they are a day old, without looking at refs again. */
function withoutRuling(state: PruneState): PruneState {
  const marks = state.marks.marks.map((mark) => (mark.ruling === 'undecided' && state.now - mark.storedAt >= RULING_AGE_MS ? { ...mark, ruling: 'doomed' as const, ruledAt: state.now } : mark));
  return { ...state, marks: { ...state.marks, marks } };
}

/** Decides by this machine's clock, which is wrong by that much. */
function withClientClock(skewMs: number): (store: Store) => Store {
  return (store) => altered(store, { now: async () => (await store.now()) + skewMs });
}

/** Refs are sent on their way, and the snapshot is stored without waiting for them. */
function withoutWaitingForRefs(store: Store): Store {
  return altered(store, {
    put: async (name, bytes) => {
      const stored = store.put(name, bytes);
      return name.startsWith('refs/') ? { created: true } : stored;
    },
  });
}

/** The writer believes that its own packs cannot be gone. */
function withoutLookingForOwnPacks(store: Store): Store {
  const own = new Map<string, ObjectInfo>();
  return altered(store, {
    put: async (name, bytes) => {
      if (name.startsWith('packs/')) own.set(name, { name, size: 0, storedAt: 0 });
      return store.put(name, bytes);
    },
    list: async function* (prefix) {
      const gone = new Map(prefix === 'packs/' ? own : []);
      for await (const object of store.list(prefix)) {
        gone.delete(object.name);
        yield object;
      }
      yield* gone.values();
    },
  });
}

export interface PlantedBug {
  readonly name: string;
  readonly meddling: Meddling;
  /** The harm that has to be seen. */
  readonly expected: RegExp;
  /** The rarer ones are looked for from a seed a little before the first that shows them; default 1. */
  readonly fromSeed?: number;
}

const LOST = /deleted the pack|needs the pack .* (which is gone|ruled to be deleted)/;
const CALLED_GOOD = /the void backup .* is called good/;

export const PLANTED_BUGS: readonly PlantedBug[] = [
  { name: 'no second look at condemned/', meddling: { writerStore: withoutSecondLook }, expected: LOST },
  { name: 'no ruling', meddling: { pruneState: withoutRuling }, expected: LOST },
  { name: "the client's clock, in prune", meddling: { prunerStore: withClientClock(26 * HOUR) }, expected: LOST },
  { name: "the client's clock, in the writer", meddling: { writerStore: withClientClock(3 * HOUR) }, expected: CALLED_GOOD },
  { name: 'refs written last but not waited for', meddling: { writerStore: withoutWaitingForRefs }, expected: /snapshot of .* is there before its refs/ },
  { name: 'own packs are not looked for', fromSeed: 1800, meddling: { writerStore: withoutLookingForOwnPacks }, expected: LOST },
];
