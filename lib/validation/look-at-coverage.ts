import type { Clock } from '../model/clock.ts';
import { readCoverage } from '../repository/index.ts';
import type { Repository } from '../repository/index.ts';
import { lookingOnly } from '../stores/read-only.ts';
import { coverageState } from './coverage-clock.ts';
import type { ClockedPack, CoverageState } from './coverage-clock.ts';

/** How long ago the listed packs were read, without reading or writing any; needs the meta key. */
export async function lookAtCoverage(repository: Repository, packs: readonly ClockedPack[], { clock, withinDays }: { readonly clock: Pick<Clock, 'now'>; readonly withinDays?: number | undefined }): Promise<CoverageState> {
  const now = await lookingOnly(repository.store, clock).now();
  return coverageState(packs, await readCoverage(repository, now), { now, withinDays });
}
