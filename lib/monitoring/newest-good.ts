import type { Catalog } from '../catalog/catalog.ts';
import type { BackupRecord } from '../catalog/records.ts';

/** What a plan's policy takes for good. */
export interface GoodPlan {
  readonly name: string;
  readonly policy: { readonly warningsAreGood: boolean; readonly verification: 'none' | 'structure' | 'sample' | 'full' };
}

/** A new backup counts until it has had time to be read back; then only if it was. */
const READ_BACK_MILLISECONDS = 24 * 60 * 60_000;
const PAGE = 200;

/**
 * The newest backup that the plan's policy takes for good: without warnings where warnings are not good, and read back
 * where the policy wants that, within a day. Undefined when there is none.
 */
export async function newestGood(catalog: Pick<Catalog, 'listBackups'>, plan: GoodPlan, now: number): Promise<BackupRecord | undefined> {
  let cursor: string | undefined;
  do {
    const page = await catalog.listBackups({ plan: plan.name, states: ['completed', 'validating', 'validated'], limit: PAGE, ...(cursor !== undefined && { cursor }) });
    const good = page.backups.find((backup) => isGood(backup, plan, now));
    if (good) return good;
    cursor = page.next;
  } while (cursor !== undefined);
  return undefined;
}

function isGood({ warnings, state, finishedAt }: BackupRecord, { policy }: GoodPlan, now: number): boolean {
  if (warnings > 0 && !policy.warningsAreGood) return false;
  return policy.verification === 'none' || state === 'validated' || finishedAt > now - READ_BACK_MILLISECONDS;
}
