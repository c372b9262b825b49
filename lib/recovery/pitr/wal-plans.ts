import { isHoldfastError } from '../../model/errors.ts';
import { listSnapshots, parseWalObjectName, readManifest } from '../../repository/index.ts';
import type { Manifest, Repository } from '../../repository/index.ts';

export interface WalPlan {
  /** Opaque. */
  readonly plan: string;
  /** As its newest readable backup calls it; its opaque id where there is none. */
  readonly planName: string;
}

/** Plans that have WAL in the vault. Without any, no backup is read. */
export async function archivedPlans(repository: Repository): Promise<WalPlan[]> {
  const ids = new Set<string>();
  for await (const { name } of repository.store.list('wal/')) {
    const plan = parseWalObjectName(name)?.plan;
    if (plan !== undefined) ids.add(plan);
  }
  return Promise.all([...ids].map(async (plan) => ({ plan, planName: await nameOf(repository, plan) })));
}

/** Those, and plans that have backups with facts as base backups have them: reads every manifest. */
export async function walPlans(repository: Repository): Promise<WalPlan[]> {
  const plans = new Map((await archivedPlans(repository)).map(({ plan, planName }) => [plan, planName]));
  for (const { name } of await listSnapshots(repository.store)) {
    const plan = planOf(name);
    if (plans.has(plan)) continue;
    const manifest = await readable(repository, name);
    if (manifest !== undefined && 'facts' in manifest) plans.set(plan, await nameOf(repository, plan));
  }
  return [...plans].map(([plan, planName]) => ({ plan, planName }));
}

async function nameOf(repository: Repository, plan: string): Promise<string> {
  for (const { name } of (await listSnapshots(repository.store, plan)).toReversed()) {
    const manifest = await readable(repository, name);
    if (manifest !== undefined) return manifest.planName;
  }
  return plan;
}

function planOf(snapshot: string): string {
  return snapshot.split('/')[1] ?? '';
}

async function readable(repository: Repository, snapshot: string): Promise<Manifest | undefined> {
  try {
    return (await readManifest(repository, snapshot)).manifest;
  } catch (error) {
    if (!isHoldfastError(error, 'damaged') && !isHoldfastError(error, 'not-found')) throw error;
    return undefined;
  }
}
