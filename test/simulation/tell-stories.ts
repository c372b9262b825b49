import { shortest } from './shrink.ts';
import type { Event } from './scheduler.ts';
import { Story } from './story.ts';
import type { Meddling, Outcome } from './story.ts';

export interface Seeds {
  readonly first: number;
  readonly count: number;
}

/** The fixed seeds of CI; HOLDFAST_SEEDS=100001-150000 runs others, shared out among the files. */
export function seedsOf(part: number, parts: number, perPart: number): Seeds {
  const given = /^(\d+)-(\d+)$/.exec(process.env['HOLDFAST_SEEDS'] ?? '');
  if (!given) return { first: 1 + part * perPart, count: perPart };
  const [first, last] = [Number(given[1]), Number(given[2])];
  const share = Math.ceil((last - first + 1) / parts);
  return { first: first + part * share, count: Math.max(0, Math.min(share, last - first - part * share + 1)) };
}

/** Stories told at once: they share turns of the event loop, which one story alone would mostly wait for. */
const LANES = 8;

/** Tells stories until one fails; then throws it, shrunk. Answers what all of them did together. */
export async function tellStories({ first, count }: Seeds, meddling: Meddling = {}): Promise<Outcome['counts']> {
  const total = { backups: 0, stale: 0, voids: 0, prunes: 0, deletedPacks: 0, spared: 0, removals: 0 };
  let next = first;
  const lane = async () => {
    while (next < first + count) {
      const seed = next++;
      const outcome = await new Story(seed, meddling).tell();
      if (outcome.failure !== undefined) throw new Error(`A story went wrong.\n${await shortest(seed, (telling) => new Story(seed, meddling, telling).tell(), outcome.events)}`);
      for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += outcome.counts[name];
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return total;
}

/** The first of these seeds whose story fails, and how. */
export async function findFailure({ first, count }: Seeds, meddling: Meddling): Promise<{ seed: number; failure: string; events: readonly Event[] } | undefined> {
  for (let seed = first; seed < first + count; seed++) {
    const { failure, events } = await new Story(seed, meddling).tell();
    if (failure !== undefined) return { seed, failure, events };
  }
  return undefined;
}

const PARTS = 4;
const STORIES_PER_PART = 1000;

/** One quarter of the stories: a file each, so that they run beside one another. */
export function describeStories(part: number): void {
  const seeds = seedsOf(part, PARTS, STORIES_PER_PART);
  it(
    `K8: in ${seeds.count} stories of writers and pruners, paused and killed anywhere, nothing is lost and no void backup is called good (seeds from ${seeds.first})`,
    async () => {
      const total = await tellStories(seeds);
      // The stories must be about something: all of this has to happen, often.
      expect(total.backups).toBeGreaterThan(seeds.count * 3);
      expect(total.deletedPacks).toBeGreaterThan(seeds.count);
      for (const happening of ['stale', 'voids', 'spared', 'removals'] as const) expect(total[happening]).toBeGreaterThan(seeds.count / 20);
    },
    600_000,
  );
}
