import { join } from 'node:path';
import type { LongSuite } from './long-suite.ts';
import { runSuite } from './run-suite.ts';

const thread = join(__dirname, 'troubled-thread.ts');

function suite(name: string, more: Partial<LongSuite> = {}): LongSuite {
  const open = async () => Promise.reject(new Error('opened in the thread alone'));
  return { name, title: name, unit: 'cases', smoke: 1, long: 1, open, ...more };
}

describe('long suites', () => {
  it('tell every case once, shared out among threads', async () => {
    expect(await runSuite(suite('good'), { seed: 5, size: 1234, jobs: 3, thread })).toEqual({ told: 1234, failures: [], notes: [] });
  });

  it('stop at a case that fails and say its seed, which tells it again', async () => {
    const { told, failures } = await runSuite(suite('failing'), { seed: 1, size: 100_000, jobs: 2, thread });
    expect(failures).toEqual([{ seed: 707, message: expect.stringContaining('what a person needs to know') }]);
    expect(told).toBeLessThan(100_000);
    expect((await runSuite(suite('failing'), { seed: 707, size: 1, jobs: 2, thread })).failures).toHaveLength(1);
  });

  it.each<[string, Partial<LongSuite>, number, RegExp]>([
    ['endless', { patienceSeconds: 1 }, 12, /has not ended within 1 seconds/],
    ['greedy', { heapMiB: 32 }, 12, /memory/],
    ['leaving', {}, 12, /ended by itself with code 3/],
    ['unloadable', {}, 0, /the emulator did not start/],
  ])('that are %s fail, naming the case', async (name, more, seed, message) => {
    const { failures } = await runSuite(suite(name, more), { seed: 1, size: 50, jobs: 1, thread });
    expect(failures).toEqual([{ seed, message: expect.stringMatching(message) }]);
  });

  it('end early and unharmed when their time is up', async () => {
    let asked = 0;
    const { told, failures } = await runSuite(suite('good'), { seed: 1, size: 1000, jobs: 1, thread, isTimeUp: () => ++asked > 3 });
    expect(failures).toEqual([]);
    expect(told).toBe(15);
  });
});
