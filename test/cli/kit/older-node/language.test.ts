import { runInNewContext } from 'node:vm';
import { completeLanguage } from '../../../../lib/cli/kit/older-node/language.ts';

describe('what an older Node lacks of the language (K10)', () => {
  it('is completed, and does what the original does', async () => {
    const lean = runInNewContext('delete Array.prototype.toSorted; delete Map.groupBy; delete Array.fromAsync; ({ Array, Map })') as Pick<typeof globalThis, 'Array' | 'Map'>;
    expect(['toSorted' in lean.Array.prototype, 'groupBy' in lean.Map, 'fromAsync' in lean.Array]).toEqual([false, false, false]);
    completeLanguage(lean);
    const list = lean.Array.of(3, 1, 2);
    expect([list.toSorted((a, b) => b - a), list].map((one) => [...one])).toEqual([[3, 2, 1], [3, 1, 2]]);
    const groups = lean.Map.groupBy(['a', 'bb', 'c'], ({ length }) => length);
    expect([...groups].map(([key, group]) => [key, [...group]])).toEqual([[1, ['a', 'c']], [2, ['bb']]]);
    async function* numbers() {
      yield 1;
      yield 2;
    }
    expect([...(await lean.Array.fromAsync(numbers()))]).toEqual([1, 2]);
  });

  it('stays as it is where it is there', () => {
    const before = [Array.prototype.toSorted, Map.groupBy, Array.fromAsync];
    completeLanguage();
    expect([Array.prototype.toSorted, Map.groupBy, Array.fromAsync]).toEqual(before);
  });
});
