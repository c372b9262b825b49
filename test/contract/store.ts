import fc from 'fast-check';
import { isHoldfastError, type ErrorCode } from '../../lib/model/errors.ts';
import { MAX_OBJECT_BYTES, type ObjectInfo, type Store } from '../../lib/stores/store.ts';

/** A fresh, empty store and, for stores that refuse writing, the one that fills it. */
export interface StoreUnderTest {
  readonly store: Store;
  readonly writer?: Store;
}

type MakeStore = () => Store | Promise<Store>;

export interface ContractOptions {
  /** Sequences of calls that are tried against a map; fewer where every call crosses a network. */
  readonly sequences?: number;
  /** False where `a` and `a/b` can both be objects: only what has folders can tell that one stands in the other's way. */
  readonly hasFolders?: boolean;
}

/** The promises of the port, sentence by sentence. Every store and every wrapper around one runs all of them. */
export function storeContract(name: string, makeStore: MakeStore, options: ContractOptions = {}): void {
  storeReadingContract(name, async () => ({ store: await makeStore() }));
  storeWritingContract(name, makeStore, options);
}

/** The half that holds also for a store that refuses writing. */
export function storeReadingContract(name: string, make: () => StoreUnderTest | Promise<StoreUnderTest>): void {
  describe(`${name} as a store, read`, () => {
    let store: Store;
    let writer: Store;
    beforeEach(async () => {
      const made = await make();
      store = made.store;
      writer = made.writer ?? made.store;
    });

    it('gives back exactly the bytes that were put', async () => {
      await writer.put('packs/hot/w/00/a', bytesOf(100_000));
      expectSame(await store.get('packs/hot/w/00/a'), bytesOf(100_000));
    });

    it('gives back the same bytes to who has memory to spare, whether it is used or too short', async () => {
      await writer.put('packs/hot/w/00/a', bytesOf(100_000));
      for (const room of [0, 99_999, 100_000, 150_000]) {
        const spare = new Uint8Array(new SharedArrayBuffer(room));
        expectSame(await store.get('packs/hot/w/00/a', undefined, { spare }), bytesOf(100_000));
        expectSame(await store.get('packs/hot/w/00/a', { offset: 5000, length: 40_000 }, { spare }), bytesOf(100_000).subarray(5000, 45_000));
      }
      await expectCode('not-found', store.get('packs/hot/w/00/b', undefined, { spare: new Uint8Array(10) }));
      await expectCode('damaged', store.get('packs/hot/w/00/a', { offset: 0, length: 100_001 }, { spare: new Uint8Array(200_000) }));
    });

    it('keeps an empty object', async () => {
      await writer.put('empty', new Uint8Array(0));
      expect(await store.get('empty')).toHaveLength(0);
      expect((await store.stat('empty')).size).toBe(0);
      await expectCode('damaged', store.get('empty', { offset: 0, length: 0 }));
    });

    it.each([
      [0, 10],
      [0, 1],
      [9, 1],
      [3, 4],
      [3, 0],
    ])('reads the range at %i of length %i exactly', async (offset, length) => {
      await writer.put('digits', text('0123456789'));
      expect(asText(await store.get('digits', { offset, length }))).toBe('0123456789'.slice(offset, offset + length));
    });

    it.each([
      ['begins at the end', 10, 1],
      ['begins at the end and is empty', 10, 0],
      ['begins beyond the end', 11, 1],
      ['ends beyond the end', 9, 2],
      ['is longer than the object', 0, 11],
    ])('calls a range that %s damaged, never answering short', async (_what, offset, length) => {
      await writer.put('digits', text('0123456789'));
      await expectCode('damaged', store.get('digits', { offset, length }));
    });

    it.each([
      [-1, 1],
      [0, -1],
      [0.5, 1],
      [0, Number.NaN],
    ])('refuses the impossible range at %d of length %d', async (offset, length) => {
      await writer.put('digits', text('0123456789'));
      await expectCode('broken-invariant', store.get('digits', { offset, length }));
    });

    it('says not-found for what is absent, for a folder, and for what lies below an object', async () => {
      await writer.put('folder/object', text('x'));
      for (const name of ['absent', 'absent/too', 'folder', 'folder/object/below']) {
        await expectCode('not-found', store.get(name));
        await expectCode('not-found', store.get(name, { offset: 0, length: 1 }));
        await expectCode('not-found', store.stat(name));
      }
    });

    it('lists all objects once, in byte order of their full names', async () => {
      const names = ['Z', 'a-b', 'a.b', 'a/x', 'a/x-1/y', 'a/x.z', 'a/x0', 'a0', 'a_/q', 'b/c/d/e', 'b/c-d', 'z'];
      for (const name of names.toReversed()) await writer.put(name, text(name));
      const listed = await all(store.list(''));
      expect(listed.map((info) => info.name)).toEqual([...names].sort());
      expect(listed.map((info) => info.size)).toEqual([...names].sort().map((name) => name.length));
    });

    it('lists by prefix of whole components only', async () => {
      for (const name of ['refs/p/1', 'refs/p/2', 'refs/p-q/3', 'refs/pq/4', 'refs-old/5', 'refs.json']) await writer.put(name, text(name));
      expect(await names(store, 'refs/p/')).toEqual(['refs/p/1', 'refs/p/2']);
      expect(await names(store, 'refs/')).toEqual(['refs/p-q/3', 'refs/p/1', 'refs/p/2', 'refs/pq/4']);
      expect(await names(store, 'nothing/here/')).toEqual([]);
      expect(await names(store, 'refs.json/')).toEqual([]);
      for (const prefix of ['refs', '/', 'refs//', '../', 'a b/']) await expectCode('broken-invariant', all(store.list(prefix)));
    });

    it('goes on with a listing after a name: what comes later is there exactly once', async () => {
      for (const name of ['l/a', 'l/b/c', 'l/b-c', 'l/c/d', 'l/d', 'm']) await writer.put(name, text(name));
      const later = (await all(store.list('l/', 'l/b-c'))).map((info) => info.name);
      expect(later.filter((name) => name > 'l/b-c')).toEqual(['l/b/c', 'l/c/d', 'l/d']);
    });

    it('lists nothing in a store that was never written', async () => {
      expect(await names(store, '')).toEqual([]);
    });

    it('stamps objects by its own clock: stat, list and now agree, and time does not run backwards', async () => {
      const before = await writer.now();
      await writer.put('stamped', text('x'));
      const after = await writer.now();
      const { storedAt } = await store.stat('stamped');
      expect(storedAt).toBeGreaterThanOrEqual(before);
      expect(storedAt).toBeLessThanOrEqual(after);
      expect(Number.isInteger(storedAt)).toBe(true);
      expect(await all(store.list(''))).toEqual([{ name: 'stamped', size: 1, storedAt }]);
    });

    it.each(BAD_NAMES)('refuses the name %j', async (name) => {
      await expectCode('broken-invariant', store.get(name));
      await expectCode('broken-invariant', store.stat(name));
    });
  });
}

function storeWritingContract(name: string, makeStore: MakeStore, { sequences = 25, hasFolders = true }: ContractOptions): void {
  describe(`${name} as a store, written`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await makeStore();
    });

    it('writes a name once: the same bytes succeed again, other bytes are refused and change nothing', async () => {
      expect(await store.put('once', text('first'))).toEqual({ created: true });
      const written = await store.stat('once');
      expect(await store.put('once', text('first'))).toEqual({ created: false });
      for (const other of ['other', 'first and more', 'fir', '']) await expectCode('already-exists', store.put('once', text(other)));
      expect(asText(await store.get('once'))).toBe('first');
      expect(await store.stat('once')).toEqual(written);
    });

    it('joins the parts of an object in their order, also views of shared memory, and does not care how it was split', async () => {
      const shared = new Uint8Array(new SharedArrayBuffer(64)).fill(120);
      const parts = [text('ab'), new Uint8Array(0), shared.subarray(10, 13), Buffer.from('__cd__').subarray(2, 4)];
      await store.put('parts', parts);
      expect(asText(await store.get('parts'))).toBe('abxxxcd');
      expect(await store.put('parts', [text('abx'), text('xxcd')])).toEqual({ created: false });
      await expectCode('already-exists', store.put('parts', [text('abx'), text('xxce')]));
    });

    it('takes thousands of parts', async () => {
      const parts = Array.from({ length: 5000 }, (_, index) => Uint8Array.of(index & 255, index >>> 8));
      await store.put('many', parts);
      expectSame(await store.get('many'), Buffer.concat(parts));
    });

    it('shares no memory with its callers', async () => {
      const mine = text('mine');
      await store.put('own', mine);
      mine.fill(0);
      const given = await store.get('own');
      given.fill(0);
      (await store.get('own', { offset: 0, length: 4 })).fill(0);
      expect(asText(await store.get('own'))).toBe('mine');
      expect(given.byteOffset).toBe(0);
      expect(given.buffer.byteLength).toBe(4);
    });

    it('gives one of 16 racing writers of different bytes the name, and refuses all others', async () => {
      const contents = Array.from({ length: 16 }, (_, index) => bytesOf(70_000, index));
      const results = await Promise.allSettled(contents.map((content) => store.put('race/for/it', content)));
      const winners = results.flatMap((result, index) => (result.status === 'fulfilled' ? [index] : []));
      expect(winners).toHaveLength(1);
      for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'already-exists' });
      expectSame(await store.get('race/for/it'), contents[winners[0] as number] as Uint8Array);
      expect(await names(store, '')).toEqual(['race/for/it']);
    });

    it('lets 16 racing writers of the same bytes all succeed, one of them as the creator', async () => {
      const results = await Promise.all(Array.from({ length: 16 }, () => store.put('race/same', bytesOf(70_000))));
      expect(results.filter((result) => result.created)).toHaveLength(1);
      expectSame(await store.get('race/same'), bytesOf(70_000));
    });

    it('shows readers all of an object or none while it is written', async () => {
      const whole = bytesOf(3_000_000);
      let writing = true;
      const seen: number[] = [];
      const reader = (async () => {
        while (writing) seen.push(await store.get('slow').then((bytes) => bytes.byteLength, (error: unknown) => (isHoldfastError(error, 'not-found') ? -1 : Number.NaN)));
      })();
      await store.put('slow', whole);
      writing = false;
      await reader;
      for (const size of seen) expect([-1, whole.byteLength]).toContain(size);
      expectSame(await store.get('slow'), whole);
    });

    it('removes an object, twice if asked, and lets the name be written anew', async () => {
      await store.put('gone/soon', text('x'));
      await store.remove('gone/soon');
      await store.remove('gone/soon');
      await store.remove('never/was');
      await expectCode('not-found', store.get('gone/soon'));
      expect(await names(store, '')).toEqual([]);
      expect(await store.put('gone/soon', text('other'))).toEqual({ created: true });
    });

    it('goes on listing while objects come and go: what stays is there exactly once', async () => {
      await Promise.all(Array.from({ length: 600 }, (_, index) => store.put(`l/${index % 3}/${1000 + index}`, text('x'))));
      const seen: string[] = [];
      for await (const info of store.list('l/')) {
        seen.push(info.name);
        if (seen.length === 10) await Promise.all(Array.from({ length: 100 }, (_, index) => store.remove(`l/${index % 3}/${1300 + index}`)));
        if (seen.length === 20) await store.put('l/1/0', text('late'));
      }
      const staying = (await names(store, 'l/')).filter((listed) => listed !== 'l/1/0');
      expect(seen.filter((listed) => staying.includes(listed))).toEqual(staying);
      expect(seen).toEqual([...new Set(seen)].sort());
    });

    it('lets the reader of a listing call the store and leave early', async () => {
      for (const listed of ['a', 'b', 'c']) await store.put(listed, text(listed));
      for await (const info of store.list('')) {
        expect(asText(await store.get(info.name))).toBe('a');
        break;
      }
    });

    it('refuses an object over 64 MiB', async () => {
      const megabyte = new Uint8Array(1024 * 1024);
      await expectCode('broken-invariant', store.put('big', [...Array.from({ length: MAX_OBJECT_BYTES / megabyte.byteLength }, () => megabyte), text('x')]));
      expect(await names(store, '')).toEqual([]);
    });

    if (hasFolders) it('refuses a name that is a folder or lies below an object', async () => {
      await store.put('a/b', text('x'));
      await expectCode('broken-invariant', store.put('a', text('x')));
      await expectCode('broken-invariant', store.put('a/b/c', text('x')));
      expect(await names(store, '')).toEqual(['a/b']);
    });

    it.each(BAD_NAMES)('refuses to write and remove the name %j', async (bad) => {
      await expectCode('broken-invariant', store.put(bad, text('x')));
      await expectCode('broken-invariant', store.remove(bad));
    });

    it('allows the longest names', async () => {
      const longest = `${'a'.repeat(255)}/${'b'.repeat(255)}/`.slice(0, 511);
      await store.put(longest, text('x'));
      expect(await names(store, '')).toEqual([longest]);
    });

    it('writes nothing for a signal that is aborted already', async () => {
      await expectCode('interrupted', store.put('never', text('x'), { signal: AbortSignal.abort() }));
      expect(await names(store, '')).toEqual([]);
    });

    it('behaves as a plain map under any sequence of calls', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(anyStep, { maxLength: 40 }), async (steps) => {
          const subject = await makeStore();
          const model = new Map<string, string>();
          for (const step of steps) await playStep(subject, model, step);
          const listed = (await all(subject.list(''))).map(({ name, size }) => [name, size]);
          expect(listed).toEqual([...model.keys()].sort().map((name) => [name, model.get(name)?.length]));
        }),
        { numRuns: sequences },
      );
    });
  });
}

const BAD_NAMES = ['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/../b', './a', 'a b', 'a\0b', 'ä', 'a\\b', 'tmp', 'tmp/a', 'x'.repeat(513), 'y'.repeat(256)];

type Step = { readonly kind: 'put' | 'get' | 'remove'; readonly name: string; readonly value: string };

const anyStep: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('put' as const, 'put' as const, 'get' as const, 'remove' as const),
  name: fc.constantFrom('a', 'a-b', 'a.b', 'b/x', 'b/x-y', 'b/x.0', 'b-c/x', 'b0'),
  value: fc.constantFrom('', 'one', 'two'),
});

async function playStep(store: Store, model: Map<string, string>, { kind, name, value }: Step): Promise<void> {
  const known = model.get(name);
  if (kind === 'remove') {
    await store.remove(name);
    model.delete(name);
  } else if (kind === 'get') {
    if (known === undefined) await expectCode('not-found', store.get(name));
    else expect(asText(await store.get(name))).toBe(known);
  } else if (known !== undefined && known !== value) {
    await expectCode('already-exists', store.put(name, text(value)));
  } else {
    expect(await store.put(name, text(value))).toEqual({ created: known === undefined });
    model.set(name, value);
  }
}

/** Bytes that differ from place to place, so that a shifted or repeated piece shows. */
export function bytesOf(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size);
  // Looked up once: jest's sandbox makes every look at a global slow.
  const { imul } = Math;
  let state = seed + 1;
  for (let index = 0; index < size; index += 1) {
    state = (imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** Compares megabytes in no time; the message says where they part. */
export function expectSame(actual: Uint8Array, wanted: Uint8Array): void {
  if (Buffer.compare(actual, wanted) === 0) return;
  const at = wanted.findIndex((byte, index) => actual[index] !== byte);
  throw new Error(`${actual.byteLength} bytes instead of ${wanted.byteLength}, different from byte ${at} on`);
}

export function text(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

export function asText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export async function all(objects: AsyncIterable<ObjectInfo>): Promise<ObjectInfo[]> {
  return Array.fromAsync(objects);
}

export async function names(store: Store, prefix: string): Promise<string[]> {
  return (await all(store.list(prefix))).map((info) => info.name);
}

export async function expectCode(code: ErrorCode, pending: Promise<unknown>): Promise<void> {
  const outcome = await pending.then(
    () => 'succeeded',
    (error: unknown) => (isHoldfastError(error) ? error.code : error),
  );
  expect(outcome).toBe(code);
}
