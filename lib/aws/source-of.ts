import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DeployedPlan } from '../settings/deployed.ts';
import { fromText } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import { CommandSource } from '../sources/command.ts';
import { filesSource } from '../sources/files.ts';
import { MariadbSource } from '../sources/mariadb.ts';
import type { SqlConnection } from '../sources/mariadb/connection.ts';
import { PostgresSource } from '../sources/postgres.ts';
import { PostgresPhysicalSource } from '../sources/postgres-physical.ts';
import type { PostgresConnection } from '../sources/postgres/connection.ts';
import type { KafkaPlace } from '../sources/kafka/place.ts';
import { RedisSource } from '../sources/redis.ts';
import type { RedisConnection } from '../sources/redis/place.ts';
import { S3Source } from '../sources/s3.ts';
import { SearchSource } from '../sources/search.ts';
import type { SearchConnection } from '../sources/search/connection.ts';
import { inPart, sourceSet } from '../sources/set.ts';
import type { SetOptions } from '../sources/set.ts';
import type { SingleSource, Source, SourcePart } from '../sources/source.ts';
import { SqliteSource } from '../sources/sqlite.ts';
import { BucketObjects } from '../stores/s3/bucket-objects.ts';
import type { ResolvedMariadb } from '../config/mariadb-schema.ts';
import type { ResolvedKafka } from '../config/kafka-schema.ts';
import type { ResolvedRedis } from '../config/redis-schema.ts';
import type { ResolvedMongodb } from '../config/mongodb-schema.ts';
import type { ResolvedPostgresPlace } from '../config/resolved-aws.ts';
import { isHalting } from '../config/parts.ts';
import type { ResolvedSingleSource, ResolvedStandstill } from '../config/resolved-source.ts';
import type { ResolvedSearch } from '../config/search-schema.ts';
import type { ResolvedS3Source } from '../config/s3-source-schema.ts';
import type { SecretReference } from '../config/secret-reference.ts';
import { bucketClient } from './clients.ts';
import { configsSourceOf, logsSourceOf } from './service-sources.ts';

export interface TaskPlaces {
  /** The only folder of the task that can be written; plain copies lie there while they are read. */
  readonly scratchFolder: string;
  /** What a command may see; never the task's own variables, which name its credentials. */
  readonly commandEnvironment: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Fails as `missing-key`, `permission`. */
  readonly resolveSecret: (reference: SecretReference) => Promise<string>;
}

export interface SourcePlaces extends TaskPlaces {
  /** Holds still what writes to the parts of a set. */
  readonly standstill?: ((wanted: ResolvedStandstill) => NonNullable<SetOptions['standstill']>) | undefined;
}

/** The source of a pinned plan, inside its task; secrets are fetched now and live in this process alone. */
export async function sourceOf({ source, policy }: Pick<DeployedPlan, 'source' | 'policy'>, places: SourcePlaces): Promise<Source> {
  if (source.type !== 'set') return singleOf({ source, policy }, places);
  const { parts, ...wanted } = source;
  const made: SourcePart[] = [];
  // The floor of the policy is one for the whole.
  for (const part of parts) made.push({ name: fromText(part.name), source: await inPart(fromText(part.name), () => singleOf({ source: part.source, policy: { ...policy, minimumSizeBytes: 0 } }, places)) });
  return sourceSet({ parts: made, standstill: isHalting(wanted) ? places.standstill?.(wanted) : undefined });
}

async function singleOf({ source, policy }: { readonly source: ResolvedSingleSource; readonly policy: DeployedPlan['policy'] }, places: TaskPlaces): Promise<SingleSource> {
  const { scratchFolder, clock } = places;
  switch (source.type) {
    case 'files': {
      const { include, exclude, oneFileSystem, followSymlinks, changeDetection, xattrs } = source;
      return filesSource(source.paths.map(fromText), { include, exclude, isOneFileSystem: oneFileSystem, isFollowingSymlinks: followSymlinks, changeDetection, isKeepingXattrs: xattrs }, source.minimumSizeBytes);
    }
    case 'sqlite':
      return new SqliteSource({ path: source.path, scratchFolder: join(scratchFolder, 'copies'), clock });
    case 'command': {
      const minimumBytes = Math.max(source.minimumSizeBytes, policy.minimumSizeBytes);
      const end = source.endMarker === undefined ? {} : { endMarker: source.endMarker };
      return new CommandSource({ command: source.command, name: fromText(source.stdinName), minimumBytes, ...end, environment: places.commandEnvironment, folder: scratchFolder, temporaryFolder: scratchFolder, clock });
    }
    case 'postgres':
      return new PostgresSource({
        ...source,
        connection: await connectionOf(source, places.resolveSecret),
        minimumBytes: Math.max(source.minimumSizeBytes, policy.minimumSizeBytes),
        environment: places.commandEnvironment,
        temporaryFolder: scratchFolder,
        scratchFolder: join(scratchFolder, 'copies'),
        clock,
      });
    case 'postgres-physical':
      return new PostgresPhysicalSource({
        connection: await connectionOf(source, places.resolveSecret),
        wal: source.wal,
        checkpoint: source.checkpoint,
        minimumBytes: Math.max(source.minimumSizeBytes, policy.minimumSizeBytes),
        environment: places.commandEnvironment,
        temporaryFolder: scratchFolder,
        clock,
      });
    case 'mariadb':
    case 'mysql': {
      const { type, databases, excludeTables } = source;
      const minimumBytes = Math.max(source.minimumSizeBytes, policy.minimumSizeBytes);
      return new MariadbSource({ type, connection: await sqlConnectionOf(source, places.resolveSecret), databases, excludeTables, minimumBytes, environment: places.commandEnvironment, temporaryFolder: scratchFolder, clock });
    }
    case 'redis':
    case 'valkey': {
      const minimumBytes = Math.max(source.minimumSizeBytes, policy.minimumSizeBytes);
      return new RedisSource({ type: source.type, connection: await redisConnectionOf(source, places.resolveSecret), minimumBytes, temporaryFolder: scratchFolder, clock });
    }
    case 'elasticsearch':
    case 'opensearch': {
      const { type, indices, exclude, templates } = source;
      return new SearchSource({ type, connection: await searchConnectionOf(source, places.resolveSecret), indices, exclude, isWithTemplates: templates, temporaryFolder: scratchFolder, clock });
    }
    case 's3':
      return s3SourceOf(source, places);
    case 'configs':
      return configsSourceOf(source, places);
    case 'logs':
      return logsSourceOf(source, places);
    case 'mongodb':
      return mongodbSourceOf(source, places);
    case 'kafka': {
      const { KafkaSource } = await import('../sources/kafka.ts');
      return new KafkaSource({ ...source, place: await kafkaPlaceOf(source, places.resolveSecret), temporaryFolder: scratchFolder, clock });
    }
  }
}

async function mongodbSourceOf(source: ResolvedMongodb, { clock, resolveSecret }: TaskPlaces): Promise<SingleSource> {
  const { uri, user, password, caFile, databases, collections, excludeCollections: exclude, queries, users, oplog, parallel, minimumSizeBytes: minimumBytes } = source;
  const connection = {
    uri: typeof uri === 'string' ? uri : await resolveSecret(uri),
    ...(user !== undefined && { user: typeof user === 'string' ? user : await resolveSecret(user) }),
    ...(password && { password: await resolveSecret(password) }),
    ...(caFile !== undefined && { caFile }),
  };
  const { MongodbSource } = await import('../sources/mongodb.ts');
  return new MongodbSource({ connection, databases, collections, exclude, queries, users, oplog, parallel, minimumBytes, clock });
}

async function searchConnectionOf({ endpoint, user, password, apiKey, caFile }: ResolvedSearch, resolveSecret: TaskPlaces['resolveSecret']): Promise<SearchConnection> {
  return {
    endpoint,
    ...(user !== undefined && { user: typeof user === 'string' ? user : await resolveSecret(user) }),
    ...(password && { password: await resolveSecret(password) }),
    ...(apiKey && { apiKey: await resolveSecret(apiKey) }),
    ...(caFile !== undefined && { ca: readFileSync(caFile, 'utf8') }),
  };
}

async function s3SourceOf({ bucket, prefix, include, exclude, tags, parallel, credentials, minimumSizeBytes, ...place }: ResolvedS3Source, { clock, resolveSecret }: TaskPlaces): Promise<SingleSource> {
  const keys = credentials && { accessKeyId: await resolveSecret(credentials.accessKeyId), secretAccessKey: await resolveSecret(credentials.secretAccessKey) };
  const client = bucketClient({ ...place, ...(keys && { credentials: keys }) });
  return new S3Source({ bucket: new BucketObjects({ client, bucket, clock, random: Math.random }), prefix: fromText(prefix), include, exclude, isKeepingTags: tags, parallel, minimumBytes: minimumSizeBytes });
}

async function kafkaPlaceOf({ brokers, sasl, tls, caFile }: ResolvedKafka, resolveSecret: TaskPlaces['resolveSecret']): Promise<KafkaPlace> {
  return {
    brokers,
    ...(sasl && { sasl: { mechanism: sasl.mechanism, user: typeof sasl.user === 'string' ? sasl.user : await resolveSecret(sasl.user), password: await resolveSecret(sasl.password) } }),
    ...(tls && { tls: { ...(caFile !== undefined && { ca: readFileSync(caFile, 'utf8') }) } }),
  };
}

async function redisConnectionOf({ host, port, user, password, sslMode, sslRootCert }: ResolvedRedis, resolveSecret: TaskPlaces['resolveSecret']): Promise<RedisConnection> {
  return {
    host, port,
    ...(user !== undefined && { user: typeof user === 'string' ? user : await resolveSecret(user) }),
    ...(password && { password: await resolveSecret(password) }),
    ...(sslMode && { sslMode }),
    ...(sslRootCert !== undefined && { sslRootCert }),
  };
}

async function sqlConnectionOf({ host, port, user, password, sslMode, sslRootCert }: ResolvedMariadb, resolveSecret: TaskPlaces['resolveSecret']): Promise<SqlConnection> {
  return {
    host, port,
    user: typeof user === 'string' ? user : await resolveSecret(user),
    ...(password && { password: await resolveSecret(password) }),
    ...(sslMode && { sslMode }),
    ...(sslRootCert !== undefined && { sslRootCert }),
  };
}

/** User and password are fetched now, at the moment of use. */
export async function connectionOf(place: Omit<ResolvedPostgresPlace, 'type'>, resolveSecret: TaskPlaces['resolveSecret']): Promise<PostgresConnection> {
  const { host, port, database, user, password, sslMode, sslRootCert } = place;
  return {
    host, port, database,
    user: typeof user === 'string' ? user : await resolveSecret(user),
    ...(password && { password: await resolveSecret(password) }),
    ...(sslMode && { sslMode }),
    ...(sslRootCert !== undefined && { sslRootCert }),
  };
}
