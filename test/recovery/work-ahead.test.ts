import { setTimeout as sleep } from 'node:timers/promises';
import { workAhead } from '../../lib/recovery/work-ahead.ts';

describe('work that runs ahead of whoever takes its results', () => {
  it('is handed out in the order of the items, whichever is done first, and never more of it at once than allowed', async () => {
    let [running, most] = [0, 0];
    const results = await Array.fromAsync(workAhead(Array.from({ length: 20 }, (_, n) => n), 3, async (n) => {
      most = Math.max(most, ++running);
      await sleep(n % 3 === 0 ? 10 : 1);
      running--;
      return n;
    }));
    expect(results).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(most).toBe(3);
  });

  it('that fails is told in its turn, after the results before it', async () => {
    const seen: number[] = [];
    const work = async (n: number) => (n > 1 ? Promise.reject(new Error(`${n} failed`)) : sleep(5, n));
    await expect((async () => { for await (const n of workAhead([0, 1, 2, 3], 4, work)) seen.push(n); })()).rejects.toThrow('2 failed');
    expect(seen).toEqual([0, 1]);
  });
});
