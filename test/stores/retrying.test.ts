import { HoldfastError } from '../../lib/model/errors.ts';
import { faulty, type Fault } from '../../lib/stores/faulty.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { retrying, type Retry, type RetryingOptions } from '../../lib/stores/retrying.ts';
import { asText, expectCode, names, text } from '../contract/store.ts';
import { LeapingClock } from '../support/fake-clock.ts';

const clock = new LeapingClock();

function scripted(script: readonly Fault[], options: Partial<RetryingOptions> = {}) {
  const inner = new MemoryStore(clock);
  const retries: Retry[] = [];
  const store = retrying(faulty(inner, script), { clock, random: () => 0.5, onRetry: (retry) => retries.push(retry), ...options });
  return { inner, store, retries };
}

const failing = (count: number, more: Partial<Fault> = {}): Fault[] => Array.from({ length: count }, (_, index) => ({ effect: 'fail', nth: index + 1, ...more }));

describe('a retrying store', () => {
  it('repeats what failed for the moment, with pauses that double up to a bound and are random below it', async () => {
    const { store, retries } = scripted(failing(5), { baseDelayMs: 100, maxDelayMs: 500 });
    await store.put('a', text('x'));
    expect(retries.map(({ delayMs }) => delayMs)).toEqual([50, 100, 200, 250, 250]);
    expect(retries.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5]);
    expect(retries[0]).toMatchObject({ operation: 'put', name: 'a', error: { code: 'unavailable' } });
  });

  it('pauses between nothing and the whole bound: full jitter', async () => {
    for (const [random, wanted] of [[0, 0], [0.999, 99.9]] as const) {
      const { store, retries } = scripted(failing(1), { baseDelayMs: 100, random: () => random });
      await store.put('a', text('x'));
      expect(retries[0]?.delayMs).toBeCloseTo(wanted);
    }
  });

  it.each(['no-space', 'permission', 'already-exists', 'not-found', 'damaged', 'read-only', 'broken-invariant'] as const)('gives %s to the caller at once', async (code) => {
    const { store, retries } = scripted(failing(1, { error: new HoldfastError(code, 'as the script says') }));
    await expectCode(code, store.put('a', text('x')));
    expect(retries).toEqual([]);
  });

  it('succeeds with a put whose answer was lost, and changes nothing', async () => {
    const { store, inner } = scripted([{ effect: 'lost-response', operation: 'put', nth: 1 }]);
    expect(await store.put('a', text('mine'))).toEqual({ created: false });
    expect(asText(await inner.get('a'))).toBe('mine');
  });

  it('does not take the bytes of another writer for its own lost put', async () => {
    const { store, inner } = scripted([{ effect: 'fail', operation: 'put', nth: 1 }]);
    await inner.put('a', text('theirs'));
    await expectCode('already-exists', store.put('a', text('mine')));
  });

  it('gives up with the last error when the budget of the call is spent', async () => {
    const { store } = scripted([{ effect: 'fail' }], { baseDelayMs: 1000, maxDelayMs: 10_000, budgetMs: 60_000 });
    const begun = clock.now();
    await expectCode('unavailable', store.get('a'));
    expect(clock.now() - begun).toBeGreaterThan(50_000);
    expect(clock.now() - begun).toBeLessThanOrEqual(60_000);
  });

  it('goes on with a listing where it broke off, without repeating or skipping a name', async () => {
    const { store, inner, retries } = scripted([2, 3, 7, 8].map((nth) => ({ effect: 'break-off', nth })));
    for (const name of ['a', 'b', 'c', 'd', 'e']) await inner.put(name, text(name));
    expect(await names(store, '')).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(retries).toHaveLength(4);
  });

  it('does not run a listing again for an error of its reader', async () => {
    const { store, inner, retries } = scripted([]);
    await inner.put('a', text('x'));
    const read = async () => {
      for await (const _info of store.list('')) throw new HoldfastError('unavailable', 'the reader failed');
    };
    await expectCode('unavailable', read());
    expect(retries).toEqual([]);
  });

  it('stops waiting when the signal aborts, with its reason', async () => {
    const controller = new AbortController();
    const reason = new HoldfastError('interrupted', 'stop');
    const { store } = scripted([{ effect: 'fail' }], { onRetry: () => controller.abort(reason) });
    await expect(store.put('a', text('x'), { signal: controller.signal })).rejects.toBe(reason);
  });
});
