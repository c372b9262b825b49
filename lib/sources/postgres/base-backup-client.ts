import { HoldfastError } from '../../model/errors.ts';
import type { ClientPlaces } from '../client-programs.ts';
import { findProgram, versionOf } from './client.ts';
import type { PostgresVersion } from './client.ts';

/** What a base backup needs of PostgreSQL's own programs; both are of one major version. */
export interface BaseBackupClient {
  readonly version: PostgresVersion;
  readonly pgBasebackup: string;
  readonly psql: string;
}

/** Finds pg_basebackup and psql and asks their version. Fails as `source-failed`. */
export async function findBaseBackupClient(places: ClientPlaces): Promise<BaseBackupClient> {
  const pgBasebackup = await findProgram('pg_basebackup', places);
  const psql = await findProgram('psql', places);
  const [version, other] = await Promise.all([versionOf(pgBasebackup, places.environment), versionOf(psql, places.environment)]);
  if (other.major !== version.major) throw new HoldfastError('source-failed', `${pgBasebackup} is of PostgreSQL ${version.text} and ${psql} of ${other.text}, wanted one version.`, { nextStep: 'Put the folder of one complete client first in PATH, or name it with HOLDFAST_POSTGRES_BIN.' });
  return { version, pgBasebackup, psql };
}
