import { retell, shrink } from '../shrink.ts';
import type { Teller } from '../shrink.ts';
import { LIFE_BUGS } from './life-bugs.ts';
import { Life } from './life.ts';
import type { LifeMeddling, LifeOutcome } from './life.ts';

async function firstFailure(meddling: LifeMeddling, count: number): Promise<LifeOutcome & { readonly seed: number }> {
  for (let seed = 1; seed <= count; seed++) {
    const outcome = await new Life(seed, meddling).tell();
    if (outcome.failure !== undefined) return { ...outcome, seed };
  }
  throw new Error(`none of ${count} lives fails`);
}

describe('lives of a vault whose disk goes bad', () => {
  it.each(LIFE_BUGS)('turn red with: $name', async ({ meddling, expected }) => {
    const { failure, seed } = await firstFailure(meddling, 40);
    expect(failure).toMatch(expected);
    // The same life without the bug is fine: it is the bug that was found.
    expect((await new Life(seed).tell()).failure).toBeUndefined();
  }, 120_000);

  it('are shrunk to a story that still fails in the same way', async () => {
    const { meddling } = LIFE_BUGS[1] ?? { meddling: {} };
    const { seed, events } = await firstFailure(meddling, 40);
    const tell: Teller = (telling) => new Life(seed, meddling, telling).tell();
    const shorter = await shrink(tell, events, 30);
    expect(shorter.length).toBeLessThan(events.length / 2);
    expect(await retell(seed, tell, shorter)).toMatch(/=> .*was recorded as damaged before its run began/);
  }, 120_000);
});
