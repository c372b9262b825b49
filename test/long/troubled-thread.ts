import type { LongSuite, OpenSuite } from './long-suite.ts';
import { serveCases } from './serve-cases.ts';

const row = (name: string, open: () => Promise<OpenSuite>): LongSuite => ({ name, title: name, unit: 'cases', smoke: 1, long: 1, open });
const never = new Int32Array(new SharedArrayBuffer(4));

/** Bit by bit: at one huge piece V8 ends the whole process, not this thread. */
function growForEver(): never {
  for (let held: object = {}; ; ) held = { held };
}

/** What can go wrong with a suite, for `run-suite.test.ts`. */
await serveCases([
  row('good', async () => ({ tell: () => undefined })),
  row('failing', async () => ({
    lanes: 4,
    tell: async (seed) => {
      if (seed === 707) throw new Error('what a person needs to know');
    },
  })),
  row('endless', async () => ({ tell: (seed) => void (seed === 12 && Atomics.wait(never, 0, 0)) })),
  row('greedy', async () => ({ tell: (seed) => (seed === 12 ? growForEver() : undefined) })),
  row('leaving', async () => ({ tell: (seed) => void (seed === 12 && process.exit(3)) })),
  row('unloadable', async () => Promise.reject(new Error('the emulator did not start'))),
]);
