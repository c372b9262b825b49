import { basename } from 'node:path';
import { HoldfastError } from '../../model/errors.ts';
import { findAnyProgram, versionLine } from '../client-programs.ts';
import type { ClientPlaces } from '../client-programs.ts';

export type Flavour = 'MariaDB' | 'MySQL';

export interface SqlVersion {
  readonly flavour: Flavour;
  readonly major: number;
  readonly minor: number;
  /** As it calls itself, without its suffixes: `10.11.19`. */
  readonly text: string;
}

/** The dump and the command line program on this machine; they are of one version. */
export interface SqlClient {
  readonly version: SqlVersion;
  readonly dump: string;
  readonly shell: string;
}

/** What a plan calls its source decides whose programs are looked for first; either may serve. */
export type SqlSourceType = 'mariadb' | 'mysql';

const NAMES: Readonly<Record<SqlSourceType, { readonly dump: readonly string[]; readonly shell: readonly string[] }>> = {
  mariadb: { dump: ['mariadb-dump', 'mysqldump'], shell: ['mariadb', 'mysql'] },
  mysql: { dump: ['mysqldump', 'mariadb-dump'], shell: ['mysql', 'mariadb'] },
};

/** Finds the two programs and asks their version. Fails as `source-failed`. */
export async function findSqlClient(type: SqlSourceType, places: ClientPlaces): Promise<SqlClient> {
  const dump = await findProgram(NAMES[type].dump, places);
  const shell = await findProgram(NAMES[type].shell, places);
  const [version, other] = await Promise.all([dump, shell].map((program) => versionOf(program, places.environment)));
  if (version === undefined || other === undefined || version.flavour !== other.flavour || version.major !== other.major || version.minor !== other.minor) {
    throw new HoldfastError('source-failed', `${dump} is of ${inWords(version)} and ${shell} of ${inWords(other)}, wanted one version.`, { nextStep: 'Put the folder of one complete client first in PATH, or name it with HOLDFAST_MARIADB_BIN.' });
  }
  return { version, dump, shell };
}

/** `MariaDB 10.11.19` */
export function inWords(version: SqlVersion | undefined): string {
  return version === undefined ? 'an unknown version' : `${version.flavour} ${version.text}`;
}

/** Name of the program without its folder. */
export function programName(path: string): string {
  return basename(path);
}

/** Of MySQL's versions, the newest whose dumps MariaDB's programs are trusted with. */
const NEWEST_MYSQL_BY_MARIADB = { major: 8, minor: 4 };

/** Why this client must not dump this server; undefined when it may. Neither program refuses by itself. */
export function mismatch(client: SqlVersion, server: SqlVersion): string | undefined {
  if (client.flavour === server.flavour) return isOlder(client, server) ? `the client programs are ${inWords(client)}: an older client does not know what a newer server may hold` : undefined;
  if (client.flavour === 'MySQL') return `the client programs are ${inWords(client)}, which leave out what only MariaDB has (sequences, history of system-versioned tables)`;
  return isOlder(NEWEST_MYSQL_BY_MARIADB, server) ? `the client programs are ${inWords(client)}, which are trusted with MySQL up to ${NEWEST_MYSQL_BY_MARIADB.major}.${NEWEST_MYSQL_BY_MARIADB.minor}` : undefined;
}

/** The third number is for mends alone. */
export function isOlder(one: { readonly major: number; readonly minor: number }, other: { readonly major: number; readonly minor: number }): boolean {
  return one.major < other.major || (one.major === other.major && one.minor < other.minor);
}

/** From `select version()`, such as `10.11.19-MariaDB-0+deb12u1-log`, `8.0.36`. Undefined when it is none. */
export function serverVersionOf(text: string): SqlVersion | undefined {
  return parsed(/mariadb/i.test(text) ? 'MariaDB' : 'MySQL', /^(\d+)\.(\d+)\.(\d+)/.exec(text));
}

function parsed(flavour: Flavour, match: RegExpExecArray | null): SqlVersion | undefined {
  if (match === null) return undefined;
  const [major, minor, patch] = match.slice(1).map(Number);
  return { flavour, major: major as number, minor: minor as number, text: `${major}.${minor}.${patch}` };
}

async function findProgram(names: readonly string[], places: ClientPlaces): Promise<string> {
  const found = await findAnyProgram(names, places);
  if (found !== undefined) return found;
  throw new HoldfastError('source-failed', `Neither ${names.join(' nor ')} is in ${places.binaries ?? 'PATH'}.`, {
    nextStep: "Install the client programs of your server (Debian and Ubuntu: mariadb-client; Alpine: mariadb-client; MySQL: mysql-client), or name their folder with HOLDFAST_MARIADB_BIN.",
  });
}

/** Undefined: it runs, and says something else. Fails as `source-failed` when it does not run. */
export async function versionOf(program: string, environment: ClientPlaces['environment']): Promise<SqlVersion | undefined> {
  const line = await versionLine(program, ['--no-defaults', '--version'], { environment, nextStep: 'Install the client programs again.' });
  // `mariadb-dump from 11.4.2-MariaDB, client 10.19 for …`, `mysqldump  Ver 10.19 Distrib 10.11.19-MariaDB, for …`, `mysqldump  Ver 8.0.36 for …`.
  const match = /(?:from|Distrib) (\d+)\.(\d+)\.(\d+)/.exec(line) ?? /Ver (\d+)\.(\d+)\.(\d+)/.exec(line);
  return parsed(/mariadb/i.test(line.replace(program, '').replace(/^\S+/, '')) ? 'MariaDB' : 'MySQL', match);
}
