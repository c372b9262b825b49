import { PLANTED_BUGS } from './planted-bugs.ts';
import { retell, shrink } from './shrink.ts';
import type { Teller } from './shrink.ts';
import { Story } from './story.ts';
import { findFailure } from './tell-stories.ts';

const SEEDS = { first: 1, count: 2000 };

describe('the simulation finds what is planted', () => {
  it.each(PLANTED_BUGS)(
    'turns red with: $name',
    async ({ meddling, expected, fromSeed: first = 1 }) => {
      const found = await findFailure({ first, count: 2000 }, meddling);
      expect(found?.failure).toMatch(expected);
      // The same seed without the bug is fine: it is the bug that was found.
      expect((await new Story(found?.seed ?? 0).tell()).failure).toBeUndefined();
    },
    120_000,
  );

  it('shrinks a failing story to one that a person can read, and that still fails', async () => {
    const { meddling } = PLANTED_BUGS[0] ?? { meddling: {} };
    const found = await findFailure(SEEDS, meddling);
    const tell: Teller = (telling) => new Story(found?.seed ?? 0, meddling, telling).tell();
    const events = await shrink(tell, found?.events ?? []);
    expect(events.length).toBeLessThan((found?.events.length ?? 0) / 2);
    // Nothing more can be left out.
    expect(await shrink(tell, events)).toHaveLength(events.length);
    const text = await retell(found?.seed ?? 0, tell, events);
    expect(text).toContain(`seed ${found?.seed}`);
    expect(text).toMatch(/=> .*(deleted the pack|needs the pack)/);
  }, 120_000);

  it('tells the same story from the same seed', async () => {
    const [first, second] = [await new Story(77, {}, { isKeepingTrace: true }).tell(), await new Story(77, {}, { isKeepingTrace: true }).tell()];
    expect(second).toEqual(first);
    expect(first.trace.length).toBeGreaterThan(100);
  });
});
