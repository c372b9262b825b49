import { HoldfastError } from '../../model/errors.ts';
import type { OpenedConnection } from '../opened-connection.ts';
import type { BaseBackupClient } from './base-backup-client.ts';
import type { PostgresVersion } from './client.ts';
import type { PostgresConnection } from './connection.ts';
import { serverName } from './connection.ts';
import { query } from './query.ts';

/** What a server says before a base backup is asked of it. */
export interface BaseBackupServer {
  readonly version: PostgresVersion;
  readonly systemId: string;
  readonly walSegmentBytes: number;
  /** By its own clock, milliseconds since the epoch. */
  readonly now: number;
  /** Of all databases, as far as they may be asked: for progress only. */
  readonly bytes: number;
}

export interface Asked {
  readonly client: BaseBackupClient;
  readonly connection: PostgresConnection;
  readonly opened: OpenedConnection;
  readonly signal?: AbortSignal | undefined;
}

/** Backup manifests, which prove a base backup whole, begin with this version. */
const OLDEST_MAJOR = 13;

const QUESTION = `select current_setting('server_version'), current_setting('server_version_num'),
  (select setting from pg_settings where name = 'wal_segment_size'), ${epochMilliseconds()},
  (select sum(case when has_database_privilege(oid, 'CONNECT') then pg_database_size(oid) end) from pg_database where datallowconn),
  (select rolreplication or rolsuper from pg_roles where rolname = current_user),
  coalesce((select string_agg(spcname, ', ' order by spcname) from pg_tablespace where spcname not in ('pg_default', 'pg_global')), '')`;

/**
 * Asks everything that a base backup would fail for, before anything starts: versions, the privilege, further
 * tablespaces, and whether a connection for replication is let in. Fails as `source-failed`, `permission`, `unsupported`.
 */
export async function inspectServer(asked: Asked): Promise<BaseBackupServer> {
  const { client, connection } = asked;
  const [[text = '', number = '', segment = '', now = '', bytes = '', mayReplicate = '', tablespaces = ''] = []] = await query(asked, QUESTION);
  const version = { text, major: Math.floor(Number(number) / 10_000) };
  refuseVersions(connection, client, version);
  if (mayReplicate !== 't') throw new HoldfastError('permission', `User ${connection.user} may not replicate from the server at ${serverName(connection)}, and a base backup is read by replication. Nothing was started.`, { nextStep: `As a superuser: ALTER ROLE "${connection.user}" REPLICATION.` });
  if (tablespaces !== '') throw furtherTablespaces(connection, tablespaces);
  return { version, systemId: await identify(asked), walSegmentBytes: Number(segment), now: Number(now), bytes: Number(bytes) };
}

/** The server's clock, milliseconds since the epoch. */
export async function serverTime(asked: Asked): Promise<number> {
  const [[now = ''] = []] = await query(asked, `select ${epochMilliseconds()}`);
  return Number(now);
}

function epochMilliseconds(): string {
  return '(extract(epoch from clock_timestamp()) * 1000)::bigint';
}

/** Over a connection for replication, which has rules of its own in pg_hba.conf. */
async function identify({ opened, ...asked }: Asked): Promise<string> {
  const [[systemId = ''] = []] = await query({ ...asked, opened: { ...opened, argument: `${opened.argument} replication=true` } }, 'IDENTIFY_SYSTEM;');
  return systemId;
}

function refuseVersions(connection: PostgresConnection, { pgBasebackup, version }: BaseBackupClient, server: PostgresVersion): void {
  const seen = `The server at ${serverName(connection)} is PostgreSQL ${server.text}, and ${pgBasebackup} is ${version.text}`;
  const data = { server: server.text, client: version.text };
  if (server.major < OLDEST_MAJOR) throw new HoldfastError('unsupported', `${seen}: servers before ${OLDEST_MAJOR} list no checksums of what they send, so that nothing would prove a base backup whole. Nothing was started.`, { nextStep: 'Keep its databases by pg_dump: leave `mode: physical` away.', data });
  if (server.major <= version.major) return;
  throw new HoldfastError('source-failed', `${seen}: pg_basebackup refuses servers newer than itself. Nothing was started.`, {
    nextStep: `Install the client programs of PostgreSQL ${server.major} (Debian and Ubuntu: postgresql-client-${server.major}) and put them first in PATH, or name their folder with HOLDFAST_POSTGRES_BIN.`, data,
  });
}

/** One stream holds one tablespace: pg_basebackup would write the others to files of their own (decision 0025). */
function furtherTablespaces(connection: PostgresConnection, names: string): HoldfastError {
  return new HoldfastError('unsupported', `The server at ${serverName(connection)} has further tablespaces (${names}), and pg_basebackup streams a cluster with none only. Nothing was started.`, {
    nextStep: 'Move what lies in them into pg_default (ALTER TABLE … SET TABLESPACE pg_default) and drop them, or keep the databases by pg_dump: leave `mode: physical` away.', data: { tablespaces: names.split(', ') },
  });
}
