import { systemClock } from '../../lib/model/clock.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import type { Store } from '../../lib/stores/store.ts';
import { throttled } from '../../lib/stores/throttled.ts';
import { wrapStore } from '../../lib/stores/wrapping.ts';
import { expectCode, text } from '../contract/store.ts';
import { LeapingClock } from '../support/fake-clock.ts';

const kilobyte = new Uint8Array(1000);

describe('a throttled store', () => {
  let clock: LeapingClock;
  let inner: MemoryStore;
  beforeEach(() => {
    clock = new LeapingClock(0);
    inner = new MemoryStore(clock);
  });

  it('uploads no faster than it may, beyond one object ahead', async () => {
    const store = throttled(inner, { uploadBytesPerSecond: 500 }, clock);
    for (const name of ['a', 'b', 'c', 'd']) await store.put(name, kilobyte);
    expect(clock.now()).toBe(6000);
  });

  it('ends its waits when the run is asked to stop; what puts things in order afterwards does not wait', async () => {
    const stop = new AbortController();
    const store = throttled(inner, { uploadBytesPerSecond: 1, stop: stop.signal }, systemClock);
    await store.put('a', kilobyte);
    const waiting = store.put('b', kilobyte);
    setTimeout(() => stop.abort(), 20);
    await expectCode('interrupted', waiting);
    await store.put('c', kilobyte);
    expect((await inner.get('c')).byteLength).toBe(1000);
  });

  it('downloads no faster than it may, whole objects and ranges', async () => {
    for (const name of ['a', 'b']) await inner.put(name, kilobyte);
    const store = throttled(inner, { downloadBytesPerSecond: 1000 }, clock);
    await store.get('a');
    await store.get('b');
    expect(clock.now()).toBe(1000);
    await store.get('a', { offset: 0, length: 500 });
    await store.get('a', { offset: 0, length: 500 });
    expect(clock.now()).toBe(2500);
  });

  it('keeps up and down apart, and holds nothing else back', async () => {
    const store = throttled(inner, { uploadBytesPerSecond: 1, downloadBytesPerSecond: 1 }, clock);
    await store.put('a', kilobyte);
    await store.get('a');
    await store.stat('a');
    await store.remove('a');
    await store.now();
    expect(clock.now()).toBe(0);
  });

  it('does not save up time in which nothing was asked', async () => {
    const store = throttled(inner, { uploadBytesPerSecond: 1000 }, clock);
    clock.advance(1_000_000);
    const begun = clock.now();
    for (const name of ['a', 'b', 'c']) await store.put(name, kilobyte);
    expect(clock.now() - begun).toBe(2000);
  });

  it('adds nothing when no limit is set', async () => {
    const store = throttled(inner, {}, clock);
    for (const name of ['a', 'b']) await store.put(name, kilobyte);
    expect(clock.sleeps).toEqual([]);
  });

  it('runs at most so many calls at once, in the order in which they came', async () => {
    const watch = watched(inner);
    const store = throttled(watch.store, { maxConcurrency: 3 }, clock);
    await Promise.all(Array.from({ length: 12 }, (_, index) => store.put(`o/${index}`, text('x'))));
    expect(watch.most()).toBe(3);
    expect(watch.begun).toEqual(Array.from({ length: 12 }, (_, index) => `o/${index}`));
  });

  it('frees its place when a call fails', async () => {
    const store = throttled(inner, { maxConcurrency: 1 }, clock);
    await expectCode('not-found', store.get('absent'));
    await expectCode('not-found', store.get('absent'));
  });

  it('lets the reader of a listing call the store, even one call at a time', async () => {
    const store = throttled(inner, { maxConcurrency: 1 }, clock);
    await store.put('a', text('x'));
    for await (const info of store.list('')) await store.get(info.name);
  });

  it('stops waiting for its turn when the signal aborts, and gives the turn to the next', async () => {
    const watch = watched(inner);
    const store = throttled(watch.store, { maxConcurrency: 1 }, clock);
    const controller = new AbortController();
    const puts = [store.put('a', text('x')), store.put('b', text('x'), { signal: controller.signal }), store.put('c', text('x'))];
    controller.abort();
    await expectCode('interrupted', puts[1] as Promise<unknown>);
    await Promise.all([puts[0], puts[2]]);
    expect(watch.begun).toEqual(['a', 'c']);
  });

  it('stops waiting for bandwidth when the signal aborts', async () => {
    const store = throttled(inner, { uploadBytesPerSecond: 1 }, systemClock);
    await store.put('a', kilobyte);
    const controller = new AbortController();
    const waiting = store.put('b', kilobyte, { signal: controller.signal });
    setTimeout(() => controller.abort(), 5);
    await expectCode('interrupted', waiting);
    await expectCode('not-found', inner.stat('b'));
  });
});

/** Sees how many calls run at once: each takes a few turns of the event loop. */
function watched(inner: Store): { store: Store; begun: string[]; most(): number } {
  const begun: string[] = [];
  let running = 0;
  let most = 0;
  const store = wrapStore(inner, {
    async call({ name }, run) {
      begun.push(name);
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return run();
    },
  });
  return { store, begun, most: () => most };
}
