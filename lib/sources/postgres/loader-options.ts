import type { Clock } from '../../model/clock.ts';
import type { ClientPlaces } from '../client-programs.ts';
import type { PostgresConnection } from './connection.ts';

export interface PostgresLoaderOptions extends ClientPlaces {
  /** Its database is the one to restore into; without a name: every database of the backup, each under its own. */
  readonly connection: PostgresConnection;
  /** To connect to while a new one is made; `postgres` by default. */
  readonly maintenanceDatabase?: string | undefined;
  /** For private files with the password while a program runs; never for data. */
  readonly temporaryFolder: string;
  /** Archives lie below it in plain while several connections, or pg_restore of the directory format, read them. */
  readonly scratchFolder: string;
  readonly clock: Clock;
}
