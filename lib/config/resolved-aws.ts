import type { ResolvedCommand, ResolvedFiles, ResolvedSqlite } from './resolve-plans.ts';
import type { SecretReference } from './secret-reference.ts';

/** What the aws runtime adds to a configuration. */
export type ResolvedSource = ResolvedFiles | ResolvedSqlite | ResolvedCommand | ResolvedPostgres;

export interface ResolvedPostgres {
  readonly type: 'postgres';
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string | SecretReference;
  /** Absent: pgpass, or no password at all. */
  readonly password?: SecretReference;
  readonly sslMode?: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
  /** PEM file for verify-ca and verify-full. */
  readonly sslRootCert?: string;
  readonly excludeTables: readonly string[];
  /** A smaller dump fails the run. */
  readonly minimumSizeBytes: number;
}

/** A vault that `cdk deploy` makes, or a bucket that it is given. */
export interface ResolvedStackVault {
  readonly kind: 'aws';
  readonly name: string;
  /** Brought instead of made; its versioning and Object Lock are then its owner's. */
  readonly existingBucket?: string;
  /** ARN. */
  readonly existingKey?: string;
  readonly lock: { readonly mode: 'governance' | 'compliance' | 'none'; readonly days: number };
  /** Days until packs of the class move there. */
  readonly warmAfterDays: number;
  readonly coldAfterDays: number;
  readonly maxConcurrentRuns: number;
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
  | (Omit<ResolvedPostgres, 'excludeTables' | 'minimumSizeBytes'> & { readonly createDatabase: boolean })
  | { readonly type: 'directory'; readonly path: string; readonly mounts: readonly ResolvedMount[] };

export interface ResolvedNotifications {
  readonly emails: readonly string[];
  readonly slackWebhook?: SecretReference;
  /** ARN of a topic that is brought. */
  readonly existingTopic?: string;
}
