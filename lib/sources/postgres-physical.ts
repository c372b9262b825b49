import { fromText } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import { attributesAt } from './attributes.ts';
import type { ClientPlaces } from './client-programs.ts';
import { findBaseBackupClient } from './postgres/base-backup-client.ts';
import type { BaseBackupClient } from './postgres/base-backup-client.ts';
import { inspectServer } from './postgres/base-backup-server.ts';
import type { BaseBackupServer } from './postgres/base-backup-server.ts';
import { openCheckedBaseBackup } from './postgres/checked-base-backup.ts';
import { openConnection, serverName } from './postgres/connection.ts';
import type { PostgresConnection } from './postgres/connection.ts';
import type { OpenStream, SourceStream, StreamSource } from './source.ts';

export interface PostgresPhysicalOptions extends ClientPlaces {
  /** Its database is one to ask the server through; the backup has all of them. */
  readonly connection: PostgresConnection;
  /** `fetch`: the WAL that the backup needs is in it. */
  readonly wal: 'fetch' | 'none';
  readonly checkpoint: 'fast' | 'spread';
  /** A smaller base backup fails the run. */
  readonly minimumBytes: number;
  /** For pipes and, while a program runs, private files with the password; never for any of the data. */
  readonly temporaryFolder: string;
  readonly clock: Clock;
}

/** Name of the only entry. */
export const BASE_TAR = 'base.tar';

/**
 * A whole PostgreSQL cluster by `pg_basebackup`, as one entry `base.tar` (S2). It is streamed, never on disk, and proved
 * whole against the checksums that the server sends with it. Every one restores by itself; with an archive of WAL, to any
 * moment after its end.
 */
export class PostgresPhysicalSource implements StreamSource {
  readonly shape = 'streams';
  readonly type = 'postgres-physical';
  readonly description: string;
  readonly #options: PostgresPhysicalOptions;

  constructor(options: PostgresPhysicalOptions) {
    this.#options = options;
    this.description = `cluster at ${serverName(options.connection)} as ${options.connection.user}`;
  }

  /** Finds the client programs, and asks the server for everything that a base backup would fail for. */
  async check(): Promise<void> {
    const { opened } = await this.#inspect();
    await opened.remove();
  }

  async *streams(signal: AbortSignal): AsyncIterable<SourceStream> {
    yield { name: fromText(BASE_TAR), attributes: attributesAt(this.#options.clock.now()), open: () => this.#open(signal) };
  }

  async #open(signal: AbortSignal): Promise<OpenStream> {
    return openCheckedBaseBackup({ ...this.#options, ...(await this.#inspect(signal)), signal }, signal);
  }

  async #inspect(signal?: AbortSignal): Promise<{ readonly client: BaseBackupClient; readonly server: BaseBackupServer; readonly opened: Awaited<ReturnType<typeof openConnection>> }> {
    const { connection } = this.#options;
    const client = await findBaseBackupClient(this.#options);
    const opened = await openConnection(connection, this.#options);
    try {
      return { client, opened, server: await inspectServer({ client, connection, opened, signal }) };
    } catch (error) {
      await opened.remove();
      throw error;
    }
  }
}
