import { join } from 'node:path';
import { runSuite } from './run-suite.ts';
import { LONG_SUITES } from './suites.ts';

const thread = join(__dirname, 'thread.ts');

describe('long suites at their smoke size', () => {
  it.each(LONG_SUITES)(
    '$title ($smoke $unit)',
    async (suite) => {
      const { told, failures } = await runSuite(suite, { seed: 1, size: suite.smoke, jobs: 1, thread });
      expect(failures).toEqual([]);
      expect(told).toBe(suite.smoke);
    },
    300_000,
  );
});
