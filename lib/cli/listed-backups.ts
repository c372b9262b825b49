import type { Catalog } from '../catalog/catalog.ts';
import type { BackupRecord } from '../catalog/records.ts';
import { HoldfastError } from '../model/errors.ts';
import { closestNames } from './closest-names.ts';
import type { CommandContext } from './command.ts';
import { planNames } from './plan-names.ts';
import { isStack } from './runtime.ts';

const PAGE = 1000;

/** An empty list must not be the answer to a mistyped name. */
export async function noBackupOf(plan: string, catalog: Catalog, context: CommandContext): Promise<HoldfastError> {
  const { runtime } = context;
  const stack = isStack(runtime) ? runtime : undefined;
  const deployed = (await stack?.deployedPlans()) ?? [];
  const known = [...new Set([...(await catalog.listPlans()), ...deployed].map(({ name }) => name))];
  const isKnown = planNames(plan, context).some((name) => known.includes(name));
  const nextStep = isKnown ? `The plan is known: \`holdfast backup ${plan}${stack === undefined ? '' : ` --aws ${stack.stackName}`}\` makes a backup of it.`
    : known.length === 0 ? 'There is no backup of any plan yet.' : closestNames(plan, known);
  return new HoldfastError('not-found', `There is no backup of the plan ${plan}.`, { nextStep });
}

/** The first of these names that has backups, newest first; undefined stands for all plans. */
export async function listPlan(catalog: Catalog, plans: readonly (string | undefined)[], limit: number): Promise<BackupRecord[]> {
  for (const plan of plans) {
    const backups = await listAll(catalog, plan, limit);
    if (backups.length > 0) return backups;
  }
  return [];
}

async function listAll(catalog: Catalog, plan: string | undefined, limit: number): Promise<BackupRecord[]> {
  const backups: BackupRecord[] = [];
  for (let cursor: string | undefined, isFirst = true; (isFirst || cursor !== undefined) && backups.length < limit; isFirst = false) {
    const page = await catalog.listBackups({ limit: Math.min(PAGE, limit - backups.length), ...(plan === undefined ? {} : { plan }), ...(cursor === undefined ? {} : { cursor }) });
    backups.push(...page.backups);
    cursor = page.next;
  }
  return backups;
}
