import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '../../lib/model/errors.ts';
import { openDirectoryStore } from '../../lib/stores/directory-store.ts';
import { faulty, type Fault } from '../../lib/stores/faulty.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { probeStore, type ProbeRow } from '../../lib/stores/probe.ts';
import { readOnly } from '../../lib/stores/read-only.ts';
import type { Store } from '../../lib/stores/store.ts';
import { names } from '../contract/store.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const clock = new LeapingClock();
const failures = (rows: readonly ProbeRow[]) => rows.filter(({ result }) => result === 'failed').map(({ check }) => check);

describe('the probe of a store', () => {
  it('finds nothing wrong with a store that keeps its promises, and leaves nothing behind', async () => {
    const store = new MemoryStore(clock);
    const told: ProbeRow[] = [];
    const rows = await probeStore(store, { clock, onRow: (row) => told.push(row) });
    expect(rows.map(({ check, result }) => [check, result])).toEqual([
      ['reads at once what was written', 'ok'],
      ['writes a name once', 'ok'],
      ['lets one of many racing writers win', 'ok'],
      ['reads ranges exactly', 'ok'],
      ['lists everything, in order', 'ok'],
      ['removes', 'ok'],
      ['keeps the time', 'ok'],
    ]);
    expect(told).toEqual(rows);
    expect(await names(store, '')).toEqual([]);
  });

  it('works on a directory, beside what is kept there', async () => {
    const root = join(temporaryFolder(), 'vault');
    const store = openDirectoryStore(root);
    await store.put('holdfast.json', new Uint8Array(3));
    expect(failures(await probeStore(store, { clock: { now: () => Date.now() } }))).toEqual([]);
    expect(await names(store, '')).toEqual(['holdfast.json']);
    expect(readdirSync(join(root, 'tmp'))).toEqual([]);
  });

  /** Asks first and writes then: what many home-made "conditional" writes do. */
  const racy = (store: MemoryStore): Store => ({
    ...bound(store),
    async put(name, bytes) {
      const isThere = await store.stat(name).then(() => true, () => false);
      await Promise.resolve();
      if (isThere) return store.put(name, bytes);
      return (await Promise.all([store.remove(name), store.put(name, bytes)]))[1];
    },
  });
  const overwriting = (store: MemoryStore): Store => ({
    ...bound(store),
    async put(name, bytes) {
      await store.remove(name);
      return store.put(name, bytes);
    },
  });
  const cheats: readonly (readonly [string, (store: MemoryStore) => Store, string])[] = [
    ['gives a name to several racing writers', racy, 'lets one of many racing writers win'],
    ['writes over what is there', overwriting, 'writes a name once'],
    ['spoils a byte', (store) => faulty(store, [fault('flipped', /read\/5000$/)]), 'reads at once what was written'],
    ['answers short', (store) => faulty(store, [fault('short', /ranges$/)]), 'reads ranges exactly'],
    ['answers a range beyond the end', (store) => ({ ...bound(store), get: async (name, range) => (await store.get(name)).slice(range?.offset ?? 0, (range?.offset ?? 0) + (range?.length ?? Number.POSITIVE_INFINITY)) }), 'reads ranges exactly'],
    ['forgets an object in a listing', (store) => faulty(store, [{ effect: 'unlisted', name: /list\/a0$/ }]), 'lists everything, in order'],
    ['lists out of order', (store) => ({ ...bound(store), list: async function* (prefix) { yield* (await Array.fromAsync(store.list(prefix))).toReversed(); } }), 'lists everything, in order'],
    ['keeps what was removed', (store) => ({ ...bound(store), remove: async (name) => void (name.endsWith('removed') || (await store.remove(name))) }), 'removes'],
    ['has a clock that runs backwards', (store) => ({ ...bound(store), now: backwards() }), 'keeps the time'],
    ['is a day ahead of this machine', () => bound(new MemoryStore({ now: () => clock.now() + 86_400_000 })), 'keeps the time'],
    ['stamps objects with another clock than it tells', (store) => ({ ...bound(store), now: async () => (await store.now()) + 600_000 }), 'keeps the time'],
  ];

  it.each(cheats)('reports a store that %s, with what it means', async (_what, cheat, check) => {
    const rows = await probeStore(cheat(new MemoryStore(clock)), { clock });
    expect(failures(rows)).toEqual([check]);
    const row = rows.find(({ result }) => result === 'failed');
    expect(row?.seen.length).toBeGreaterThan(20);
    expect(row?.nextStep).toBeTruthy();
  });

  it('stops at once where nothing can be written', async () => {
    const rows = await probeStore(readOnly(new MemoryStore(clock)), { clock });
    expect(rows.map(({ check, result }) => [check, result])).toEqual([['reads at once what was written', 'failed']]);
  });

  it('takes credentials that may not delete for a writer as it should be, and says what stays', async () => {
    const store = new MemoryStore(clock);
    const denied = faulty(store, [{ effect: 'fail', operation: 'remove', error: new HoldfastError('permission', 'denied') }]);
    const rows = await probeStore(denied, { clock });
    expect(rows.filter(({ result }) => result !== 'ok').map(({ check, result }) => [check, result])).toEqual([['removes', 'warning'], ['leaves nothing behind', 'warning']]);
    expect((await names(store, '')).every((name) => name.startsWith('probe/'))).toBe(true);
  });

  it('cleans up also when it is interrupted', async () => {
    const store = new MemoryStore(clock);
    const controller = new AbortController();
    await expect(probeStore(store, { clock, signal: controller.signal, onRow: () => controller.abort() })).rejects.toMatchObject({ code: 'interrupted' });
    expect(await names(store, '')).toEqual([]);
  });
});

function fault(effect: Fault['effect'], name: RegExp): Fault {
  return { effect, operation: 'get', name };
}

function bound(store: Store): Store {
  return { description: store.description, put: (...given) => store.put(...given), get: (...given) => store.get(...given), stat: (...given) => store.stat(...given), list: (...given) => store.list(...given), remove: (...given) => store.remove(...given), now: () => store.now() };
}

function backwards(): () => Promise<number> {
  let now = clock.now();
  return async () => (now -= 1000);
}
