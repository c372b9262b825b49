import { fromText } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError } from '../model/errors.ts';
import { attributesAt } from './attributes.ts';
import { openCheckedDump } from './postgres/checked-dump.ts';
import { findClient } from './postgres/client.ts';
import type { ClientPlaces, PostgresClient, PostgresVersion } from './postgres/client.ts';
import { describeConnection, openConnection, serverName } from './postgres/connection.ts';
import type { PostgresConnection } from './postgres/connection.ts';
import { serverVersion } from './postgres/server-version.ts';
import type { OpenStream, SourceStream, StreamSource } from './source.ts';

export interface PostgresOptions extends ClientPlaces {
  readonly connection: PostgresConnection;
  /** Patterns as `pg_dump --exclude-table` takes them. */
  readonly excludeTables: readonly string[];
  /** A smaller dump fails the run. */
  readonly minimumBytes: number;
  /** For pipes and, while a program runs, private files with the password; never for any of the data. */
  readonly temporaryFolder: string;
  readonly clock: Clock;
}

/**
 * One PostgreSQL database by `pg_dump --format=custom`, as one entry `<database>.dump` (S1). The archive is streamed,
 * never on disk, and proved whole by `pg_restore`, which reads it as it passes.
 */
export class PostgresSource implements StreamSource {
  readonly shape = 'streams';
  readonly type = 'postgres';
  readonly description: string;
  readonly #options: PostgresOptions;

  constructor(options: PostgresOptions) {
    this.#options = options;
    this.description = describeConnection(options.connection);
  }

  /** Finds the client programs, connects, and compares versions: no older pg_dump reads a newer server. */
  async check(): Promise<void> {
    await this.#inspect();
  }

  async *streams(signal: AbortSignal): AsyncIterable<SourceStream> {
    const { connection, clock } = this.#options;
    yield { name: fromText(dumpName(connection.database)), attributes: attributesAt(clock.now()), open: () => this.#open(signal) };
  }

  async #open(signal: AbortSignal): Promise<OpenStream> {
    const { client, server } = await this.#inspect(signal);
    const opened = await openConnection(this.#options.connection, this.#options);
    return openCheckedDump({ ...this.#options, client, server, opened }, signal);
  }

  async #inspect(signal?: AbortSignal): Promise<{ readonly client: PostgresClient; readonly server: PostgresVersion }> {
    const { connection } = this.#options;
    const client = await findClient(this.#options);
    const opened = await openConnection(connection, this.#options);
    try {
      const server = await serverVersion({ client, connection, opened, signal });
      if (server.major > client.version.major) throw tooNew(connection, client, server);
      return { client, server };
    } finally {
      await opened.remove();
    }
  }
}

/** One component, whatever the database is called. */
export function dumpName(database: string): string {
  return `${database.replaceAll('/', '_')}.dump`;
}

function tooNew(connection: PostgresConnection, client: PostgresClient, server: PostgresVersion): HoldfastError {
  return new HoldfastError('source-failed', `The server at ${serverName(connection)} is PostgreSQL ${server.text}, and ${client.pgDump} is ${client.version.text}: pg_dump refuses servers newer than itself. Nothing was started.`, {
    nextStep: `Install the client programs of PostgreSQL ${server.major} (Debian and Ubuntu: postgresql-client-${server.major}) and put them first in PATH, or name their folder with HOLDFAST_POSTGRES_BIN.`,
    data: { server: server.text, client: client.version.text },
  });
}
