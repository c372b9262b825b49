import fc from 'fast-check';
import type { ByteString } from '../../../lib/model/byte-string.ts';
import { mergeEntries } from '../../../lib/recovery/diff/merge-entries.ts';
import { comparePaths } from '../../../lib/repository/index.ts';

type Item = { readonly path: ByteString };

async function* batches(paths: readonly string[], size: number): AsyncGenerator<Item[]> {
  for (let at = 0; at < paths.length; at += size) yield paths.slice(at, at + size).map((path) => ({ path: path as ByteString }));
  yield [];
}

describe('two sorted sequences side by side', () => {
  it('gives each path once, in order, with what each side has there, however they come in batches', async () => {
    const paths = fc.uniqueArray(fc.stringMatching(/^[a-c-](\/[a-c-]){0,2}$/), { maxLength: 20 }).map((all) => all.sort((one, other) => comparePaths(one, other)));
    await fc.assert(fc.asyncProperty(paths, paths, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }), async (left, right, one, other) => {
      const pairs = (await Array.fromAsync(mergeEntries(batches(left, one), batches(right, other)))).flat();
      const seen = pairs.map((pair) => [pair.left?.path, pair.right?.path]);
      const wanted = [...new Set([...left, ...right])].sort((a, b) => comparePaths(a, b)).map((path) => [left.includes(path) ? path : undefined, right.includes(path) ? path : undefined]);
      expect(seen).toEqual(wanted);
    }), { numRuns: 300 });
  });
});
