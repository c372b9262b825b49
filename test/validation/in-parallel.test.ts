import { inParallel } from '../../lib/validation/in-parallel.ts';

test('every item is worked on once, so many at a time and never more', async () => {
  const done: number[] = [];
  let running = 0;
  let most = 0;
  await inParallel(Array.from({ length: 20 }, (_, index) => index), 3, async (item) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    done.push(item);
  });
  expect(done.toSorted((left, right) => left - right)).toEqual(Array.from({ length: 20 }, (_, index) => index));
  expect(most).toBe(3);
});

test('the first failure is thrown when nothing is under way any more, and nothing new is begun', async () => {
  const begun: number[] = [];
  let running = 0;
  const work = inParallel([0, 1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    running++;
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    if (item === 1) throw new Error('the second');
  });
  await expect(work).rejects.toThrow('the second');
  expect(running).toBe(0);
  expect(begun.length).toBeLessThan(5);
});
