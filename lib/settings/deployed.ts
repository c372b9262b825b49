import type { ResolvedHooks } from '../config/hooks-schema.ts';
import type { ResolvedPolicy } from '../config/resolve-policy.ts';
import type { ResolvedMount, ResolvedSource, ResolvedNetwork, ResolvedRestoreTarget } from '../config/resolved-aws.ts';

/**
 * `holdfast.yaml` as the stack deploys it: an asset keyed by its hash, read by the functions; a run carries its own plan
 * from it, so a deploy changes nothing under way.
 */
export interface DeployedConfig {
  readonly version: 1;
  readonly stackName: string;
  readonly plans: readonly DeployedPlan[];
  readonly restoreTargets: readonly DeployedRestoreTarget[];
  readonly vaults: readonly DeployedVault[];
}

export interface DeployedPlan {
  readonly name: string;
  /** Opaque, 32 hexadecimal digits: `stackPlanId`. */
  readonly planId: string;
  readonly vault: string;
  readonly source: ResolvedSource;
  readonly policy: ResolvedPolicy;
  /** Commands around its runs, in the worker's container; absent: none. */
  readonly hooks?: ResolvedHooks;
  /** File systems that its tasks see; absent: none. */
  readonly mounts?: readonly ResolvedMount[];
  /** Name of the network its tasks run in. */
  readonly network: string;
  readonly task: TaskSize;
  /** When it runs by itself; absent: only when asked to, or by events. */
  readonly schedule?: DeployedSchedule;
  /** EventBridge patterns that start it; a burst within this many minutes is one run. */
  readonly events: readonly { readonly pattern: Readonly<Record<string, unknown>>; readonly collapseMinutes: number }[];
  /** Older than this is an alert (M1). */
  readonly freshnessHours: number;
  /** How its WAL is kept; absent: nobody asked for it. */
  readonly wal?: DeployedWal;
  /** A run may wait this long to start, and take this long. */
  readonly startWindowMinutes: number;
  readonly maxDurationMinutes: number;
}

export interface DeployedWal {
  /** All of it is known to be in the vault at least once within this, or an alert opens. */
  readonly freshnessMs: number;
  /** The task that receives it around the clock. */
  readonly receiver: { readonly slot: string; readonly partialEveryMs: number; readonly task: TaskSize };
}

export interface DeployedSchedule {
  /** Five fields of cron. */
  readonly cron: string;
  /** IANA. */
  readonly timeZone: string;
  /** Starts are spread: this many minutes after the cron time, hashed from the plan's id. */
  readonly offsetMinutes: number;
}

export interface DeployedVault {
  readonly name: string;
  /** Most runs at once. */
  readonly maxConcurrentRuns: number;
  /** Offline recipients that its keys are wrapped for; absent: none. */
  readonly recipients?: readonly DeployedRecipient[];
}

/** A public half: no secret. */
export interface DeployedRecipient {
  /** Name of its file. */
  readonly label: string;
  /** As it stands in its file, without the comments. */
  readonly text: string;
}

export interface DeployedRestoreTarget {
  readonly name: string;
  readonly target: ResolvedRestoreTarget;
  readonly network: string;
  readonly task: TaskSize;
}

export interface TaskSize {
  /** CPU units: 1024 is one virtual CPU. */
  readonly cpu: number;
  readonly memoryMiB: number;
  /** Scratch, 21 to 180 (design: more is refused). */
  readonly diskGiB: number;
}

export type DeployedNetworks = Readonly<Record<string, ResolvedNetworkPlace>>;

/** What RunTask needs of a network, once the stack has made or found it. */
export interface ResolvedNetworkPlace {
  readonly subnets: readonly string[];
  readonly securityGroups: readonly string[];
  readonly assignPublicIp: boolean;
}

export type { ResolvedNetwork };
