import { readFileSync } from 'node:fs';
import type { ResolvedMariadb } from '../config/mariadb-schema.ts';
import { fetchSecret, isRemote } from '../config/secret-reference.ts';
import type { SecretReference } from '../config/secret-reference.ts';
import { HoldfastError } from '../model/errors.ts';
import type { ClientPlaces } from '../sources/client-programs.ts';
import type { SqlSourceType } from '../sources/mariadb/client.ts';
import type { SqlConnection } from '../sources/mariadb/connection.ts';
import type { Environment } from './places.ts';
import { readRemoteSecret } from './remote-secret.ts';

/** Names the folder of the client programs where PATH has another version first. */
const BINARIES = 'HOLDFAST_MARIADB_BIN';

export function mariadbPlaces({ variables, temporaryFolder }: Environment): ClientPlaces & { readonly temporaryFolder: string } {
  const binaries = variables[BINARIES];
  return { environment: variables, temporaryFolder, ...(binaries !== undefined && binaries !== '' && { binaries }) };
}

/** Secrets are read now, and stay in this process and in private files. Fails as `missing-key`. */
export async function sqlConnectionOf({ host, port, user, password, sslMode, sslRootCert }: ResolvedMariadb, { variables }: Environment): Promise<SqlConnection> {
  const read = (reference: SecretReference) => (isRemote(reference) ? readRemoteSecret(reference) : fetchSecret(reference, { environment: variables, readTextFile: (path) => readFileSync(path, 'utf8') }));
  return {
    host, port,
    user: typeof user === 'string' ? user : await read(user),
    ...(password !== undefined && { password: await read(password) }),
    ...(sslMode !== undefined && { sslMode }),
    ...(sslRootCert !== undefined && { sslRootCert }),
  };
}

const SSL_MODES = ['disable', 'require', 'verify-full'] as const;
export const MARIADB_URL = 'mysql://USER@HOST:PORT/DATABASE (or mariadb://; without DATABASE every one of the backup), with ?ssl-mode= and &ssl-root-cert= if need be, and ?socket=PATH for a socket';

export interface SqlPlace {
  readonly type: SqlSourceType;
  readonly database: string;
  readonly connection: SqlConnection;
}

/** A database as the command line names it. Fails as `usage`. */
export function parseMariadbUrl(text: string): SqlPlace {
  const url = new URL(text);
  const database = decodeURIComponent(url.pathname.slice(1));
  const host = url.searchParams.get('socket') ?? decodeURIComponent(url.hostname.replace(/^\[(.*)\]$/, '$1'));
  const user = decodeURIComponent(url.username);
  const sslMode = url.searchParams.get('ssl-mode');
  const sslRootCert = url.searchParams.get('ssl-root-cert');
  const mode = SSL_MODES.find((known) => known === sslMode);
  const isUnknown = [...url.searchParams.keys()].some((key) => !['socket', 'ssl-mode', 'ssl-root-cert'].includes(key));
  if (database.includes('/') || host === '' || user === '' || isUnknown || (sslMode !== null && mode === undefined)) {
    throw new HoldfastError('usage', `--to-database is ${JSON.stringify(text)}, wanted ${MARIADB_URL}.`, { nextStep: 'The password comes from --password-file or HOLDFAST_DATABASE_PASSWORD.' });
  }
  const connection = { host, port: url.port === '' ? 3306 : Number(url.port), user, ...(mode && { sslMode: mode }), ...(sslRootCert !== null && { sslRootCert }) };
  return { type: url.protocol === 'mysql:' ? 'mysql' : 'mariadb', database, connection };
}
