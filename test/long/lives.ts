import { Life } from '../simulation/lives/life.ts';
import { shortest } from '../simulation/shrink.ts';
import type { OpenSuite } from './long-suite.ts';

/** The lives of `test/simulation/lives`, under any number. */
export const lives: OpenSuite = {
  lanes: 4,
  tell: async (seed) => {
    const { failure, events } = await new Life(seed).tell();
    if (failure !== undefined) throw new Error(await shortest(seed, (telling) => new Life(seed, {}, telling).tell(), events));
  },
};
