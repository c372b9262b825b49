import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { metered, StoreTotals } from '../../lib/stores/metered.ts';
import { readOnly } from '../../lib/stores/read-only.ts';
import { expectCode, names, text } from '../contract/store.ts';
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
