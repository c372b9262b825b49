import { readFileSync } from 'node:fs';
import type { ResolvedPostgresPlace } from '../config/resolved-source.ts';
import { fetchSecret, isRemote } from '../config/secret-reference.ts';
import type { SecretReference } from '../config/secret-reference.ts';
import { HoldfastError } from '../model/errors.ts';
import type { ClientPlaces } from '../sources/client-programs.ts';
import type { PostgresConnection } from '../sources/postgres/connection.ts';
import type { Environment } from './places.ts';
import { readRemoteSecret } from './remote-secret.ts';

/** Names the folder of pg_dump, pg_restore and psql where PATH has another version first. */
const BINARIES = 'HOLDFAST_POSTGRES_BIN';

export function postgresPlaces({ variables, temporaryFolder }: Environment): ClientPlaces & { readonly temporaryFolder: string } {
  const binaries = variables[BINARIES];
  return { environment: variables, temporaryFolder, ...(binaries !== undefined && binaries !== '' && { binaries }) };
}

/** Secrets are read now, and stay in this process and in private files. Fails as `missing-key`. */
export async function connectionOf(place: Omit<ResolvedPostgresPlace, 'type'>, { variables }: Environment): Promise<PostgresConnection> {
  const { host, port, database, user, password, sslMode, sslRootCert } = place;
  const read = (reference: SecretReference) => (isRemote(reference) ? readRemoteSecret(reference) : fetchSecret(reference, { environment: variables, readTextFile: (path) => readFileSync(path, 'utf8') }));
  return {
    host, port, database,
    user: typeof user === 'string' ? user : await read(user),
    ...(password !== undefined && { password: await read(password) }),
    ...(sslMode !== undefined && { sslMode }),
    ...(sslRootCert !== undefined && { sslRootCert }),
  };
}

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export const POSTGRES_URL = 'postgres://USER@HOST:PORT/DATABASE (without DATABASE: every one of the backup), with ?sslmode= and &sslrootcert= if need be';

/** A database as the command line names it. Fails as `usage`. */
export function parsePostgresUrl(text: string): PostgresConnection {
  const url = new URL(text);
  const database = decodeURIComponent(url.pathname.slice(1));
  const host = url.searchParams.get('host') ?? url.hostname.replace(/^\[(.*)\]$/, '$1');
  const user = url.searchParams.get('user') ?? decodeURIComponent(url.username);
  const sslMode = url.searchParams.get('sslmode');
  const sslRootCert = url.searchParams.get('sslrootcert');
  const unknown = [...url.searchParams.keys()].find((key) => !['host', 'user', 'sslmode', 'sslrootcert'].includes(key));
  const mode = SSL_MODES.find((known) => known === sslMode);
  if (database.includes('/') || host === '' || user === '' || unknown !== undefined || (sslMode !== null && mode === undefined)) throw wrong(text);
  return { host: decodeURIComponent(host), port: url.port === '' ? 5432 : Number(url.port), database, user, ...(mode && { sslMode: mode }), ...(sslRootCert !== null && { sslRootCert }) };
}

function wrong(text: string): HoldfastError {
  return new HoldfastError('usage', `--to-database is ${JSON.stringify(text)}, wanted ${POSTGRES_URL}.`, { nextStep: 'The password comes from --password-file, HOLDFAST_DATABASE_PASSWORD or ~/.pgpass.' });
}
