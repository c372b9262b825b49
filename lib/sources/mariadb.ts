import { fromText } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError } from '../model/errors.ts';
import { attributesAt } from './attributes.ts';
import type { ClientPlaces } from './client-programs.ts';
import { findSqlClient, inWords, mismatch } from './mariadb/client.ts';
import type { SqlClient, SqlSourceType } from './mariadb/client.ts';
import { openSqlConnection, serverName } from './mariadb/connection.ts';
import type { SqlConnection } from './mariadb/connection.ts';
import { openSqlDump } from './mariadb/dump.ts';
import type { SqlSession } from './mariadb/query.ts';
import { databaseFacts, databaseNames, refuseMissingPrivileges, refuseUnseenDatabases, serverFacts, unmatchedExclusions } from './mariadb/server.ts';
import type { ServerFacts } from './mariadb/server.ts';
import type { OpenStream, SourceStream, StreamSource } from './source.ts';

export interface MariadbOptions extends ClientPlaces {
  /** Whose programs are looked for first. */
  readonly type: SqlSourceType;
  readonly connection: SqlConnection;
  /** Names, or all that there are when a run begins, but the system's own. */
  readonly databases: readonly string[] | 'all';
  /** Names of tables and views, `table` in every database or `database.table`. */
  readonly excludeTables: readonly string[];
  /** A smaller dump of any of the databases fails the run. */
  readonly minimumBytes: number;
  /** For pipes and, while a program runs, private files with the password; never for any of the data. */
  readonly temporaryFolder: string;
  readonly clock: Clock;
}

/**
 * Databases of a MariaDB or MySQL server by `mariadb-dump --single-transaction`, each as one entry `<database>.sql` (S11).
 * Each is of one moment; two of them are not of the same.
 */
export class MariadbSource implements StreamSource {
  readonly shape = 'streams';
  readonly type: SqlSourceType;
  readonly description: string;
  readonly #options: MariadbOptions;

  constructor(options: MariadbOptions) {
    this.#options = options;
    const { type, databases, connection } = options;
    this.type = type;
    const what = databases === 'all' ? 'all databases' : `${databases.length === 1 ? 'database' : 'databases'} ${databases.join(', ')}`;
    this.description = `${what} at ${serverName(connection)} as ${connection.user}`;
  }

  /** Finds the client programs, connects, compares versions, and looks whether the user may see everything. */
  async check(): Promise<void> {
    await this.#withSession(undefined, async (session, server) => {
      for (const name of await this.#names(session, server)) await this.#checkDatabase(session, server, name);
    });
  }

  async *streams(signal: AbortSignal): AsyncIterable<SourceStream> {
    const { names, warnings } = await this.#withSession(signal, async (session, server) => {
      const all = await this.#names(session, server);
      const unmatched = await unmatchedExclusions(session, this.#options.excludeTables, all);
      return { names: all, warnings: unmatched.map((pattern) => `exclude-tables names ${JSON.stringify(pattern)}, and no table or view of the databases is called so: nothing is left out for it (names are compared letter by letter, * and % stand for themselves)`) };
    });
    for (const [index, name] of names.entries()) yield { name: fromText(entryName(name)), attributes: attributesAt(this.#options.clock.now()), open: () => this.#open(name, index === 0 ? warnings : [], signal) };
  }

  async #open(name: string, warnings: readonly string[], signal: AbortSignal): Promise<OpenStream> {
    const { connection, excludeTables } = this.#options;
    const { client, server, database } = await this.#withSession(signal, async (session, facts) => ({ client: session.client, server: facts, database: await this.#checkDatabase(session, facts, name) }));
    const opened = await openSqlConnection(connection, client.version.flavour, this.#options);
    const excluded = excludeTables.flatMap((table) => (table.startsWith(`${name}.`) ? [table.slice(name.length + 1)] : table.includes('.') ? [] : [table]));
    return openSqlDump({ ...this.#options, client, server, database, opened, excludeTables: excluded, warnings }, signal);
  }

  async #checkDatabase(session: SqlSession, server: ServerFacts, name: string) {
    const database = await databaseFacts(session, name);
    refuseMissingPrivileges(server, name, serverName(session.connection));
    return database;
  }

  async #names(session: SqlSession, server: ServerFacts): Promise<readonly string[]> {
    const { databases, connection } = this.#options;
    if (databases !== 'all') return databases;
    const names = await databaseNames(session);
    refuseUnseenDatabases(server, names, serverName(connection));
    if (names.length > 0) return names;
    throw new HoldfastError('source-failed', `The server at ${serverName(connection)} has no database but its own.`, { nextStep: 'Check that it is the server you mean.' });
  }

  async #withSession<T>(signal: AbortSignal | undefined, work: (session: SqlSession, server: ServerFacts) => Promise<T>): Promise<T> {
    const { type, connection } = this.#options;
    signal?.throwIfAborted();
    const client = await findSqlClient(type, this.#options);
    const opened = await openSqlConnection(connection, client.version.flavour, this.#options);
    try {
      const session = { client, connection, opened, signal };
      const server = await serverFacts(session);
      refuseMismatch(client, server, connection);
      return await work(session, server);
    } finally {
      await opened.remove();
    }
  }
}

/** One component, and another one for every name. */
export function entryName(database: string): string {
  return `${database.replaceAll('%', '%25').replaceAll('/', '%2F')}.sql`;
}

function refuseMismatch(client: SqlClient, server: ServerFacts, connection: SqlConnection): void {
  const why = mismatch(client.version, server.version);
  if (why !== undefined) {
    throw new HoldfastError('source-failed', `The server at ${serverName(connection)} is ${inWords(server.version)}, and ${why}. Nothing was started.`, {
      nextStep: `Install the client programs of ${server.version.flavour} ${server.version.major}.${server.version.minor} and put them first in PATH, or name their folder with HOLDFAST_MARIADB_BIN.`,
      data: { server: server.version.text, client: client.version.text },
    });
  }
  const isSecure = connection.sslMode === 'require' || connection.sslMode === 'verify-full';
  if (isSecure && !server.isEncrypted) throw new HoldfastError('source-failed', `The connection to ${serverName(connection)} is not encrypted, wanted ssl-mode ${connection.sslMode}. Nothing was dumped.`, { nextStep: 'Set up TLS on the server (ssl_cert, ssl_key), or set ssl-mode to disable if the network is trusted.' });
}
