import { packIdOf, readVerdicts } from '../repository/index.ts';
import type { Repository, Verdict } from '../repository/index.ts';
import { inParallel } from './in-parallel.ts';
import type { PackToCheck } from './pack-check.ts';

/** A sample reads one of so many parts; so many runs read everything. */
export const SAMPLE_PARTS = 13;
/** A vault up to this size is read whole: a sample of it would save nothing. */
export const SAMPLE_WHOLE_BYTES = 64 << 20;

type Pack = { readonly ref: PackToCheck };

export interface SampleTurn {
  readonly part: number;
  readonly parts: number;
}

/**
 * The part after the one that the newest sample read: verdicts carry the turn, so that nothing else must be remembered.
 * `backups`: whose verdicts count.
 */
export async function nextTurn(repository: Repository, backups: readonly string[]): Promise<SampleTurn> {
  let newest: Verdict | undefined;
  await inParallel(backups, 8, async (backup) => {
    const last = (await readVerdicts(repository, backup)).verdicts.findLast(({ sample }) => sample);
    if (last && (!newest || last.at > newest.at)) newest = last;
  });
  const last = newest?.sample;
  return { part: last ? (last.part + 1) % SAMPLE_PARTS : 0, parts: SAMPLE_PARTS };
}

/** The first part from this one on that holds a pack: a sample of a vault with few packs would else call it good and have read nothing. */
export function filledTurn(packs: readonly Pack[], { part, parts }: SampleTurn): SampleTurn {
  const turns = Array.from({ length: parts }, (_, step) => ({ part: (part + step) % parts, parts }));
  return turns.find((turn) => packsOfTurn(packs, turn).length > 0) ?? { part, parts };
}

/** A pack's part never changes, so every pack comes round, whatever is added or removed meanwhile. */
export function packsOfTurn<T extends Pack>(packs: readonly T[], { part, parts }: SampleTurn): T[] {
  const total = packs.reduce((sum, { ref }) => sum + ref.size, 0);
  if (total <= SAMPLE_WHOLE_BYTES) return [...packs];
  return packs.filter(({ ref }) => Number.parseInt(packIdOf(ref.name).slice(0, 8), 16) % parts === part);
}
