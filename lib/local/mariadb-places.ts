import { readFileSync } from 'node:fs';
import type { ResolvedMariadb } from '../config/mariadb-schema.ts';
import { fetchSecret, isRemote } from '../config/secret-reference.ts';
import type { SecretReference } from '../config/secret-reference.ts';
import type { ClientPlaces } from '../sources/mariadb/client.ts';
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
