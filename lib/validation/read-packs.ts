import type { Clock } from '../model/clock.ts';
import type { CheckPool } from './check-pool.ts';
import type { Context } from './context.ts';
import { inParallel } from './in-parallel.ts';
import type { PackSurvey, SurveyedPack } from './pack-survey.ts';
import { problemOf, throwIfInterrupted } from './problem.ts';

export interface VerifyProgress {
  readonly phase: 'structure' | 'reading';
  readonly packs: number;
  readonly totalPacks: number;
  readonly bytes: number;
  readonly totalBytes: number;
  /** Undefined in the first second. */
  readonly etaSeconds: number | undefined;
}

export interface Reading {
  readonly pool: CheckPool;
  readonly clock: Pick<Clock, 'now'>;
  readonly onProgress: ((progress: VerifyProgress) => void) | undefined;
}

/** Reads packs in full, each once, a few at a time, and has every byte of them proved. Answers with the bytes read. */
export async function readPacks(context: Context, survey: PackSurvey, packs: readonly SurveyedPack[], { pool, clock, onProgress }: Reading): Promise<number> {
  const startedAt = clock.now();
  const totalBytes = packs.reduce((sum, { ref }) => sum + ref.size, 0);
  let bytes = 0;
  let done = 0;
  const tell = () => {
    const seconds = (clock.now() - startedAt) / 1000;
    const etaSeconds = seconds < 1 || bytes === 0 ? undefined : (seconds * (totalBytes - bytes)) / bytes;
    onProgress?.({ phase: 'reading', packs: done, totalPacks: packs.length, bytes, totalBytes, etaSeconds });
  };
  await inParallel(packs, pool.width, async (pack) => {
    throwIfInterrupted(context.signal);
    await readPack(context, survey, pack, pool);
    done++;
    bytes += pack.ref.size;
    tell();
  });
  return bytes;
}

async function readPack(context: Context, survey: PackSurvey, pack: SurveyedPack, pool: CheckPool): Promise<void> {
  const { repository, findings } = context;
  const { name } = pack.ref;
  try {
    const { problems, isLost } = await pool.check(pack.ref, await repository.store.get(name));
    if (isLost) pack.isLost = true;
    for (const { problem, ids } of problems) {
      findings.damage(name, 'pack', problem, 'content');
      for (let at = 0; at < ids.length; at += 32) survey.chunks.markDamaged(pack.ordinal, ids.subarray(at, at + 32));
    }
  } catch (error) {
    // Listed a moment ago: gone or shorter by now is damage like any other.
    findings.damage(name, 'pack', problemOf(error, context), 'content');
    pack.isLost = true;
  }
}
