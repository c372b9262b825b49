import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { metered, StoreTotals } from '../../lib/stores/metered.ts';
import { lookingOnly, readOnly } from '../../lib/stores/read-only.ts';
import { expectCode, names, text } from '../contract/store.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { wrapStore } from '../../lib/stores/wrapping.ts';
import { LeapingClock } from '../support/fake-clock.ts';

describe('a read-only store', () => {
  it('refuses to write and to remove, says why, and does not ask the store', async () => {
    const clock = new LeapingClock();
    const totals = new StoreTotals();
    const inner = new MemoryStore(clock);
    await inner.put('a', text('x'));
    const store = readOnly(metered(inner, totals.observe, clock), 'this is a dry run');
    await expectCode('read-only', store.put('b', text('x')));
    await expectCode('read-only', store.put('a', text('x')));
    await expectCode('read-only', store.remove('a'));
    await expect(store.put('b', text('x'))).rejects.toThrow('refused to put b in memory: this is a dry run');
    expect(totals.calls).toMatchObject({ put: 0, remove: 0 });
    expect(await names(inner, '')).toEqual(['a']);
  });
});

describe('a store that is only looked at', () => {
  const failingWith = (code: 'read-only' | 'permission' | 'unavailable') =>
    wrapStore(new MemoryStore(new LeapingClock()), {
      async call({ operation }, run) {
        if (operation === 'now') throw new HoldfastError(code, 'no');
        return run();
      },
    });

  it('takes the time of the clock where the store cannot be asked without writing, and writes nothing', async () => {
    for (const code of ['read-only', 'permission'] as const) {
      const store = lookingOnly(failingWith(code), { now: () => 1234 });
      expect(await store.now()).toBe(1234);
      await expectCode('read-only', store.put('a', text('x')));
      await expectCode('read-only', store.remove('a'));
    }
    expect(await lookingOnly(new MemoryStore(new LeapingClock(77)), { now: () => 1234 }).now()).toBe(77);
  });

  it('does not cover up a store that fails otherwise', async () => {
    await expectCode('unavailable', lookingOnly(failingWith('unavailable'), { now: () => 1234 }).now());
  });
});
