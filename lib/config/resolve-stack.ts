import type { Config } from './load-config.ts';
import { policyNames } from './resolve-policy.ts';
import { resolveConnection, resolvePlans, resolveVaults } from './resolve-plans.ts';
import type { NamedRestoreTarget, ResolvedMount, ResolvedNetwork, ResolvedNotifications, ResolvedStack, ResolvedStackPlan, ResolvedTask } from './resolved-aws.ts';
import type { MountFields, NetworkFields, RestoreTargetFields, TaskFields, WalReceiverFields } from './aws-schema.ts';
import type { PlanFields } from './schema.ts';
import { longestGap } from './schedule.ts';
import { slotOf } from './slot-name.ts';
import { isRemote } from './secret-reference.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const DEFAULT_NETWORK = 'default';
const DEFAULT_TASK: ResolvedTask = { cpu: 1024, memoryMiB: 2048, diskGiB: 21 };
const FRESHNESS_HOURS = 24;
const MEDIA_FRESHNESS_HOURS = 48;
const START_WINDOW_MINUTES = 60;
const MAX_DURATION_MINUTES = 12 * 60;

/** What `cdk deploy` makes of a checked file: vaults of kind `aws`, their plans, and what these need. In the order of the file. */
export function resolveStack(config: Config): ResolvedStack {
  const plans = stackPlans(config);
  const restoreTargets = Object.entries(config.fields['restore-targets'] ?? {}).map(([name, fields]) => resolveTarget(config, name, fields));
  const used = new Set([...plans, ...restoreTargets].map(({ network }) => network));
  return {
    vaults: resolveVaults(config).filter((vault) => vault.kind === 'aws'),
    plans,
    networks: networksOf(config, used),
    restoreTargets,
    notifications: notificationsOf(config),
  };
}

function stackPlans(config: Config): ResolvedStackPlan[] {
  return resolvePlans(config).flatMap((plan) => {
    const { vault } = plan;
    const fields = config.fields.plans[plan.name];
    if (vault.kind !== 'aws' || fields === undefined) return [];
    return [{
      ...plan,
      vault,
      mounts: (fields.mounts ?? []).map(resolveMount),
      network: fields.network ?? DEFAULT_NETWORK,
      task: resolveTask(fields.task),
      events: (fields.events ?? []).map(({ pattern, 'collapse-minutes': collapseMinutes }) => ({ pattern, collapseMinutes })),
      freshnessHours: fields['freshness-hours'] ?? defaultFreshness(config, fields, plan),
      ...resolveWal(plan, fields['wal-receiver']),
      startWindowMinutes: fields['start-window-minutes'] ?? START_WINDOW_MINUTES,
      maxDurationMinutes: fields['max-duration-minutes'] ?? MAX_DURATION_MINUTES,
    }];
  });
}

/** A backup is good when it has ended, not when it was due: a plan that runs just as often as promised gets this to run in. */
const HOURS_TO_RUN = 2;

/** A plan that runs less often than its promise would be in alert for most of its life: it gets a day to come round. */
function defaultFreshness(config: Config, { policy }: PlanFields, { policy: { frequency } }: Pick<ResolvedStackPlan, 'policy'>): number {
  const promised = basePolicy(config, policy) === 'media' ? MEDIA_FRESHNESS_HOURS : FRESHNESS_HOURS;
  const gapHours = frequency === undefined ? 0 : Math.ceil(longestGap(frequency) / 60);
  if (gapHours > promised + 1) return gapHours + 24;
  return Math.max(promised, gapHours + HOURS_TO_RUN);
}

const WAL_FRESHNESS_MS = 15 * 60_000;
const PARTIAL_EVERY_MS = 60_000;

function resolveWal({ name, source }: Pick<ResolvedStackPlan, 'name' | 'source'>, fields: WalReceiverFields | undefined): Pick<ResolvedStackPlan, 'wal'> {
  if (fields === undefined || source.type !== 'postgres-physical') return {};
  const { slot = slotOf(name), 'partial-every': partialEveryMs = PARTIAL_EVERY_MS, ...size } = fields;
  return { wal: { freshnessMs: source.walFreshnessMs ?? Math.max(WAL_FRESHNESS_MS, 3 * partialEveryMs), receiver: { slot, partialEveryMs, task: resolveTask(size) } } };
}

function basePolicy(config: Config, policy: PlanFields['policy']): string | undefined {
  const named = typeof policy === 'string' ? policy : policy?.['based-on'];
  return named !== undefined && policyNames(config).includes(named) ? named : undefined;
}

function resolveTask(fields: TaskFields | undefined): ResolvedTask {
  return fields === undefined ? DEFAULT_TASK : { cpu: fields.cpu, memoryMiB: fields.memory / MIB, diskGiB: fields.disk / GIB };
}

function resolveMount({ path, 'file-system': fileSystem, 'access-point': accessPoint }: MountFields): ResolvedMount {
  return { path, fileSystem, ...(accessPoint !== undefined && { accessPoint }) };
}

function resolveTarget(config: Config, name: string, fields: RestoreTargetFields): NamedRestoreTarget {
  const target = fields.type === 'postgres' ? { ...resolveConnection(config, fields), createDatabase: fields['create-database'] } : { type: fields.type, path: fields.path, mounts: fields.mounts.map(resolveMount) };
  return { name, target, network: fields.network ?? DEFAULT_NETWORK, task: resolveTask(fields.task) };
}

/** The network `default` is made when somebody uses it and nobody described it. */
function networksOf(config: Config, used: ReadonlySet<string>): Record<string, ResolvedNetwork> {
  const described = Object.entries(config.fields.networks ?? {}).map(([name, fields]) => [name, existingNetwork(fields)] as const);
  const isMade = used.has(DEFAULT_NETWORK) && !described.some(([name]) => name === DEFAULT_NETWORK);
  return Object.fromEntries<ResolvedNetwork>([...(isMade ? [[DEFAULT_NETWORK, { kind: 'made' }] as const] : []), ...described]);
}

function existingNetwork({ vpc, subnets, 'security-groups': securityGroups, 'public-address': assignPublicIp }: NetworkFields): ResolvedNetwork {
  return { kind: 'existing', vpc, subnets, securityGroups, assignPublicIp };
}

function notificationsOf({ fields: { notifications } }: Config): ResolvedNotifications {
  const { slack, 'existing-topic': existingTopic } = notifications ?? {};
  return {
    emails: notifications?.email ?? [],
    ...(slack !== undefined && isRemote(slack) && { slackWebhook: slack }),
    ...(existingTopic !== undefined && { existingTopic }),
  };
}
