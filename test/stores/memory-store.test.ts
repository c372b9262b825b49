import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { storeContract, text } from '../contract/store.ts';
import { LeapingClock } from '../support/fake-clock.ts';

storeContract('MemoryStore', () => new MemoryStore(new LeapingClock()));

describe('MemoryStore', () => {
  it('takes the time of storing from the clock it was given', async () => {
    const clock = new LeapingClock(1000);
    const store = new MemoryStore(clock);
    await store.put('a', text('x'));
    clock.advance(500);
    await store.put('b', text('x'));
    expect((await store.stat('a')).storedAt).toBe(1000);
    expect((await store.stat('b')).storedAt).toBe(1500);
    expect(await store.now()).toBe(1500);
  });

  it('keeps the first time when the same bytes are put again', async () => {
    const clock = new LeapingClock(1000);
    const store = new MemoryStore(clock);
    await store.put('a', text('x'));
    clock.advance(500);
    await store.put('a', text('x'));
    expect((await store.stat('a')).storedAt).toBe(1000);
  });
});
