import { join } from 'node:path';
import { fromText } from '../model/byte-string.ts';
import { CommandSource } from '../sources/command.ts';
import { filesSource } from '../sources/files.ts';
import { MariadbSource } from '../sources/mariadb.ts';
import { PostgresSource } from '../sources/postgres.ts';
import { PostgresPhysicalSource } from '../sources/postgres-physical.ts';
import { RedisSource } from '../sources/redis.ts';
import { SearchSource } from '../sources/search.ts';
import { SqliteSource } from '../sources/sqlite.ts';
import { S3Source } from '../sources/s3.ts';
import { inPart, sourceSet } from '../sources/set.ts';
import type { SetOptions } from '../sources/set.ts';
import type { SingleSource, Source, SourcePart } from '../sources/source.ts';
import { StdinSource } from '../sources/stdin.ts';
import type { ResolvedMongodb } from '../config/mongodb-schema.ts';
import type { ResolvedConfigs } from '../config/configs-schema.ts';
import type { ResolvedLogs } from '../config/logs-schema.ts';
import type { ResolvedS3Source } from '../config/s3-source-schema.ts';
import { isHalting } from '../config/parts.ts';
import type { ResolvedSet, ResolvedStandstill } from '../config/resolved-source.ts';
import type { BackupOrder, OrderedSource } from './backup-order.ts';
import { commandVariables } from './command-variables.ts';
import { mariadbPlaces, sqlConnectionOf } from './mariadb-places.ts';
import { mongoConnectionOf } from './mongodb-places.ts';
import { connectionOf, postgresPlaces } from './postgres-places.ts';
import { kafkaPlaceOf } from './kafka-places.ts';
import { redisConnectionOf } from './redis-places.ts';
import { searchConnectionOf } from './search-places.ts';
import { secretReader } from './secret-reader.ts';
import type { LocalContext } from './vault.ts';

export interface SourceContext extends LocalContext {
  /** Holds still what writes to the parts of a set; absent: nothing does. */
  readonly standstill?: ((wanted: ResolvedStandstill) => NonNullable<SetOptions['standstill']>) | undefined;
}

type OrderOf<S> = Pick<BackupOrder, 'policy' | 'vault'> & { readonly source: S };

/** `stateFolder`: copies of databases lie below it in plain while they are read. */
export async function sourceOf(order: Pick<BackupOrder, 'source' | 'policy' | 'vault'>, stateFolder: string, context: SourceContext): Promise<Source> {
  const { source } = order;
  return source.type === 'set' ? setOf({ ...order, source }, stateFolder, context) : singleOf({ ...order, source }, stateFolder, context);
}

/** The floor of the policy is one for the whole. */
async function setOf({ source: { parts, ...wanted }, policy, vault }: OrderOf<ResolvedSet>, stateFolder: string, context: SourceContext): Promise<Source> {
  const made: SourcePart[] = [];
  for (const { name, source } of parts) made.push({ name: fromText(name), source: await inPart(fromText(name), () => singleOf({ source, policy: { ...policy, minimumSizeBytes: 0 }, vault }, stateFolder, context)) });
  return sourceSet({ parts: made, standstill: isHalting(wanted) ? context.standstill?.(wanted) : undefined });
}

async function singleOf({ source, policy, vault }: OrderOf<Exclude<OrderedSource, ResolvedSet>>, stateFolder: string, { environment, clock }: LocalContext): Promise<SingleSource> {
  if (source.type === 'files') {
    const { include, exclude, oneFileSystem, followSymlinks, changeDetection, xattrs } = source;
    return filesSource(source.paths.map(fromText), { include, exclude, isOneFileSystem: oneFileSystem, isFollowingSymlinks: followSymlinks, changeDetection, isKeepingXattrs: xattrs }, source.minimumSizeBytes);
  }
  if (source.type === 'sqlite') return new SqliteSource({ path: source.path, scratchFolder: join(stateFolder, 'scratch'), clock });
  if (source.type === 'postgres') {
    return new PostgresSource({ ...source, connection: await connectionOf(source, environment), minimumBytes: Math.max(source.minimumSizeBytes, policy.minimumSizeBytes), ...postgresPlaces(environment), scratchFolder: join(stateFolder, 'scratch'), clock });
  }
  if (source.type === 'postgres-physical') {
    const { wal, checkpoint, minimumSizeBytes } = source;
    return new PostgresPhysicalSource({ connection: await connectionOf(source, environment), wal, checkpoint, minimumBytes: Math.max(minimumSizeBytes, policy.minimumSizeBytes), ...postgresPlaces(environment), clock });
  }
  if (source.type === 'mariadb' || source.type === 'mysql') {
    const { type, databases, excludeTables, minimumSizeBytes } = source;
    return new MariadbSource({ type, connection: await sqlConnectionOf(source, environment), databases, excludeTables, minimumBytes: Math.max(minimumSizeBytes, policy.minimumSizeBytes), ...mariadbPlaces(environment), clock });
  }
  if (source.type === 'elasticsearch' || source.type === 'opensearch') {
    const { type, indices, exclude, templates } = source;
    return new SearchSource({ type, connection: await searchConnectionOf(source, environment), indices, exclude, isWithTemplates: templates, temporaryFolder: environment.temporaryFolder, clock });
  }
  if (source.type === 's3') return s3SourceOf(source, { environment, clock });
  if (source.type === 'configs' || source.type === 'logs') return serviceSourceOf(source, { environment, clock });
  if (source.type === 'redis' || source.type === 'valkey') {
    return new RedisSource({ type: source.type, connection: await redisConnectionOf(source, environment), minimumBytes: Math.max(source.minimumSizeBytes, policy.minimumSizeBytes), temporaryFolder: environment.temporaryFolder, clock });
  }
  if (source.type === 'mongodb') return mongodbSourceOf(source, { environment, clock });
  if (source.type === 'kafka') {
    const { KafkaSource } = await import('../sources/kafka.ts');
    return new KafkaSource({ ...source, place: await kafkaPlaceOf(source, secretReader(environment)), temporaryFolder: environment.temporaryFolder, clock });
  }
  const name = fromText(source.stdinName);
  const minimumBytes = Math.max(source.minimumSizeBytes, policy.minimumSizeBytes);
  if (source.type === 'stdin') return new StdinSource({ name, minimumBytes, clock });
  const end = source.endMarker === undefined ? {} : { endMarker: source.endMarker };
  return new CommandSource({ command: source.command, name, minimumBytes, ...end, environment: commandVariables(environment, vault), folder: environment.workingFolder, temporaryFolder: environment.temporaryFolder, clock });
}

async function mongodbSourceOf(source: ResolvedMongodb, { environment, clock }: Pick<LocalContext, 'environment' | 'clock'>): Promise<SingleSource> {
  const { databases, collections, excludeCollections: exclude, queries, users, oplog, parallel, minimumSizeBytes: minimumBytes } = source;
  const connection = await mongoConnectionOf(source, environment);
  const { MongodbSource } = await import('../sources/mongodb.ts');
  return new MongodbSource({ connection, databases, collections, exclude, queries, users, oplog, parallel, minimumBytes, clock });
}

async function serviceSourceOf(source: ResolvedConfigs | ResolvedLogs, { environment, clock }: Pick<LocalContext, 'environment' | 'clock'>): Promise<SingleSource> {
  const { variables } = environment;
  const { configsSourceOf, logsSourceOf } = await import('../aws/service-sources.ts');
  const places = { clock, resolveSecret: secretReader(environment), region: variables['AWS_REGION'] ?? variables['AWS_DEFAULT_REGION'], endpoint: variables['AWS_ENDPOINT_URL'] };
  return source.type === 'configs' ? configsSourceOf(source, places) : logsSourceOf(source, places);
}

async function s3SourceOf(source: ResolvedS3Source, context: Pick<LocalContext, 'environment' | 'clock'>): Promise<SingleSource> {
  const { prefix, include, exclude, tags, parallel, credentials } = source;
  const read = secretReader(context.environment);
  const keys = credentials && { accessKeyId: await read(credentials.accessKeyId), secretAccessKey: await read(credentials.secretAccessKey) };
  const { openBucket } = await import('./s3-vault.ts');
  return new S3Source({ bucket: openBucket(source, keys, context), prefix: fromText(prefix), include, exclude, isKeepingTags: tags, parallel, minimumBytes: source.minimumSizeBytes });
}
