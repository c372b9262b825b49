import type { Clock } from '../model/clock.ts';
import { isHexId } from '../model/ids.ts';
import { judgeMarks, names, packIdOf, readMarks } from '../repository/index.ts';
import { lookingOnly } from '../stores/read-only.ts';
import type { Context } from './context.ts';
import type { PackToCheck } from './pack-check.ts';
import { byId } from './pack-survey.ts';
import type { PackSurvey } from './pack-survey.ts';

/**
 * Packs that no list names and that a writer may build on all the same: those of removed backups and of runs that never
 * finished, until prune has marked them or somebody has recorded them as damaged. A backup that reuses chunks of one is
 * as good as that pack, so whoever reads everything reads them, too (decision 0021).
 */
export async function reusablePacks({ repository, listing }: Context, survey: PackSurvey, clock: Pick<Clock, 'now'>): Promise<{ readonly ref: PackToCheck }[]> {
  const needed = byId(survey);
  const absent = judgeMarks(await readMarks(lookingOnly(repository.store, clock)), 'first');
  const isReusable = (id: string) => isHexId(id) && !needed.has(id) && !absent.has(id) && !listing.has(names.damaged(id));
  return listing.in('packs').filter(({ name }) => isReusable(packIdOf(name))).map(({ name, size }) => ({ ref: { name, size } }));
}
