import type { SqlVersion } from './client.ts';
import { isOlder } from './client.ts';

/** Of the server itself; nobody's data. */
export const SYSTEM_DATABASES: readonly string[] = ['information_schema', 'mysql', 'performance_schema', 'sys'];

/** One line of `SHOW GRANTS`, as far as it matters here. */
interface Grant {
  readonly isRevoked: boolean;
  readonly privileges: readonly string[];
  /** `*.*`, or what stands between the backticks before `.*`: a pattern with `%` and `_`. */
  readonly scope: string;
}

/** What a whole dump of a database needs: without it the server shows less, and the program leaves it out without a word. */
export interface NeededPrivilege {
  /** As in `GRANT … ON`. */
  readonly privilege: string;
  readonly on: 'database' | 'routines';
  readonly why: string;
}

const NEEDED: readonly NeededPrivilege[] = [
  { privilege: 'SELECT', on: 'database', why: 'tables that it may not read would be left out' },
  { privilege: 'SHOW VIEW', on: 'database', why: 'views could not be kept' },
  { privilege: 'TRIGGER', on: 'database', why: 'triggers would be left out' },
  { privilege: 'EVENT', on: 'database', why: 'events would be left out' },
  { privilege: 'routines', on: 'routines', why: 'procedures and functions of others would be left out' },
];

/** What is missing for a whole dump of `database`, by the lines of `SHOW GRANTS`; empty when nothing is. */
export function missingPrivileges(lines: readonly string[], database: string, server: SqlVersion): NeededPrivilege[] {
  const grants = lines.flatMap(parseGrant);
  const has = (privilege: string, name: string) => holds(grants, privilege, name);
  return NEEDED.filter(({ privilege, on }) => (on === 'database' ? !has(privilege, database) : !maySeeRoutines(has, database, server)));
}

/** The statements that give it, for whoever administrates the server. */
export function grantsFor(missing: readonly NeededPrivilege[], database: string, user: string, server: SqlVersion): string[] {
  const own = missing.filter(({ on }) => on === 'database').map(({ privilege }) => privilege);
  const to = `TO ${userText(user)}`;
  const routines = missing.some(({ on }) => on === 'routines') ? [`GRANT ${routinesGrant(server)} ${to};`] : [];
  return [...(own.length > 0 ? [`GRANT ${own.join(', ')} ON \`${database.replaceAll('`', '``').replace(/[_%\\]/g, '\\$&')}\`.* ${to};`] : []), ...routines];
}

/**
 * What is missing to be sure that `names` are all databases, as statements: the server shows those that the user has any
 * privilege on, and hides the rest without a word; MySQL hides as well what is revoked in part. Empty when nothing is.
 */
export function grantsToSeeAll(lines: readonly string[], names: readonly string[], user: string, server: SqlVersion): string[] {
  const grants = lines.flatMap(parseGrant);
  const showing = grants.filter(({ privileges }) => privileges.some((privilege) => SHOWS_ALL.has(privilege)));
  const onDatabases = NEEDED.filter(({ on }) => on === 'database');
  if (!showing.some(({ isRevoked, scope }) => !isRevoked && scope === '*.*')) return [`GRANT ${['SHOW DATABASES', ...onDatabases.map(({ privilege }) => privilege)].join(', ')} ON *.* TO ${userText(user)};`];
  const hidden = showing.filter(({ isRevoked, scope }) => isRevoked && !SYSTEM_DATABASES.includes(scope) && !names.includes(scope));
  return hidden.flatMap(({ scope }) => grantsFor(onDatabases, scope, user, server));
}

const SHOWS_ALL: ReadonlySet<string> = new Set(['SHOW DATABASES', 'SELECT', 'ALL PRIVILEGES']);

/** `shop@%` of `current_user()` as `'shop'@'%'`. */
function userText(user: string): string {
  const at = user.lastIndexOf('@');
  const quote = (text: string) => `'${text.replace(/['\\]/g, '\\$&')}'`;
  return at < 0 ? quote(user) : `${quote(user.slice(0, at))}@${quote(user.slice(at + 1))}`;
}

const MARIADB_WITH_OWN_PRIVILEGE = { major: 11, minor: 3 };

function routinesGrant(server: SqlVersion): string {
  if (server.flavour === 'MySQL') return server.major >= 8 ? 'SHOW_ROUTINE ON *.*' : 'SELECT ON `mysql`.`proc`';
  return isOlder(server, MARIADB_WITH_OWN_PRIVILEGE) ? 'SELECT ON `mysql`.`proc`' : 'SHOW CREATE ROUTINE ON *.*';
}

/** The body of a routine is shown to its owner, and to who may read the table that all of them stand in. */
function maySeeRoutines(has: (privilege: string, name: string) => boolean, database: string, server: SqlVersion): boolean {
  if (has('SHOW_ROUTINE', database) || has('SHOW CREATE ROUTINE', database)) return true;
  if (server.flavour === 'MySQL' && server.major >= 8) return has('SELECT', '*');
  return has('SELECT', 'mysql') || has('SELECT', 'mysql.proc');
}

/** `name`: a database, `*` for all, or `mysql.proc`. */
function holds(grants: readonly Grant[], privilege: string, name: string): boolean {
  const about = grants.filter(({ privileges }) => privileges.includes(privilege) || privileges.includes('ALL PRIVILEGES'));
  if (about.some(({ isRevoked, scope }) => isRevoked && covers(scope, name))) return false;
  return about.some(({ isRevoked, scope }) => !isRevoked && covers(scope, name));
}

function covers(scope: string, name: string): boolean {
  if (scope === '*.*' || scope === name) return true;
  const pattern = scope.replace(/\\([_%\\])|[%_]|[.*+?^${}()|[\]\\]/g, (found, escaped: string | undefined) => (escaped !== undefined ? `\\x${escaped.charCodeAt(0).toString(16)}` : found === '%' ? '.*' : found === '_' ? '.' : `\\${found}`));
  return !name.includes('*') && !name.startsWith('mysql.') && new RegExp(`^${pattern}$`, 's').test(name);
}

/** ``GRANT SELECT, TRIGGER ON `shop`.* TO …``; grants of roles and of columns of single tables are none of these. */
function parseGrant(line: string): Grant[] {
  const [, verb, list = '', scope = ''] = /^(GRANT|REVOKE) (.*?) ON (?:TABLE )?(\*\.\*|`(?:[^`]|``)*`\.(?:\*|`(?:[^`]|``)*`)) (?:TO|FROM) /s.exec(line) ?? [];
  if (verb === undefined) return [];
  const privileges = list.split(',').map((word) => word.trim().toUpperCase()).filter((word) => !word.includes('('));
  const [, database, table] = /^`((?:[^`]|``)*)`\.(\*|`(?:[^`]|``)*`)$/s.exec(scope) ?? [];
  const name = scope === '*.*' ? scope : table === '*' ? (database as string).replaceAll('``', '`') : table === '`proc`' && database === 'mysql' ? 'mysql.proc' : undefined;
  return name === undefined ? [] : [{ isRevoked: verb === 'REVOKE', privileges, scope: name }];
}
