import { createHash } from 'node:crypto';
import type { Config } from '../config/load-config.ts';
import { resolveStack } from '../config/resolve-stack.ts';
import type { ResolvedStackPlan } from '../config/resolved-aws.ts';
import { scheduleOf } from '../config/schedule.ts';
import type { DeployedConfig, DeployedPlan, DeployedRecipient } from './deployed.ts';
import { stackPlanId } from './ids.ts';

/**
 * What a stack deploys of a checked `holdfast.yaml`: the plans of its vaults and the restore targets, sorted by name, so
 * that moving a plan within the file changes nothing. It holds references to secrets and never a secret. `recipients` are the
 * public halves that were read for each vault.
 */
export function deployConfig(config: Config, stackName: string, recipients: Readonly<Record<string, readonly DeployedRecipient[]>> = {}): DeployedConfig {
  const { vaults, plans, restoreTargets } = resolveStack(config);
  return {
    version: 1,
    stackName,
    plans: plans.map((plan) => deployPlan(plan, stackName)).sort(byName),
    restoreTargets: [...restoreTargets].sort(byName),
    vaults: vaults.map(({ name, maxConcurrentRuns }) => ({ name, maxConcurrentRuns, ...(recipients[name] && { recipients: recipients[name] }) })).sort(byName),
  };
}

/** 64 hexadecimal digits; the same for the same meaning, in whatever order keys were written. */
export function configHash(deployed: DeployedConfig): string {
  return createHash('sha256').update(JSON.stringify(sorted(deployed))).digest('hex');
}

function deployPlan(plan: ResolvedStackPlan, stackName: string): DeployedPlan {
  const { name, vault, source, policy, hooks, mounts, network, task, events, freshnessHours, wal, startWindowMinutes, maxDurationMinutes } = plan;
  const planId = stackPlanId(stackName, name);
  // The id is already a hash: its first digits spread evenly.
  const schedule = scheduleOf(policy, Number.parseInt(planId.slice(0, 8), 16));
  return {
    name, planId, vault: vault.name, source, policy, mounts, network, task,
    ...(hooks && { hooks }),
    ...(schedule && { schedule }),
    events, freshnessHours,
    ...(wal && { wal }),
    startWindowMinutes, maxDurationMinutes,
  };
}

function byName(left: { readonly name: string }, right: { readonly name: string }): number {
  return left.name < right.name ? -1 : left.name > right.name ? 1 : 0;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)).map(([key, inner]) => [key, sorted(inner)]));
}
