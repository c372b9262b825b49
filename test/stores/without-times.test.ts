import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { withoutTimes } from '../../lib/stores/without-times.ts';

describe('a store whose times mean nothing', () => {
  it('answers everything else as it is', async () => {
    const inner = new MemoryStore({ now: () => 1_700_000_000_000 });
    const store = withoutTimes(inner);
    await store.put('a/b', Buffer.from('bytes'));
    expect(await store.stat('a/b')).toEqual({ name: 'a/b', size: 5, storedAt: 0 });
    expect(await Array.fromAsync(store.list('a/'))).toEqual([{ name: 'a/b', size: 5, storedAt: 0 }]);
    expect(Buffer.from(await store.get('a/b', { offset: 1, length: 2 })).toString()).toBe('yt');
    expect(await store.now()).toBe(1_700_000_000_000);
    await store.remove('a/b');
    await expect(inner.stat('a/b')).rejects.toMatchObject({ code: 'not-found' });
  });
});
