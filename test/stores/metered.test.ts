import { faulty } from '../../lib/stores/faulty.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { metered, StoreTotals, type MeteredCall } from '../../lib/stores/metered.ts';
import { throttled } from '../../lib/stores/throttled.ts';
import { expectCode, text } from '../contract/store.ts';
import { LeapingClock } from '../support/fake-clock.ts';

describe('a metered store', () => {
  it('tells of every call when it ends: bytes, duration, outcome', async () => {
    const clock = new LeapingClock(0);
    const calls: MeteredCall[] = [];
    const slow = throttled(new MemoryStore(clock), { uploadBytesPerSecond: 2 }, clock);
    const store = metered(slow, (call) => calls.push(call), clock);
    await store.put('a', [text('12'), text('34')]);
    await store.put('b', text('56'));
    await store.get('a', { offset: 1, length: 2 });
    await expectCode('not-found', store.get('absent'));
    for await (const info of store.list('')) if (info.name === 'a') break;
    expect(calls).toEqual([
      { operation: 'put', name: 'a', bytesUp: 4, bytesDown: 0, milliseconds: 0, outcome: 'ok' },
      { operation: 'put', name: 'b', bytesUp: 2, bytesDown: 0, milliseconds: 2000, outcome: 'ok' },
      { operation: 'get', name: 'a', bytesUp: 0, bytesDown: 2, milliseconds: 0, outcome: 'ok' },
      { operation: 'get', name: 'absent', bytesUp: 0, bytesDown: 0, milliseconds: 0, outcome: 'not-found' },
      { operation: 'list', name: '', bytesUp: 0, bytesDown: 0, milliseconds: 0, outcome: 'ok' },
    ]);
  });

  it('adds up calls, failures and bytes', async () => {
    const clock = new LeapingClock();
    const totals = new StoreTotals();
    const store = metered(faulty(new MemoryStore(clock), [{ effect: 'fail', operation: 'put', nth: 2 }, { effect: 'fail', operation: 'list' }]), totals.observe, clock);
    await store.put('a', text('1234'));
    await expectCode('unavailable', store.put('b', text('1234')));
    await store.get('a');
    await store.remove('a');
    await expectCode('unavailable', Array.fromAsync(store.list('')));
    expect(totals).toMatchObject({
      calls: { put: 2, get: 1, stat: 0, list: 1, remove: 1, now: 0 },
      failures: { put: 1, get: 0, stat: 0, list: 1, remove: 0, now: 0 },
      bytesUp: 4,
      bytesDown: 4,
    });
  });
});
