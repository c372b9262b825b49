import type { ResolvedPlan } from './resolve-plans.ts';
import type { ResolvedPostgresPlace } from './resolved-source.ts';
import type { RemoteSecretReference } from './secret-reference.ts';

export type { ResolvedPostgres, ResolvedPostgresPlace, ResolvedSource } from './resolved-source.ts';

/** Everything of `holdfast.yaml` that the aws runtime carries out, resolved and checked. */
export interface ResolvedStack {
  readonly vaults: readonly ResolvedStackVault[];
  readonly plans: readonly ResolvedStackPlan[];
  /** By name; every network that a plan or target names is there. */
  readonly networks: Readonly<Record<string, ResolvedNetwork>>;
  readonly restoreTargets: readonly NamedRestoreTarget[];
  readonly notifications: ResolvedNotifications;
}

/** A plan of a vault of kind `aws`. */
export interface ResolvedStackPlan extends ResolvedPlan {
  readonly vault: ResolvedStackVault;
  /** File systems that its tasks see; the sources of files lie below them. */
  readonly mounts: readonly ResolvedMount[];
  readonly network: string;
  readonly task: ResolvedTask;
  readonly events: readonly ResolvedEvent[];
  readonly freshnessHours: number;
  /** How its WAL is kept; absent: nobody asked for it. */
  readonly wal?: ResolvedWal;
  readonly startWindowMinutes: number;
  readonly maxDurationMinutes: number;
}

export interface ResolvedWal {
  /** All of it is known to be in the vault at least once within this, or an alert opens. */
  readonly freshnessMs: number;
  /** A task that receives it around the clock; what it may cost when the server is lost. */
  readonly receiver: { readonly slot: string; readonly partialEveryMs: number; readonly task: ResolvedTask };
}

/** A valid size of a Fargate task. */
export interface ResolvedTask {
  /** CPU units: 1024 is one virtual CPU. */
  readonly cpu: number;
  readonly memoryMiB: number;
  /** 21 to 180. */
  readonly diskGiB: number;
}

export interface ResolvedEvent {
  /** As EventBridge reads it. */
  readonly pattern: Readonly<Record<string, unknown>>;
  /** Events within this many minutes are one run. */
  readonly collapseMinutes: number;
}

/** A vault that `cdk deploy` makes, or a bucket that it is given. */
export interface ResolvedStackVault {
  readonly kind: 'aws';
  readonly name: string;
  /** Brought instead of made; its versioning, lock and tiers are then its owner's, and `lock.mode` is `none` here. */
  readonly existingBucket?: string;
  /** ARN. */
  readonly existingKey?: string;
  readonly lock: { readonly mode: 'governance' | 'compliance' | 'none'; readonly days: number };
  /** Days until packs of the class move there; at least 30 (Standard-IA) and 0 (Glacier Instant Retrieval). */
  readonly warmAfterDays: number;
  readonly coldAfterDays: number;
  readonly maxConcurrentRuns: number;
  /** Files with the public halves of offline recipients. */
  readonly recipients?: readonly string[];
}

export type ResolvedNetwork =
  /** Made by the stack: a small VPC with public subnets and nothing billed while idle. */
  | { readonly kind: 'made' }
  | { readonly kind: 'existing'; readonly vpc: string; readonly subnets: readonly string[]; readonly securityGroups: readonly string[]; readonly assignPublicIp: boolean };

/** Elastic File System shown to a task at a path. */
export interface ResolvedMount {
  readonly path: string;
  readonly fileSystem: string;
  readonly accessPoint?: string;
}

export type ResolvedRestoreTarget =
  | (ResolvedPostgresPlace & { readonly createDatabase: boolean })
  | { readonly type: 'directory'; readonly path: string; readonly mounts: readonly ResolvedMount[] };

export interface NamedRestoreTarget {
  readonly name: string;
  readonly target: ResolvedRestoreTarget;
  readonly network: string;
  readonly task: ResolvedTask;
}

export interface ResolvedNotifications {
  readonly emails: readonly string[];
  readonly slackWebhook?: RemoteSecretReference;
  /** ARN of a topic that is brought. */
  readonly existingTopic?: string;
}
