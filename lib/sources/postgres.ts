import { fromText } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError } from '../model/errors.ts';
import { attributesAt } from './attributes.ts';
import type { ClientPlaces } from './client-programs.ts';
import type { DumpChoice } from './postgres/choice.ts';
import { findClient, findProgram } from './postgres/client.ts';
import type { PostgresClient, PostgresVersion } from './postgres/client.ts';
import { describeConnection, openConnection, serverName } from './postgres/connection.ts';
import type { PostgresConnection } from './postgres/connection.ts';
import { openCountedDump } from './postgres/counted-dump.ts';
import { chosenDatabases } from './postgres/databases.ts';
import type { DatabaseChoice } from './postgres/databases.ts';
import { directoryStreams } from './postgres/directory-dump.ts';
import { globalsStream } from './postgres/globals.ts';
import { archiveName, folderName } from './postgres/entry-names.ts';
import type { RowCounts } from './postgres/row-counts.ts';
import { serverVersion } from './postgres/server-version.ts';
import type { OpenStream, SourceStream, StreamSource } from './source.ts';

export interface PostgresOptions extends ClientPlaces, DumpChoice {
  /** Its database is the one to keep, or with `databases` the one to ask at. */
  readonly connection: PostgresConnection;
  readonly databases?: DatabaseChoice | undefined;
  readonly globals: 'none' | 'without-passwords' | 'with-passwords';
  /** From 2 on: directory format, by so many connections. */
  readonly jobs: number;
  readonly rowCounts: RowCounts;
  /** A smaller dump fails the run. */
  readonly minimumBytes: number;
  /** For pipes and, while a program runs, private files with the password; never for any of the data. */
  readonly temporaryFolder: string;
  /** With `jobs`, dumps lie below it in plain until they are stored. */
  readonly scratchFolder: string;
  /** Milliseconds; ten minutes by default. */
  readonly lockWaitMilliseconds?: number | undefined;
  readonly clock: Clock;
}

/**
 * PostgreSQL databases by pg_dump (S1): each as one entry `<database>.dump` in custom format, streamed and never on disk,
 * or with several jobs in directory format, each file an entry below `<database>/`; roles as `globals.sql`. Nothing
 * counts as whole that pg_restore has not read to its end.
 */
export class PostgresSource implements StreamSource {
  readonly shape = 'streams';
  readonly type = 'postgres';
  readonly description: string;
  readonly #options: PostgresOptions;

  constructor(options: PostgresOptions) {
    this.#options = options;
    const { connection, databases } = options;
    const several = databases === 'all' ? 'all databases' : `databases ${databases?.join(', ')}`;
    this.description = databases === undefined ? describeConnection(connection) : `${several} at ${serverName(connection)} as ${connection.user}`;
  }

  /** Finds the client programs, connects to each database that is named, and compares versions: no older pg_dump reads a newer server. */
  async check(): Promise<void> {
    const { connection, databases } = this.#options;
    const named = databases === undefined || databases === 'all' ? [connection.database] : databases;
    for (const database of named) await this.#inspect({ ...connection, database });
    if (this.#options.globals !== 'none') await findProgram('pg_dumpall', this.#options);
  }

  async *streams(signal: AbortSignal): AsyncIterable<SourceStream> {
    const { connection, globals } = this.#options;
    const { databases, warnings } = await chosenDatabases(this.#options, signal);
    if (globals !== 'none') yield* this.#globals(databases[0] ?? connection.database, signal);
    for (const [index, database] of databases.entries()) {
      for await (const stream of this.#database({ ...connection, database }, signal)) {
        yield index === 0 ? withWarnings(stream, warnings) : stream;
      }
    }
  }

  async *#globals(database: string, signal: AbortSignal): AsyncGenerator<SourceStream> {
    const connection = { ...this.#options.connection, database };
    const { client } = await this.#inspect(connection, signal);
    const opened = await openConnection(connection, this.#options);
    try {
      const pgDumpall = await findProgram('pg_dumpall', this.#options);
      yield* globalsStream({ ...this.#options, pgDumpall, version: client.version.text, connection, opened, hasPasswords: this.#options.globals === 'with-passwords' }, signal);
    } finally {
      await opened.remove();
    }
  }

  async *#database(connection: PostgresConnection, signal: AbortSignal): AsyncGenerator<SourceStream> {
    const { clock, jobs } = this.#options;
    const attributes = attributesAt(clock.now());
    if (jobs < 2) {
      yield { name: fromText(archiveName(connection.database)), attributes, open: () => this.#open(connection, signal) };
      return;
    }
    const { client, server } = await this.#inspect(connection, signal);
    const opened = await openConnection(connection, this.#options);
    yield* directoryStreams({ ...this.#options, client, server, connection, opened, name: folderName(connection.database), attributes }, signal);
  }

  async #open(connection: PostgresConnection, signal: AbortSignal): Promise<OpenStream> {
    const { client, server } = await this.#inspect(connection, signal);
    const opened = await openConnection(connection, this.#options);
    return openCountedDump({ ...this.#options, client, server, connection, opened }, signal);
  }

  async #inspect(connection: PostgresConnection, signal?: AbortSignal): Promise<{ readonly client: PostgresClient; readonly server: PostgresVersion }> {
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

/** What is left out of a backup is told with its first stream. */
function withWarnings(stream: SourceStream, warnings: readonly string[]): SourceStream {
  if (warnings.length === 0) return stream;
  return {
    ...stream,
    open: async () => {
      const opened = await stream.open();
      return { ...opened, close: () => opened.close(), finish: async (seen) => { const proof = await opened.finish(seen); return { ...proof, warnings: [...(proof.warnings ?? []), ...warnings] }; } };
    },
  };
}

function tooNew(connection: PostgresConnection, client: PostgresClient, server: PostgresVersion): HoldfastError {
  return new HoldfastError('source-failed', `The server at ${serverName(connection)} is PostgreSQL ${server.text}, and ${client.pgDump} is ${client.version.text}: pg_dump refuses servers newer than itself. Nothing was started.`, {
    nextStep: `Install the client programs of PostgreSQL ${server.major} (Debian and Ubuntu: postgresql-client-${server.major}) and put them first in PATH, or name their folder with HOLDFAST_POSTGRES_BIN.`,
    data: { server: server.text, client: client.version.text },
  });
}
