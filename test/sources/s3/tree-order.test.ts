import type { ByteString } from '../../../lib/model/byte-string.ts';
import { comparePaths } from '../../../lib/model/path-order.ts';
import { inTreeOrder } from '../../../lib/sources/s3/tree-order.ts';
import { randomKeys } from './random-keys.ts';

/** A bucket of keys alone, listed as S3 lists, that counts what it is asked. */
function bucketOf(keys: readonly string[]) {
  const sorted = [...new Set(keys)].sort() as ByteString[];
  const asked = { listings: 0, listed: 0, questions: 0 };
  return {
    asked, sorted,
    async *list(prefix: ByteString) {
      asked.listings++;
      for (const key of sorted) {
        if (!key.startsWith(prefix)) continue;
        asked.listed++;
        yield { key };
      }
    },
    holds: async (prefix: ByteString) => (asked.questions++, sorted.some((key) => key.startsWith(prefix))),
  };
}

async function orderOf(bucket: ReturnType<typeof bucketOf>, heldKeys?: number, prefix = '' as ByteString) {
  return Array.fromAsync(inTreeOrder(bucket, prefix, heldKeys));
}

const numbered = (stem: string, count: number) => Array.from({ length: count }, (_, index) => `${stem}${String(index).padStart(7, '0')}`);

describe('keys in the order of the entry tree (S7)', () => {
  it.each([1, 2, 3, 10, 1000])('however they are named, each once and in order, when %d may wait', async (heldKeys) => {
    for (let seed = 1; seed <= 25; seed++) {
      const bucket = bucketOf(randomKeys(seed, 200, ['a', 'b', '-', '.', '/', '/', '0'], 7));
      const found = await orderOf(bucket, heldKeys);
      const wanted = [...bucket.sorted].sort((left, right) => comparePaths(left, right));
      expect(found.map(({ item }) => item.key)).toEqual(wanted);
      expect(found.map(({ isFolder }) => isFolder)).toEqual(wanted.map((key) => bucket.sorted.some((other) => other.startsWith(`${key}/`))));
    }
  });

  it('below a prefix, whatever lies beside it', async () => {
    const bucket = bucketOf(['a', 'a-1', 'a-1/x', 'a-2', 'a/1', 'b']);
    expect((await orderOf(bucket, 2, 'a-' as ByteString)).map(({ item }) => item.key)).toEqual(['a-1', 'a-1/x', 'a-2']);
  });

  it('asks one question about a folder that a hundred thousand keys wait for, and lists it once more when it is there', async () => {
    const without = bucketOf(numbered('img-', 100_000));
    expect(await orderOf(without)).toHaveLength(100_000);
    expect(without.asked).toEqual({ listings: 1, listed: 100_000, questions: 1 });
    const dated = bucketOf(Array.from({ length: 100_000 }, (_, index) => `log-2026-${10 + (index % 3)}-${10 + (index % 28)}-${index}.gz`));
    expect(await orderOf(dated)).toHaveLength(100_000);
    // `log`, `log-2026`, and the month and the day that it was at whenever ten thousand waited.
    expect(dated.asked.questions).toBeLessThanOrEqual(12);
    const beside = bucketOf([...numbered('img-', 100_000), ...numbered('img/', 5000)]);
    const found = await orderOf(beside);
    expect(found.slice(0, 5000).every(({ item }) => item.key.startsWith('img/'))).toBe(true);
    expect(beside.asked).toEqual({ listings: 2, listed: 110_000, questions: 1 });
  });

  it('asks nothing about names with a dot, as most have', async () => {
    const bucket = bucketOf(numbered('photos/', 20_000).map((name) => `${name}.jpg`));
    expect(await orderOf(bucket)).toHaveLength(20_000);
    expect(bucket.asked).toEqual({ listings: 1, listed: 20_000, questions: 0 });
  });
});
