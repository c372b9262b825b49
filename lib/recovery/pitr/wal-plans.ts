import { isHoldfastError } from '../../model/errors.ts';
import { listSnapshots, parseWalObjectName, readManifest } from '../../repository/index.ts';
import type { Repository } from '../../repository/index.ts';

export interface WalPlan {
  /** Opaque. */
  readonly plan: string;
  /** As its newest readable backup calls it; its opaque id where there is none. */
  readonly planName: string;
}

/** Plans that have WAL in the vault, or backups with facts as base backups have them. */
export async function walPlans(repository: Repository): Promise<WalPlan[]> {
  const plans = new Map<string, string>();
  for await (const { name } of repository.store.list('wal/')) {
    const plan = parseWalObjectName(name)?.plan;
    if (plan !== undefined && !plans.has(plan)) plans.set(plan, plan);
  }
  for (const { name } of await listSnapshots(repository.store)) {
    const plan = name.split('/')[1] ?? '';
    try {
      const { manifest } = await readManifest(repository, name);
      if (plans.has(plan) || 'facts' in manifest) plans.set(plan, manifest.planName);
    } catch (error) {
      if (!isHoldfastError(error, 'damaged') && !isHoldfastError(error, 'not-found')) throw error;
    }
  }
  return [...plans].map(([plan, planName]) => ({ plan, planName }));
}
