import type { ByteString } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import type { ArchiveHeader } from '../sources/postgres/archive.ts';
import type { ClientPlaces, PostgresVersion } from '../sources/postgres/client.ts';
import type { PostgresConnection } from '../sources/postgres/connection.ts';

export interface DatabaseTarget {
  /** Its database is the one to restore into. */
  readonly connection: PostgresConnection;
  /**
   * `empty`: into a database that is there and holds nothing. `create`: into a new one. `clean`: what the backup has is
   * dropped there and replaced; what else is there stays.
   */
  readonly mode: 'empty' | 'create' | 'clean';
  /** Everything belongs to the user who restores; no privileges. */
  readonly isWithoutOwners?: boolean | undefined;
  /** Path of the archive in the backup; the only one by default. */
  readonly entry?: string | undefined;
  /** To connect to while a new one is made; `postgres` by default. */
  readonly maintenanceDatabase?: string | undefined;
}

export interface DatabaseRestoreOptions extends ClientPlaces {
  /** For private files with the password while a program runs; never for data. */
  readonly temporaryFolder: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: { readonly bytes: number; readonly totalBytes: number }) => void) | undefined;
}

/** What would be done; consumed once, by `executeDatabaseRestore`. */
export interface DatabaseRestorePlan {
  readonly backup: string;
  /** For people. */
  readonly entry: string;
  readonly path: ByteString;
  readonly bytes: number;
  readonly target: DatabaseTarget;
  readonly header: ArchiveHeader;
  readonly client: PostgresVersion;
  readonly server: PostgresVersion;
  /** What the database holds now. */
  readonly existing: { readonly objects: number; readonly tables: readonly string[] };
  readonly warnings: readonly string[];
}

export interface TableCount {
  readonly schema: string;
  readonly table: string;
  readonly rows: number;
}

export interface DatabaseRestoreReport {
  readonly backup: string;
  readonly entry: string;
  /** For people; without a secret. */
  readonly database: string;
  readonly mode: DatabaseTarget['mode'];
  readonly bytes: number;
  /** Counted in the restored database, in order of their names. */
  readonly tables: readonly TableCount[];
  readonly warnings: readonly string[];
  readonly durationMilliseconds: number;
}
