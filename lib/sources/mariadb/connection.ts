import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../model/errors.ts';
import { CONNECT_SECONDS, environmentOf, hostAndPort, openByFiles } from '../opened-connection.ts';
import type { ConnectionPlaces, OpenedConnection } from '../opened-connection.ts';
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

/** A row may be this large, on the wire and in a statement. */
const LARGEST_PACKET = '1G';
/** What the programs may take from this process; MYSQL_PWD and MYSQL_HOST are not among it. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'LD_LIBRARY_PATH'];

/**
 * Writes the connection as an option file (0600). The argument comes first with every program: `--defaults-file` and not
 * `--defaults-extra-file`, because `~/.my.cnf` is read after the latter, so that somebody's password there, or his
 * `skip-triggers`, would win.
 */
export function openSqlConnection(connection: SqlConnection, flavour: Flavour, places: ConnectionPlaces): Promise<OpenedConnection> {
  return openByFiles(places, async (folder) => {
    const file = join(folder, 'my.cnf');
    await writeFile(file, optionFile(connection, flavour), { mode: 0o600, flag: 'wx' });
    // A login file of MySQL would be read besides.
    return { argument: `--defaults-file=${file}`, environment: { ...environmentOf(places, INHERITED), MYSQL_TEST_LOGIN_FILE: join(folder, 'none') } };
  });
}

/** What must be seen in no message: the password as it is, and as the option file has it. */
export function secretsOf({ password }: SqlConnection): string[] {
  return password === undefined || password === '' ? [] : [password, escaped(password)];
}

function escaped(value: string): string {
  return value.replace(/[\\"]/g, '\\$&');
}

/** For messages: `db.internal:3306`, or the path of a socket. */
export function serverName(place: Pick<SqlConnection, 'host' | 'port'>): string {
  return place.host.startsWith('/') ? place.host : hostAndPort(place);
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
