import { HoldfastError } from '../../model/errors.ts';
import { SYSTEM_DATABASES, grantsFor, grantsToSeeAll, missingPrivileges } from './privileges.ts';
import { inWords, serverVersionOf } from './client.ts';
import type { SqlVersion } from './client.ts';
import { serverName } from './connection.ts';
import { sqlQuery, sqlText } from './query.ts';
import type { SqlSession } from './query.ts';

export interface ServerFacts {
  readonly version: SqlVersion;
  /** `user@host` as the server knows him. */
  readonly user: string;
  readonly hasBinaryLog: boolean;
  readonly isEncrypted: boolean;
  readonly grants: readonly string[];
}

export interface DatabaseFacts {
  readonly name: string;
  /** Of new tables, for a restore into a new database. */
  readonly characterSet: string;
  readonly collation: string;
  /** Tables that `--single-transaction` does not hold still, with their engines: `log (MyISAM)`. */
  readonly unprotected: readonly string[];
}

export async function serverFacts(session: SqlSession): Promise<ServerFacts> {
  const [[text = '', user = '', log = ''] = []] = await sqlQuery(session, 'select version(), current_user(), @@log_bin');
  const version = serverVersionOf(text);
  if (version === undefined) throw new HoldfastError('source-failed', `The server at ${serverName(session.connection)} does not say its version (${JSON.stringify(text)}).`, { nextStep: 'Check that it is a MariaDB or MySQL server.' });
  const [[, cipher = ''] = []] = await sqlQuery(session, "show session status like 'Ssl_cipher'");
  const grants = (await sqlQuery(session, 'show grants')).map(([line = '']) => line);
  return { version, user, hasBinaryLog: log === '1' || log === 'ON', isEncrypted: cipher !== '', grants };
}

/** That a restore fills before it moves the tables: it may vanish at any moment. */
const OF_A_RESTORE = /^holdfast_restore_[0-9a-f]{12}$/;

/** Names of all databases that the user may see, but the system's and those of restores under way, in order of their names. */
export async function databaseNames(session: SqlSession): Promise<string[]> {
  return (await sqlQuery(session, 'show databases')).map(([name = '']) => name).filter((name) => !SYSTEM_DATABASES.includes(name.toLowerCase()) && !OF_A_RESTORE.test(name)).sort();
}

/** Fails as `source-failed` when there is no such database, or none that the user may see. */
export async function databaseFacts(session: SqlSession, name: string): Promise<DatabaseFacts> {
  const [schema] = await sqlQuery(session, `select default_character_set_name, default_collation_name from information_schema.schemata where schema_name = ${sqlText(name)}`);
  if (schema === undefined) throw new HoldfastError('source-failed', `The server at ${serverName(session.connection)} has no database ${name}, or user ${session.connection.user} may not see it.`, { nextStep: 'Check the name; `SHOW DATABASES` shows those that the user may see.' });
  const [characterSet = '', collation = ''] = schema;
  const unprotected = await sqlQuery(session, `select table_name, engine from information_schema.tables where table_schema = ${sqlText(name)} and table_type = 'BASE TABLE' and engine not in (select engine from information_schema.engines where transactions = 'YES') order by table_name`);
  return { name, characterSet, collation, unprotected: unprotected.map(([table, engine]) => `${table} (${engine})`) };
}

/** Those of `patterns` (`table`, `database.table`) that nothing in `databases` is called, compared as the dump program does: letter by letter. */
export async function unmatchedExclusions(session: SqlSession, patterns: readonly string[], databases: readonly string[]): Promise<string[]> {
  if (patterns.length === 0 || databases.length === 0) return [];
  const rows = await sqlQuery(session, `select table_schema, table_name from information_schema.tables where table_schema in (${databases.map(sqlText).join(', ')})`);
  const names = new Set(rows.flatMap(([database = '', table = '']) => [...(table.includes('.') ? [] : [table]), `${database}.${table}`]));
  return patterns.filter((pattern) => !names.has(pattern));
}

/** What the user may not see, the programs leave out without a word: such a dump is never begun. */
export function refuseMissingPrivileges({ grants, user, version }: ServerFacts, database: string, at: string): void {
  const missing = missingPrivileges(grants, database, version);
  if (missing.length === 0) return;
  const statements = grantsFor(missing, database, user, version);
  throw new HoldfastError('permission', `User ${user} lacks what a whole dump of database ${database} at ${at} needs: ${missing.map(({ privilege, why }) => `${privilege === 'routines' ? 'to see the bodies of routines' : privilege} (${why})`).join('; ')}. Nothing was started.`, {
    nextStep: `As an administrator of the server (${inWords(version)}): ${statements.join(' ')}`,
    data: { database, missing: missing.map(({ privilege }) => privilege) },
  });
}

/** A database that the server does not show would not be in the backup of all of them, and nobody would miss it. */
export function refuseUnseenDatabases({ grants, user, version }: ServerFacts, names: readonly string[], at: string): void {
  const statements = grantsToSeeAll(grants, names, user, version);
  if (statements.length === 0) return;
  throw new HoldfastError('permission', `User ${user} may not see every database at ${at}, wanted SHOW DATABASES or SELECT on *.* for databases: all. It sees ${names.join(', ') || 'none'}; others would be left out without a word. Nothing was started.`, {
    nextStep: `As an administrator of the server (${inWords(version)}): ${statements.join(' ')} Or name the databases in the plan${names.length > 0 ? ` (databases: [${names.join(', ')}])` : ''}.`,
    data: { databases: names },
  });
}
