import { shortest } from '../simulation/shrink.ts';
import { Story } from '../simulation/story.ts';
import type { OpenSuite } from './long-suite.ts';

/** The stories of `test/simulation`, which CI tells ten thousand of, under any number. */
export const stories: OpenSuite = {
  // They share turns of the event loop, which one story alone would mostly wait for.
  lanes: 8,
  tell: async (seed) => {
    const { failure, events } = await new Story(seed).tell();
    if (failure !== undefined) throw new Error(await shortest(seed, (telling) => new Story(seed, {}, telling).tell(), events));
  },
};
