import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import { makeScratch, sweepScratch } from '../scratch.ts';
import type { Flavour } from './client.ts';

/** Where a server is. The password is the only part that no message may show. */
export interface SqlConnection {
  /** Name, address, or the path of a Unix socket. `localhost` is reached over TCP, too. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Absent: none, as for users who are known by their Unix account. */
  readonly password?: string;
  /** Absent: as the client program does by itself. */
  readonly sslMode?: 'disable' | 'require' | 'verify-full';
  /** PEM file. */
  readonly sslRootCert?: string;
}

export interface ConnectionPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Private files with the password lie here while a client program runs. */
  readonly temporaryFolder: string;
  readonly clock: Pick<Clock, 'now'>;
}

export interface OpenedConnection {
  /** The first argument of every program; says nothing of the connection. */
  readonly argument: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Callable twice. */
  remove(): Promise<void>;
}

/** A host that does not answer must not hold up a run for the minutes that TCP would. */
const CONNECT_SECONDS = 15;
/** A row may be this large, on the wire and in a statement. */
const LARGEST_PACKET = '1G';
/** What the programs may take from this process; MYSQL_PWD and MYSQL_HOST are not among it. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'LD_LIBRARY_PATH'];

/**
 * Writes the connection as an option file (0600) into a private folder (0700), so that neither argument list nor
 * environment of a program holds any of it. `--defaults-file` and not `--defaults-extra-file`: `~/.my.cnf` is read after
 * the latter, so that somebody's password there, or his `skip-triggers`, would win. Remove it always; what a killed process left is removed by the next
 * one.
 */
export async function openSqlConnection(connection: SqlConnection, flavour: Flavour, { environment, temporaryFolder, clock }: ConnectionPlaces): Promise<OpenedConnection> {
  await sweepScratch(temporaryFolder, clock.now());
  const folder = await makeScratch(temporaryFolder);
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const file = join(folder, 'my.cnf');
    await writeFile(file, optionFile(connection, flavour), { mode: 0o600, flag: 'wx' });
    const taken = Object.fromEntries(INHERITED.filter((name) => environment[name] !== undefined).map((name) => [name, environment[name]]));
    // Errors are recognised by their English text. A login file of MySQL would be read besides.
    return { argument: `--defaults-file=${file}`, environment: { ...taken, LC_ALL: 'C', MYSQL_TEST_LOGIN_FILE: join(folder, 'none') }, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** What must be seen in no message: the password as it is, and as the option file has it. */
export function secretsOf({ password }: SqlConnection): string[] {
  return password === undefined || password === '' ? [] : [password, escaped(password)];
}

function escaped(value: string): string {
  return value.replace(/[\\"]/g, '\\$&');
}

/** For messages: `db.internal:3306 as holdfast`. */
export function serverName({ host, port }: Pick<SqlConnection, 'host' | 'port'>): string {
  if (host.startsWith('/')) return host;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function optionFile(connection: SqlConnection, flavour: Flavour): string {
  const { host, port, user, password, sslMode, sslRootCert } = connection;
  const place = host.startsWith('/') ? [['protocol', 'socket'], ['socket', host]] : [['protocol', 'tcp'], ['host', host], ['port', String(port)]];
  const lines = [...place, ['user', user], ...(password === undefined ? [] : [['password', password]]), ...(sslRootCert === undefined ? [] : [['ssl-ca', sslRootCert]]), ...sslLines(sslMode, flavour), ['max-allowed-packet', LARGEST_PACKET], ['default-character-set', 'utf8mb4']] as [string, string][];
  // Of the dump programs some do not know the last one.
  return `[client]\n${lines.map(([key, value]) => `${key}=${quoted(key, value)}`).join('\n')}\n[mysql]\nconnect-timeout=${CONNECT_SECONDS}\n`;
}

function sslLines(mode: SqlConnection['sslMode'], flavour: Flavour): [string, string][] {
  if (mode === undefined) return [];
  if (flavour === 'MySQL') return [['ssl-mode', { disable: 'DISABLED', require: 'REQUIRED', 'verify-full': 'VERIFY_IDENTITY' }[mode]]];
  if (mode === 'disable') return [['ssl', '0']];
  return [['ssl', '1'], ['ssl-verify-server-cert', mode === 'verify-full' ? '1' : '0']];
}

/** One line; within quotes only these two need a backslash (MariaDB: Configuring with option files). */
function quoted(key: string, value: string): string {
  // oxlint-disable-next-line no-control-regex
  if (value !== '' && !/[\u0000-\u001f]/.test(value)) return `"${escaped(value)}"`;
  const seen = key === 'password' ? (value === '' ? 'empty' : 'of more than one line') : JSON.stringify(value);
  throw new HoldfastError('config-invalid', `The ${key} of a MariaDB or MySQL connection is ${seen}, wanted one line of text.`, { nextStep: 'Correct it in holdfast.yaml, or in the secret that it comes from; a line break at its end is often left by the editor.' });
}
