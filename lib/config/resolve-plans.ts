import { resolve } from 'node:path';
import { invariant } from '../model/errors.ts';
import type { ConfigsFields, ResolvedConfigs } from './configs-schema.ts';
import { resolveHook, resolveHooks } from './hooks-schema.ts';
import type { ResolvedHooks } from './hooks-schema.ts';
import type { Config } from './load-config.ts';
import type { LogsFields, ResolvedLogs } from './logs-schema.ts';
import type { MariadbFields, ResolvedMariadb } from './mariadb-schema.ts';
import type { MongodbFields, ResolvedMongodb } from './mongodb-schema.ts';
import { parseBroker } from './kafka-schema.ts';
import type { KafkaFields, ResolvedKafka, SaslMechanism } from './kafka-schema.ts';
import type { RedisFields, ResolvedRedis } from './redis-schema.ts';
import type { ResolvedPolicy } from './resolve-policy.ts';
import { resolvePolicy } from './resolve-policy.ts';
import type { PlanFields, VaultFields } from './schema.ts';
import type { ResolvedS3Source, S3SourceFields } from './s3-source-schema.ts';
import type { ResolvedPostgres, ResolvedPostgresPhysical, ResolvedPostgresPlace, ResolvedSet, ResolvedSingleSource, ResolvedSource } from './resolved-source.ts';
import type { ResolvedSearch, SearchFields } from './search-schema.ts';
import type { SetFields } from './set-schema.ts';
import type { SourceFields } from './source-schema.ts';
import type { ResolvedCoverage, ResolvedKey, ResolvedVault } from './resolved-vault.ts';
import type { LocalSecretReference, SecretReference } from './secret-reference.ts';
import { isRemote } from './secret-reference.ts';
import { resolveServicePlace } from './service-words.ts';
import { resolveStackVault } from './resolve-stack-vault.ts';

/** One plan with every default and absolute path filled in: what a run needs to know, and nothing secret. */
export interface ResolvedPlan {
  readonly name: string;
  readonly vault: ResolvedVault;
  readonly source: ResolvedSource;
  readonly policy: ResolvedPolicy;
  /** Commands around its runs; absent: none. */
  readonly hooks?: ResolvedHooks;
}

/** All plans in the order of the file. */
export function resolvePlans(config: Config): ResolvedPlan[] {
  return Object.entries(config.fields.plans).map(([name, plan]) => ({
    name,
    vault: resolveVault(config, plan.vault ?? Object.keys(config.fields.vaults)[0] ?? ''),
    source: resolveSource(config, plan.source),
    policy: resolvePolicy(config, plan.policy),
    ...(plan.hooks && { hooks: resolveHooks(plan.hooks) }),
  }));
}

/** All vaults in the order of the file, whether a plan uses them or not. */
export function resolveVaults(config: Config): ResolvedVault[] {
  return Object.keys(config.fields.vaults).map((name) => resolveVault(config, name));
}

function resolveVault(config: Config, name: string): ResolvedVault {
  const fields = config.fields.vaults[name];
  invariant(fields !== undefined, `vault ${name} was checked and is not there`);
  const recipients = fields.recipients?.map((path) => absolute(config, path));
  if (fields.aws !== undefined) return { ...resolveStackVault(name, fields.aws), ...(recipients && { recipients }) };
  const trustedWriters = fields['trusted-writers'];
  const common = { name, key: resolveKey(config, fields), ...(trustedWriters && { trustedWriters }), ...(recipients && { recipients }), ...(fields.coverage && { coverage: resolveCoverage(fields.coverage) }) };
  if (fields.directory !== undefined) return { kind: 'directory', directory: absolute(config, fields.directory), ...common };
  invariant(fields.s3 !== undefined, 'a vault was checked and is nowhere');
  const { bucket, prefix = '', endpoint, region, 'path-style': pathStyle, 'ca-file': caFile } = fields.s3;
  return {
    kind: 's3', bucket, prefix, pathStyle: pathStyle ?? endpoint !== undefined,
    ...(endpoint !== undefined && { endpoint: endpoint.replace(/\/$/, '') }),
    ...(region !== undefined && { region }),
    ...(caFile !== undefined && { caFile: absolute(config, caFile) }),
    ...common,
  };
}

function resolveCoverage({ 'within-days': withinDays, 'max-duration': maxDurationMs }: NonNullable<VaultFields['coverage']>): ResolvedCoverage {
  return { withinDays, ...(maxDurationMs !== undefined && { maxDurationMs }) };
}

function resolveKey(config: Config, fields: VaultFields): ResolvedKey {
  if (fields['key-file'] !== undefined) return { kind: 'key-file', path: absolute(config, fields['key-file']) };
  if (fields['passphrase-file'] !== undefined) return { kind: 'passphrase-file', path: absolute(config, fields['passphrase-file']) };
  if (fields['kms-key'] !== undefined) return { kind: 'kms', keyId: fields['kms-key'] };
  const secret = fields.passphrase && resolveReference(config, fields.passphrase);
  invariant(secret !== undefined && !isRemote(secret), 'a vault was checked and has no key');
  return { kind: 'passphrase', secret };
}

/** The path of a file is made absolute; every other place is what it is. */
function resolveReference<T extends SecretReference>(config: Config, secret: T): T | LocalSecretReference {
  return secret.kind === 'file' ? { kind: 'file', name: absolute(config, secret.name) } : secret;
}

function resolveSource(config: Config, source: PlanFields['source']): ResolvedSource {
  return source.type === 'set' ? resolveSet(config, source) : resolveSingle(config, source);
}

function resolveSet(config: Config, { parts, quiesce, resume, ...fields }: SetFields): ResolvedSet {
  const names = fields['stop-containers'];
  const program = fields['container-program'];
  return {
    type: 'set',
    parts: Object.entries(parts).map(([name, source]) => ({ name, source: resolveSingle(config, source) })),
    ...(quiesce && { quiesce: resolveHook(quiesce) }),
    ...(resume && { resume: resolveHook(resume) }),
    ...(names && { containers: { names, ...(program && { program }), stopSeconds: Math.ceil(fields['stop-timeout'] / 1000) } }),
  };
}

function resolveSingle(config: Config, source: SourceFields): ResolvedSingleSource {
  if (source.type === 'sqlite') return { type: 'sqlite', path: absolute(config, source.path) };
  if (source.type === 'command') {
    const endMarker = source['end-marker'];
    return { type: 'command', command: source.command, stdinName: source['stdin-name'], minimumSizeBytes: source['minimum-size'], ...(endMarker === undefined ? {} : { endMarker }) };
  }
  if (source.type === 'postgres' && source.mode === 'physical') return resolvePhysical(config, source);
  if (source.type === 'postgres') return resolvePostgres(config, source);
  if (source.type === 'mariadb' || source.type === 'mysql') return resolveMariadb(config, source);
  if (source.type === 'mongodb') return resolveMongodb(config, source);
  if (source.type === 'elasticsearch' || source.type === 'opensearch') return resolveSearch(config, source);
  if (source.type === 's3') return resolveS3Source(config, source);
  if (source.type === 'configs') return resolveConfigs(config, source);
  if (source.type === 'logs') return resolveLogs(config, source);
  if (source.type === 'redis' || source.type === 'valkey') return resolveRedis(config, source);
  if (source.type === 'kafka') return resolveKafka(config, source);
  return {
    type: 'files',
    paths: source.paths.map((path) => absolute(config, path)),
    include: source.include ?? [],
    exclude: source.exclude ?? [],
    oneFileSystem: source['one-file-system'],
    followSymlinks: source['follow-symlinks'],
    changeDetection: source['change-detection'],
    xattrs: source.xattrs,
    ...(source['minimum-size'] !== undefined && { minimumSizeBytes: source['minimum-size'] }),
  };
}

function resolvePhysical(config: Config, source: Extract<SourceFields, { mode: 'physical' }>): ResolvedPostgresPhysical {
  const { wal, checkpoint, 'wal-freshness': walFreshnessMs, 'minimum-size': minimumSizeBytes } = source;
  return { ...resolveConnection(config, source), type: 'postgres-physical', wal, checkpoint, ...(walFreshnessMs !== undefined && { walFreshnessMs }), minimumSizeBytes };
}

type Postgres = Exclude<Extract<SourceFields, { type: 'postgres' }>, { mode: 'physical' }>;
type Connection = Pick<Postgres, 'type' | 'host' | 'port' | 'user' | 'password' | 'ssl-mode' | 'ssl-root-cert'> & { readonly database: string };

function resolvePostgres(config: Config, source: Postgres): ResolvedPostgres {
  const { databases, globals = databases === 'all' } = source;
  const database = source.database ?? (typeof databases === 'object' ? databases[0] : undefined) ?? 'postgres';
  return {
    ...resolveConnection(config, { ...source, database }),
    ...(databases !== undefined && { databases }),
    globals: !globals ? 'none' : source['role-passwords'] ? 'with-passwords' : 'without-passwords',
    schemas: source.schemas ?? [],
    content: source.content,
    jobs: source.jobs,
    rowCounts: source['row-counts'],
    excludeTables: source['exclude-tables'] ?? [],
    minimumSizeBytes: source['minimum-size'],
  };
}

function resolveMariadb(config: Config, fields: MariadbFields): ResolvedMariadb {
  const { type, host, port, database, databases, user, password, 'ssl-mode': sslMode, 'ssl-root-cert': cert } = fields;
  return {
    type, host, port,
    databases: databases ?? [database ?? ''],
    user: typeof user === 'string' ? user : resolveReference(config, user),
    ...(password !== undefined && { password: resolveReference(config, password) }),
    ...(sslMode !== undefined && { sslMode }),
    ...(cert !== undefined && { sslRootCert: absolute(config, cert) }),
    excludeTables: fields['exclude-tables'] ?? [],
    minimumSizeBytes: fields['minimum-size'],
  };
}

function resolveMongodb(config: Config, fields: MongodbFields): ResolvedMongodb {
  const { uri, user, password, databases, collections = [], queries = {}, users = databases === 'all', oplog, parallel, 'ca-file': caFile, 'exclude-collections': excludeCollections = [] } = fields;
  return {
    type: 'mongodb',
    uri: typeof uri === 'string' ? uri : resolveReference(config, uri),
    ...(user !== undefined && { user: typeof user === 'string' ? user : resolveReference(config, user) }),
    ...(password !== undefined && { password: resolveReference(config, password) }),
    ...(caFile !== undefined && { caFile: absolute(config, caFile) }),
    databases, collections, excludeCollections, queries, users, oplog, parallel,
    ...(fields['minimum-size'] !== undefined && { minimumSizeBytes: fields['minimum-size'] }),
  };
}

function resolveSearch(config: Config, { type, endpoint, user, password, 'api-key': apiKey, 'ca-file': caFile, indices, exclude = [], templates }: SearchFields): ResolvedSearch {
  return {
    type, endpoint: endpoint.replace(/\/$/, ''),
    ...(user !== undefined && { user: typeof user === 'string' ? user : resolveReference(config, user) }),
    ...(password !== undefined && { password: resolveReference(config, password) }),
    ...(apiKey !== undefined && { apiKey: resolveReference(config, apiKey) }),
    ...(caFile !== undefined && { caFile: absolute(config, caFile) }),
    indices, exclude, templates,
  };
}

function resolveKafka(config: Config, fields: KafkaFields): ResolvedKafka {
  const { brokers, topics, groups, sasl, user, password, tls, holes, 'ca-file': caFile } = fields;
  return {
    type: 'kafka', topics, groups, tls, holes,
    brokers: brokers.map((written) => {
      const broker = parseBroker(written);
      invariant(broker !== undefined, `the broker ${written} was checked`);
      return broker;
    }),
    excludeTopics: fields['exclude-topics'] ?? [],
    ...(sasl && user !== undefined && password && { sasl: { mechanism: sasl.toUpperCase() as SaslMechanism, user: typeof user === 'string' ? user : resolveReference(config, user), password: resolveReference(config, password) } }),
    ...(caFile !== undefined && { caFile: absolute(config, caFile) }),
  };
}

function resolveConfigs(config: Config, fields: ConfigsFields): ResolvedConfigs {
  const { files = [], 'environment-files': environmentFiles = [], parameters = [], secrets = [] } = fields;
  const resolved = (kind: 'file' | 'environment') => (file: (typeof files)[number]) => (typeof file === 'string' ? { path: absolute(config, file), isOptional: false, kind } : { path: absolute(config, file.path), isOptional: file.optional, kind });
  return { type: 'configs', files: [...files.map(resolved('file')), ...environmentFiles.map(resolved('environment'))], parameters, secrets, ...resolveServicePlace(fields, (reference) => resolveReference(config, reference)) };
}

function resolveLogs(config: Config, fields: LogsFields): ResolvedLogs {
  const { paths = [], include = [], exclude = [], 'log-groups': logGroups = [], range: rangeMs, window: windowMs, late: lateMs, parallel } = fields;
  return { type: 'logs', paths: paths.map((path) => absolute(config, path)), include, exclude, logGroups, rangeMs, windowMs, lateMs, parallel, ...resolveServicePlace(fields, (reference) => resolveReference(config, reference)) };
}

function resolveS3Source(config: Config, fields: S3SourceFields): ResolvedS3Source {
  const { bucket, prefix = '', endpoint, region, include = [], exclude = [], tags, parallel, 'access-key-id': accessKeyId, 'secret-access-key': secretAccessKey } = fields;
  const caFile = fields['ca-file'];
  return {
    type: 's3', bucket, prefix, include, exclude,
    ...(endpoint !== undefined && { endpoint: endpoint.replace(/\/$/, '') }),
    ...(region !== undefined && { region }),
    pathStyle: fields['path-style'] ?? endpoint !== undefined,
    ...(caFile !== undefined && { caFile: absolute(config, caFile) }),
    ...(accessKeyId && secretAccessKey && { credentials: { accessKeyId: resolveReference(config, accessKeyId), secretAccessKey: resolveReference(config, secretAccessKey) } }),
    tags, parallel,
    ...(fields['minimum-size'] !== undefined && { minimumSizeBytes: fields['minimum-size'] }),
  };
}

function resolveRedis(config: Config, fields: RedisFields): ResolvedRedis {
  const { type, host, port, user, password, 'ssl-mode': sslMode, 'ssl-root-cert': cert } = fields;
  return {
    type, host, port,
    ...(user !== undefined && { user: typeof user === 'string' ? user : resolveReference(config, user) }),
    ...(password !== undefined && { password: resolveReference(config, password) }),
    ...(sslMode !== undefined && { sslMode }),
    ...(cert !== undefined && { sslRootCert: absolute(config, cert) }),
    minimumSizeBytes: fields['minimum-size'],
  };
}

/** How a server is reached, of a source or of a restore target. */
export function resolveConnection(config: Config, fields: Connection): ResolvedPostgresPlace {
  const { type, host, port, database, user, password, 'ssl-mode': sslMode, 'ssl-root-cert': cert } = fields;
  return {
    type, host, port, database,
    user: typeof user === 'string' ? user : resolveReference(config, user),
    ...(password !== undefined && { password: resolveReference(config, password) }),
    ...(sslMode !== undefined && { sslMode }),
    ...(cert !== undefined && { sslRootCert: cert === 'system' ? cert : absolute(config, cert) }),
  };
}

/** Relative paths start at the folder of the file, `~/` at the home directory, so that cron and a person mean the same. */
function absolute(config: Config, written: string): string {
  if (written === '~' || written.startsWith('~/')) {
    invariant(config.home !== undefined, `${written} was checked and no home directory is known`);
    return resolve(config.home, written.slice(2));
  }
  return resolve(config.directory, written);
}
