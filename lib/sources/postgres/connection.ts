import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../model/errors.ts';
import { CONNECT_SECONDS, environmentOf, hostAndPort, openByFiles } from '../opened-connection.ts';
import type { ConnectionPlaces, OpenedConnection } from '../opened-connection.ts';

/** Where a database is. The password is the only part that no message may show. */
export interface PostgresConnection {
  /** Name, address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** Absent: what the user's own pgpass file says, or no password at all. */
  readonly password?: string;
  readonly sslMode?: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
  /** PEM file. */
  readonly sslRootCert?: string;
}

/** What libpq may take from this process; a password in its environment could be read in /proc/PID/environ. */
const INHERITED = ['PATH', 'HOME', 'USER', 'LOGNAME', 'TMPDIR', 'LD_LIBRARY_PATH', 'PGSSLCERT', 'PGSSLKEY', 'PGSSLROOTCERT', 'PGSSLCRL', 'PGKRBSRVNAME', 'PGGSSENCMODE', 'PGCHANNELBINDING', 'KRB5CCNAME', 'KRB5_CONFIG'];

/**
 * Writes the connection as a service file and, when there is a password, a pgpass file (both 0600); the argument is for
 * `--dbname`. libpq only reads the password from a file, a prompt, or an environment that others of the same user could
 * read.
 */
export function openConnection(connection: PostgresConnection, places: ConnectionPlaces): Promise<OpenedConnection> {
  return openByFiles(places, async (folder) => {
    const { password } = connection;
    const passwordFile = password === undefined ? undefined : join(folder, 'pgpass');
    if (passwordFile !== undefined) await writeFile(passwordFile, passwordLine(password as string), { mode: 0o600, flag: 'wx' });
    const serviceFile = join(folder, 'service');
    await writeFile(serviceFile, serviceText(connection, passwordFile), { mode: 0o600, flag: 'wx' });
    const variables = environmentOf(places, password === undefined ? [...INHERITED, 'PGPASSFILE'] : INHERITED);
    return { argument: 'service=holdfast', environment: { ...variables, PGAPPNAME: 'holdfast', PGSERVICEFILE: serviceFile } };
  });
}

/** What must be seen in no message. */
export function secretsOf({ password }: PostgresConnection): string[] {
  return password === undefined ? [] : [password];
}

/** For messages: `database app at db.internal:5432 as holdfast`. */
export function describeConnection({ host, port, database, user }: PostgresConnection): string {
  return `database ${database} at ${serverName({ host, port })} as ${user}`;
}

export function serverName(place: Pick<PostgresConnection, 'host' | 'port'>): string {
  return hostAndPort(place);
}

function serviceText(connection: PostgresConnection, passwordFile: string | undefined): string {
  const { host, port, database, user, sslMode, sslRootCert } = connection;
  const values: Record<string, string | number | undefined> = {
    host, port, dbname: database, user, sslmode: sslMode, sslrootcert: sslRootCert, passfile: passwordFile,
    connect_timeout: CONNECT_SECONDS,
    // A server whose machine vanished ends the run within two minutes; the defaults of Linux are more than two hours.
    keepalives_idle: 30, keepalives_interval: 15, keepalives_count: 5, tcp_user_timeout: 105_000,
  };
  const lines = Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${checkedValue(key, String(value))}`]));
  return `[holdfast]\n${lines.join('\n')}\n`;
}

/** A service file has no way to quote: a line break would end the value, and spaces at its end are cut. */
function checkedValue(key: string, value: string): string {
  // oxlint-disable-next-line no-control-regex
  if (value !== '' && value.trim() === value && !/[\u0000-\u001f]/.test(value)) return value;
  throw new HoldfastError('config-invalid', `The ${key} of a PostgreSQL connection is ${JSON.stringify(value)}, wanted text without control characters and without spaces at its ends.`, { nextStep: 'Correct it in holdfast.yaml, or in the secret that it comes from.' });
}

/** The file serves one connection only, so everything but the password may be anything. */
function passwordLine(password: string): string {
  // oxlint-disable-next-line no-control-regex
  if (password !== '' && !/[\u0000\r\n]/.test(password)) return `*:*:*:*:${password.replace(/[\\:]/g, '\\$&')}\n`;
  throw new HoldfastError('config-invalid', `The password of a PostgreSQL connection is ${password === '' ? 'empty' : 'of more than one line'}, wanted one line of text.`, { nextStep: 'Correct the secret that it comes from; a line break at its end is often left by the editor.' });
}
