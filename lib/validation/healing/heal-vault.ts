import type { Repository } from '../../repository/index.ts';
import { executeHealing } from './heal.ts';
import type { HealingOptions, HealingResult } from './heal.ts';
import { planHealing } from './healing-plan.ts';
import type { HealingPlan } from './healing-plan.ts';
import { readHealingState } from './healing-state.ts';

/** What was done, and what is left. */
export interface HealingReport extends HealingResult {
  readonly unhealed: HealingPlan['unhealed'];
  readonly cleared: HealingPlan['cleared'];
}

/** Trees first: only then is known what entries need. */
const MAX_ROUNDS = 3;

/** Heals whatever can be healed: looks, plans, acts, and once more when trees were among it. */
export async function healVault(repository: Repository, options: HealingOptions = {}): Promise<HealingReport> {
  const done = { packs: 0, storedBytes: 0, backups: new Set<string>(), lostChunks: 0 };
  for (let round = 1; ; round++) {
    const plan = planHealing(await readHealingState(repository, options.signal));
    const result = plan.revisions.length > 0 ? await executeHealing(plan, repository, options) : { packs: 0, storedBytes: 0, backups: [], lostChunks: 0 };
    done.packs += result.packs;
    done.storedBytes += result.storedBytes;
    done.lostChunks += result.lostChunks;
    for (const snapshot of result.backups) done.backups.add(snapshot);
    if (!plan.isFirstOfTwo || round === MAX_ROUNDS) return { ...done, backups: [...done.backups], unhealed: plan.unhealed, cleared: plan.cleared };
  }
}
