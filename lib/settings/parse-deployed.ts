import * as z from 'zod';
import { HoldfastError } from '../model/errors.ts';
import { isHexId } from '../model/ids.ts';
import type { DeployedConfig, DeployedPlan } from './deployed.ts';

/**
 * Parses what `deployConfig` made, out of the asset of the stack. Fails as `unsupported-version` when a newer Holdfast
 * deployed it, else as `config-invalid`.
 */
export function parseDeployedConfig(json: string): DeployedConfig {
  return parsed(deployedConfig, 'The deployed configuration', json) as DeployedConfig;
}

/** Parses the plan that a run carries (`LedgerRun.order`). Fails as `config-invalid`. */
export function parseDeployedPlan(order: string): DeployedPlan {
  return parsed(deployedPlan, 'The plan of this run', order) as DeployedPlan;
}

const whole = z.int().min(0);
/** Variables and files of the machine that deployed mean something else in a task: they were refused at synth and are here. */
const reference = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('ssm'), name: z.string().min(1) }),
  z.strictObject({ kind: z.literal('secrets-manager'), name: z.string().min(1), key: z.string().min(1).optional() }),
]);
const mount = z.strictObject({ path: z.string().startsWith('/'), fileSystem: z.string(), accessPoint: z.string().optional() });
const task = z.strictObject({ cpu: whole, memoryMiB: whole, diskGiB: whole });
const connection = {
  type: z.literal('postgres'),
  host: z.string().min(1),
  port: z.int().min(1).max(65_535),
  database: z.string().min(1),
  user: z.union([z.string(), reference]),
  password: reference.optional(),
  sslMode: z.enum(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']).optional(),
  sslRootCert: z.string().optional(),
} as const;

const mariadb = <T extends 'mariadb' | 'mysql'>(type: T) => z.strictObject({
  type: z.literal(type),
  host: z.string().min(1),
  port: z.int().min(1).max(65_535),
  databases: z.union([z.literal('all'), z.array(z.string().min(1)).min(1)]),
  user: z.union([z.string(), reference]),
  password: reference.optional(),
  sslMode: z.enum(['disable', 'require', 'verify-full']).optional(),
  sslRootCert: z.string().optional(),
  excludeTables: z.array(z.string()),
  minimumSizeBytes: whole,
});

const redis = <T extends 'redis' | 'valkey'>(type: T) => z.strictObject({
  type: z.literal(type),
  host: z.string().min(1),
  port: z.int().min(1).max(65_535),
  user: z.union([z.string(), reference]).optional(),
  password: reference.optional(),
  sslMode: z.enum(['disable', 'require', 'verify-full']).optional(),
  sslRootCert: z.string().optional(),
  minimumSizeBytes: whole,
});

const search = <T extends 'elasticsearch' | 'opensearch'>(type: T) => z.strictObject({
  type: z.literal(type),
  endpoint: z.string().min(1),
  user: z.union([z.string(), reference]).optional(),
  password: reference.optional(),
  apiKey: reference.optional(),
  caFile: z.string().min(1).optional(),
  indices: z.array(z.string().min(1)).min(1),
  exclude: z.array(z.string()),
  templates: z.boolean(),
});
const servicePlace = { endpoint: z.string().min(1).optional(), region: z.string().min(1).optional(), credentials: z.strictObject({ accessKeyId: reference, secretAccessKey: reference }).optional() } as const;

const singleSource = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('files'),
    paths: z.array(z.string()).min(1),
    include: z.array(z.string()),
    exclude: z.array(z.string()),
    oneFileSystem: z.boolean(),
    followSymlinks: z.boolean(),
    changeDetection: z.enum(['auto', 'ctime+inode', 'ctime', 'mtime', 'content']),
    xattrs: z.boolean(),
    minimumSizeBytes: whole.optional(),
  }),
  z.strictObject({ type: z.literal('sqlite'), path: z.string().min(1) }),
  z.strictObject({ type: z.literal('command'), command: z.union([z.string(), z.array(z.string()).min(1)]), stdinName: z.string().min(1), endMarker: z.string().optional(), minimumSizeBytes: whole }),
  z.strictObject({
    ...connection,
    databases: z.union([z.literal('all'), z.array(z.string().min(1)).min(1)]).optional(),
    globals: z.enum(['none', 'without-passwords', 'with-passwords']),
    schemas: z.array(z.string()),
    content: z.enum(['all', 'schema', 'data']),
    jobs: whole,
    rowCounts: z.enum(['auto', 'exact', 'none']),
    excludeTables: z.array(z.string()),
    minimumSizeBytes: whole,
  }),
  z.strictObject({ ...connection, type: z.literal('postgres-physical'), wal: z.enum(['fetch', 'none']), checkpoint: z.enum(['fast', 'spread']), walFreshnessMs: z.int().min(1).optional(), minimumSizeBytes: whole }),
  mariadb('mariadb'),
  mariadb('mysql'),
  redis('redis'),
  redis('valkey'),
  search('elasticsearch'),
  search('opensearch'),
  z.strictObject({
    type: z.literal('kafka'),
    brokers: z.array(z.strictObject({ host: z.string().min(1), port: z.int().min(1).max(65_535) })).min(1),
    topics: z.union([z.literal('all'), z.array(z.string().min(1)).min(1)]),
    excludeTopics: z.array(z.string()),
    groups: z.union([z.enum(['all', 'none']), z.array(z.string().min(1)).min(1)]),
    sasl: z.strictObject({ mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']), user: z.union([z.string(), reference]), password: reference }).optional(),
    tls: z.boolean(),
    caFile: z.string().min(1).optional(),
    holes: z.enum(['refuse', 'warn']),
  }),
  z.strictObject({
    type: z.literal('s3'),
    bucket: z.string().min(1),
    prefix: z.string(),
    include: z.array(z.string()),
    exclude: z.array(z.string()),
    endpoint: z.string().min(1).optional(),
    region: z.string().min(1).optional(),
    pathStyle: z.boolean(),
    caFile: z.string().min(1).optional(),
    credentials: z.strictObject({ accessKeyId: reference, secretAccessKey: reference }).optional(),
    tags: z.boolean(),
    minimumSizeBytes: whole.optional(),
    parallel: z.int().min(1),
  }),
  z.strictObject({
    type: z.literal('mongodb'),
    uri: z.union([z.string().min(1), reference]),
    user: z.union([z.string(), reference]).optional(),
    password: reference.optional(),
    caFile: z.string().min(1).optional(),
    databases: z.union([z.literal('all'), z.array(z.string().min(1)).min(1)]),
    collections: z.array(z.string()),
    excludeCollections: z.array(z.string()),
    queries: z.record(z.string(), z.string()),
    users: z.boolean(),
    oplog: z.enum(['auto', 'required', 'none']),
    minimumSizeBytes: whole.optional(),
    parallel: z.int().min(1),
  }),
  z.strictObject({
    type: z.literal('configs'),
    files: z.array(z.strictObject({ path: z.string().min(1), isOptional: z.boolean(), kind: z.enum(['file', 'environment']) })),
    parameters: z.array(z.string().min(1)),
    secrets: z.array(z.string().min(1)),
    ...servicePlace,
  }),
  z.strictObject({
    type: z.literal('logs'),
    paths: z.array(z.string().min(1)),
    include: z.array(z.string()),
    exclude: z.array(z.string()),
    logGroups: z.array(z.string().min(1)),
    rangeMs: z.int().min(1),
    windowMs: z.int().min(1),
    lateMs: z.int().min(1),
    parallel: z.int().min(1),
    ...servicePlace,
  }),
]);

const hook = z.strictObject({ command: z.union([z.string().min(1), z.array(z.string()).min(1)]), timeoutMs: z.int().min(1) });

const source = z.discriminatedUnion('type', [
  ...singleSource.options,
  z.strictObject({
    type: z.literal('set'),
    parts: z.array(z.strictObject({ name: z.string().min(1), source: singleSource })).min(1),
    quiesce: hook.optional(),
    resume: hook.optional(),
  }),
]);

const policy = z.strictObject({
  frequency: z.union([z.enum(['hourly', 'daily', 'weekly', 'monthly']), z.strictObject({ cron: z.string(), timeZone: z.string(), spreadMinutes: whole.optional() })]).optional(),
  retention: z.partialRecord(z.enum(['days', 'count', 'hourly', 'daily', 'weekly', 'monthly', 'yearly']), whole),
  class: z.enum(['hot', 'warm', 'cold']),
  encryption: z.enum(['aes-256-gcm', 'chacha20-poly1305']),
  compression: z.strictObject({ algorithm: z.enum(['zstd', 'gzip', 'none']), level: whole }),
  verification: z.enum(['none', 'structure', 'sample', 'full']),
  warningsAreGood: z.boolean(),
  minimumSizeBytes: whole,
  priority: whole,
  serviceLevel: z.strictObject({ rtoMinutes: whole, rpoMinutes: whole }).optional(),
});

const deployedPlan = z.strictObject({
  name: z.string().min(1),
  planId: z.string().refine(isHexId, 'wanted 32 hexadecimal digits'),
  vault: z.string().min(1),
  source,
  policy,
  hooks: z.strictObject({ before: hook.optional(), after: hook.optional(), onFailure: hook.optional() }).optional(),
  mounts: z.array(mount).optional(),
  network: z.string().min(1),
  task,
  schedule: z.strictObject({ cron: z.string(), timeZone: z.string(), offsetMinutes: whole }).optional(),
  events: z.array(z.strictObject({ pattern: z.record(z.string(), z.unknown()), collapseMinutes: whole })),
  freshnessHours: whole,
  wal: z.strictObject({ freshnessMs: z.int().min(1), receiver: z.strictObject({ slot: z.string().min(1), partialEveryMs: z.int().min(1), task }) }).optional(),
  startWindowMinutes: whole,
  maxDurationMinutes: whole,
});

/** Also what CloudFormation hands to the function that makes vaults. */
export const deployedRecipient = z.strictObject({ label: z.string().min(1), text: z.string().min(1) });

const VERSION = 1;
const deployedConfig = z.strictObject({
  version: z.literal(VERSION),
  stackName: z.string().min(1),
  plans: z.array(deployedPlan),
  restoreTargets: z.array(z.strictObject({
    name: z.string().min(1),
    target: z.discriminatedUnion('type', [z.strictObject({ ...connection, createDatabase: z.boolean() }), z.strictObject({ type: z.literal('directory'), path: z.string().startsWith('/'), mounts: z.array(mount) })]),
    network: z.string().min(1),
    task,
  })),
  vaults: z.array(z.strictObject({ name: z.string().min(1), maxConcurrentRuns: z.int().min(1), recipients: z.array(deployedRecipient).optional() })),
});

function parsed(schema: z.ZodType, what: string, json: string): unknown {
  const value = parseJson(what, json);
  const version = (value as { version?: unknown } | null)?.version;
  if (typeof version === 'number' && version > VERSION) {
    throw new HoldfastError('unsupported-version', `${what} has version ${version}; this Holdfast reads version ${VERSION}.`, { nextStep: 'Deploy the stack again with one version of Holdfast for all of its parts.' });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw broken(what, `${issue?.path.join('.') || 'the whole'}: ${issue?.message ?? 'it does not fit the schema'}`);
}

function parseJson(what: string, json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw broken(what, 'it is not JSON');
  }
}

function broken(what: string, complaint: string): HoldfastError {
  return new HoldfastError('config-invalid', `${what} is not what \`cdk deploy\` writes: ${complaint}.`, { nextStep: 'Deploy the stack again; a run that carries an old plan has to be started anew.' });
}
