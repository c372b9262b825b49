import { HoldfastError } from '../../lib/model/errors.ts';
import { faulty, type Fault } from '../../lib/stores/faulty.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { asText, expectCode, names, text } from '../contract/store.ts';
import { LeapingClock } from '../support/fake-clock.ts';

async function filled(script: readonly Fault[]) {
  const inner = new MemoryStore(new LeapingClock());
  for (const name of ['a', 'b', 'c']) await inner.put(name, text(`${name}${name}${name}${name}`));
  return { inner, store: faulty(inner, script) };
}

describe('a faulty store', () => {
  it('fails the call that the script names, before anything is done, and no other', async () => {
    const { store, inner } = await filled([{ effect: 'fail', operation: 'put', name: /^n/, nth: 2 }]);
    await store.put('n1', text('x'));
    await store.put('other', text('x'));
    await expectCode('unavailable', store.put('n2', text('x')));
    await store.put('n3', text('x'));
    expect(await names(inner, '')).toEqual(['a', 'b', 'c', 'n1', 'n3', 'other']);
  });

  it('does the call and loses the answer', async () => {
    const { store, inner } = await filled([{ effect: 'lost-response', operation: 'put', error: new HoldfastError('interrupted', 'gone') }]);
    await expectCode('interrupted', store.put('d', text('x')));
    expect(asText(await inner.get('d'))).toBe('x');
  });

  it('plays a broken store: absent, short and changed bytes', async () => {
    const { store } = await filled([
      { effect: 'missing', name: /a/ },
      { effect: 'short', name: /b/ },
      { effect: 'flipped', name: /c/ },
    ]);
    await expectCode('not-found', store.get('a'));
    await expectCode('not-found', store.stat('a'));
    expect(asText(await store.get('b'))).toBe('bb');
    expect(asText(await store.get('c'))).toBe('ccbc');
  });

  it('leaves names out of listings and breaks listings off', async () => {
    const { store } = await filled([{ effect: 'unlisted', name: /b/ }]);
    expect(await names(store, '')).toEqual(['a', 'c']);
    const { store: broken } = await filled([{ effect: 'break-off', nth: 3 }]);
    await expectCode('unavailable', names(broken, ''));
    expect(await names(broken, '')).toEqual(['a', 'b', 'c']);
  });
});
