import { randomBytes } from 'node:crypto';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { ArchiveHeader } from './archive.ts';
import { serverName } from './connection.ts';
import { query } from './query.ts';
import type { Session } from './query.ts';
import type { DatabaseLoad, TableCount } from '../database-loader.ts';

/** Not of the system, and not of an extension. */
const IS_OWN = `nspname !~ '^pg_' and nspname <> 'information_schema' and not exists (select from pg_depend d where d.objid = o.oid and d.deptype = 'e')`;

/** Everything that a restore could collide with: relations, functions, types of their own, schemas, large objects. */
const CONTENTS = `
  with own as (
    select 'table' as kind, format('%I.%I', nspname, relname) as name from pg_class o join pg_namespace n on n.oid = relnamespace where relkind in ('r', 'p', 'v', 'm', 'S', 'f') and ${IS_OWN}
    union all select 'function', format('%I.%I', nspname, proname) from pg_proc o join pg_namespace n on n.oid = pronamespace where ${IS_OWN}
    union all select 'type', format('%I.%I', nspname, typname) from pg_type o join pg_namespace n on n.oid = typnamespace where typtype in ('e', 'd', 'r') and ${IS_OWN}
    union all select 'schema', nspname from pg_namespace o where nspname <> 'public' and ${IS_OWN}
    union all select 'large object', oid::text from pg_largeobject_metadata
  )
  select kind, name from own order by kind = 'table' desc, name`;

const COUNTS = `
  select format('select %L, %L, count(*) from only %I.%I', nspname, relname, nspname, relname)
  from pg_class o join pg_namespace n on n.oid = relnamespace where relkind in ('r', 'm') and ${IS_OWN} order by nspname, relname \\gexec`;

export async function contentsOf(session: Session): Promise<DatabaseLoad['existing']> {
  const rows = await query(session, CONTENTS);
  return { objects: rows.length, tables: rows.filter(([kind]) => kind === 'table').map(([, name = '']) => name) };
}

/** Exact: every table is read once. */
export async function tableCounts(session: Session): Promise<TableCount[]> {
  return (await query(session, COUNTS)).map(([schema = '', table = '', rows = '']) => ({ schema, table, rows: Number(rows) }));
}

export async function isDatabaseThere(session: Session, name: string): Promise<boolean> {
  return (await query(session, "select 1 from pg_database where datname = :'name'", { name })).length > 0;
}

export async function missingParts(session: Session, { extensions, owners, grantees }: Pick<ArchiveHeader, 'extensions' | 'owners' | 'grantees'>): Promise<{ readonly extensions: readonly string[]; readonly roles: readonly string[] }> {
  const available = new Set((await query(session, 'select name from pg_available_extensions')).map(([name]) => name));
  const roles = new Set((await query(session, 'select rolname from pg_roles')).map(([name = '']) => name));
  return { extensions: extensions.filter((name) => !available.has(name)), roles: [...new Set([...owners, ...grantees])].filter((name) => !roles.has(name)) };
}

export interface NewDatabase {
  readonly name: string;
  /** As in `CREATE DATABASE x TEMPLATE template0 …`. */
  readonly databaseOptions: string;
  readonly signal: AbortSignal;
}

/**
 * A new database that has its name only once `fill` has succeeded: until then, and when the whole process is killed, it
 * is called `holdfast_restore_…` and may be dropped by anybody. On failure and on an abort it is dropped here.
 */
export async function createdDatabase<T>(session: Session, { name, databaseOptions, signal }: NewDatabase, fill: (database: string) => Promise<T>): Promise<T> {
  const temporary = `holdfast_restore_${randomBytes(6).toString('hex')}`;
  // What cleans up must run also after an abort.
  const calm: Session = { ...session, signal: undefined };
  // The options were written by pg_restore itself, quoted.
  await query(calm, `create database :"name" template template0 ${databaseOptions}`, { name: temporary }).catch((cause: unknown) => {
    throw isHoldfastError(cause, 'permission') || !isHoldfastError(cause) ? cause : new HoldfastError('target-failed', `No database could be made at ${serverName(session.connection)}: ${cause.message}`, { nextStep: 'The user needs CREATEDB, and the server the encoding and locale of the database that was backed up; or make it by hand and restore without --create.', cause });
  });
  try {
    const result = await fill(temporary);
    signal.throwIfAborted();
    await rename(calm, temporary, name);
    return result;
  } catch (error) {
    await query(calm, 'drop database if exists :"name" with (force)', { name: temporary }).catch((cause: unknown) => {
      throw new HoldfastError('target-failed', `The restore failed (${(error as Error).message}), and its unfinished database ${temporary} could not be dropped: ${(cause as Error).message}`, { nextStep: `Drop it by hand: DROP DATABASE ${temporary};`, cause: error });
    });
    throw error;
  }
}

async function rename(session: Session, temporary: string, name: string): Promise<void> {
  await query(session, 'alter database :"temporary" rename to :"name"', { temporary, name }).catch((cause: unknown) => {
    if (!isHoldfastError(cause) || !/already exists/.test(cause.message)) throw cause;
    throw new HoldfastError('target-exists', `Somebody made a database ${name} at ${serverName(session.connection)} meanwhile, so the restored one could not get its name and was dropped.`, { nextStep: 'Choose another name.', cause });
  });
}

/** What a chosen table needs and the database may have already, as an archive names it: `kind schema name`. */
export async function partsThere(session: Session): Promise<ReadonlySet<string>> {
  const rows = await query(session, `
    select 'SCHEMA', '-', nspname::text from pg_namespace
    union all select 'EXTENSION', '-', extname::text from pg_extension
    union all select case typtype when 'd' then 'DOMAIN' else 'TYPE' end, nspname::text, typname::text from pg_type t join pg_namespace n on n.oid = typnamespace where typtype in ('e', 'd', 'r', 'c', 'b')
    union all select case prokind when 'a' then 'AGGREGATE' when 'p' then 'PROCEDURE' else 'FUNCTION' end, nspname::text, proname || '(' || oidvectortypes(proargtypes) || ')' from pg_proc p join pg_namespace n on n.oid = pronamespace
    union all select case relkind when 'S' then 'SEQUENCE' when 'v' then 'VIEW' when 'm' then 'MATERIALIZED VIEW' when 'f' then 'FOREIGN TABLE' else 'TABLE' end, nspname::text, relname::text from pg_class c join pg_namespace n on n.oid = relnamespace where relkind in ('r', 'p', 'v', 'm', 'f', 'S')`);
  return new Set(rows.map((row) => row.join(' ')));
}
