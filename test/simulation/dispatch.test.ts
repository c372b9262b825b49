import { temporaryFolder } from '../support/temporary-folder.ts';
import type { Meddling } from './dispatch-story.ts';
import { DispatchStory } from './dispatch-story.ts';

/** `HOLDFAST_SIMULATION=200` tells so many stories, `HOLDFAST_SEED=17` only that one. */
const STORIES = Number(process.env.HOLDFAST_SIMULATION ?? 4);
const ONE = process.env.HOLDFAST_SEED;
const SEEDS = ONE === undefined ? Array.from({ length: STORIES }, (_, seed) => seed) : [Number(ONE)];
const MINUTES = 6 * 60;

async function tell(seed: number, meddle?: Meddling): Promise<DispatchStory> {
  const story = new DispatchStory(seed, `${temporaryFolder()}/catalog.sqlite`, meddle);
  try {
    await story.tell(MINUTES);
  } finally {
    await story.plane.close();
  }
  return story;
}

async function failuresOf(meddle: Meddling): Promise<string[]> {
  const failures: string[] = [];
  for (let seed = 0; seed < 2; seed += 1) await tell(seed, meddle).catch((error: Error) => failures.push(error.message));
  return failures;
}

describe('a day of many plans, crashes, two monitors at once and slow workers (P8, M1, M3)', () => {
  const seen = { dispatch: 0, monitor: 0, worker: 0, zombie: 0 };

  it.each(SEEDS)('story %i: one run for each occurrence, limits kept, every run ends, every failure told, nobody starves', async (seed) => {
    const story = await tell(seed);
    for (const [what, count] of Object.entries(story.crashes)) seen[what as keyof typeof seen] += count;
  });

  it('has seen every kind of misfortune', () => {
    if (ONE !== undefined) return;
    for (const [what, count] of Object.entries(seen)) expect({ what, isSeen: count > 0 }).toEqual({ what, isSeen: true });
  });
});

describe('the stories notice what is broken on purpose', () => {
  it('a ledger that admits past the limit', async () => {
    const failures = await failuresOf((ports) => ({ ...ports, vaultLimit: () => 50 }));
    expect(failures.join()).toContain('hold places of');
  });

  it('a monitor that publishes nothing and a publisher that forgets', async () => {
    const failures = await failuresOf((ports) => ({ ...ports, publisher: { publish: async () => undefined } }));
    expect(failures.join()).toContain('nobody was told');
  });

  it('a vault that claims to have every snapshot', async () => {
    const failures = await failuresOf((ports) => ({ ...ports, snapshotExists: async (run) => ({ backupId: run.backupId, planId: run.planId, planName: run.planName, vault: run.vault, runId: run.runId, type: 'incremental', state: 'completed', startedAt: 0, finishedAt: 0, sequence: 1, entries: 0, files: 0, bytes: 0, addedBytes: 0, warnings: 0, host: 'x', source: { type: 'files', description: '' }, statistics: {} }) as never }));
    expect(failures.join()).toContain('is good without a snapshot');
  });
});
