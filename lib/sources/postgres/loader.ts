import { display } from '../../model/byte-string.ts';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { BackupContent, ContentFile, DatabaseLoad, DatabaseLoader, LoadOptions, LoadRequest, LoadedDatabase } from '../database-loader.ts';
import { onlyArchive } from '../only-archive.ts';
import { readHeader } from './archive.ts';
import type { ArchiveHeader } from './archive.ts';
import { findClient } from './client.ts';
import type { ClientPlaces, PostgresVersion } from './client.ts';
import { describeConnection, openConnection, serverName } from './connection.ts';
import type { PostgresConnection } from './connection.ts';
import { loadArchive } from './load.ts';
import { missingTables } from './missing-tables.ts';
import type { Session } from './query.ts';
import { serverVersion } from './server-version.ts';
import { contentsOf, createdDatabase, isDatabaseThere, missingParts, tableCounts } from './target-database.ts';

export interface PostgresLoaderOptions extends ClientPlaces {
  /** Its database is the one to restore into. */
  readonly connection: PostgresConnection;
  /** To connect to while a new one is made; `postgres` by default. */
  readonly maintenanceDatabase?: string | undefined;
  /** For private files with the password while a program runs; never for data. */
  readonly temporaryFolder: string;
  readonly clock: Clock;
}

interface Planned {
  readonly file: ContentFile;
  readonly wanted: LoadRequest;
  readonly header: ArchiveHeader;
  readonly server: PostgresVersion;
}

/** Restores archives of pg_dump by pg_restore, streamed: nothing touches the disk here (R1). */
export class PostgresLoader implements DatabaseLoader {
  readonly kind = 'postgres';
  readonly description: string;
  readonly #options: PostgresLoaderOptions;

  constructor(options: PostgresLoaderOptions) {
    this.#options = options;
    this.description = describeConnection(options.connection);
  }

  async plan(content: BackupContent, wanted: LoadRequest, signal: AbortSignal): Promise<DatabaseLoad[]> {
    const { connection, clock } = this.#options;
    const file = await onlyArchive(content, { entry: wanted.entry, suffix: '.dump', what: 'an archive of pg_dump' });
    return this.#withSession(this.#entrance(wanted), signal, async (session) => {
      const { client, opened } = session;
      const header = await readHeader(() => file.read(), { client, environment: opened.environment, clock, signal });
      const server = await serverVersion(session);
      const existing = wanted.mode === 'create' ? undefined : await contentsOf(session);
      if (wanted.mode === 'create') await refuseExisting(session, connection);
      if (existing !== undefined && existing.objects > 0 && wanted.mode === 'empty') throw notEmpty(connection, existing);
      await refuseMissing(session, header, wanted);
      const planned = { file, wanted, header, server };
      return [{
        mode: wanted.mode, description: describeConnection(connection), entry: display(file.path), bytes: file.bytes, place: `${connection.database} at ${serverName(connection)}`,
        archive: { server: header.server.text, dumpedBy: header.dumpedBy.text, database: header.database },
        client: client.version.text, server: server.text, existing: existing ?? { objects: 0, tables: [] }, warnings: warningsOn(header, server.major, wanted),
        perform: (options) => this.#perform(planned, options),
        missingTables: async (later) => missingTables(header.tables, (await this.#withSession(connection, later, contentsOf)).tables),
      }];
    });
  }

  /** An existing database changes in one transaction, a new one appears under its name only when it is whole. */
  async #perform(planned: Planned, options: LoadOptions): Promise<LoadedDatabase> {
    const { wanted, header } = planned;
    const { connection } = this.#options;
    const name = connection.database;
    if (wanted.mode === 'create') {
      return this.#withSession(this.#entrance(wanted), options.signal, (session) =>
        createdDatabase(session, { name, databaseOptions: header.databaseOptions, signal: options.signal }, (database) => this.#fill({ ...connection, database }, planned, options)),
      );
    }
    const loaded = await this.#fill(connection, planned, options);
    const extras = wanted.mode === 'clean' ? loaded.tables.filter(({ schema, table }) => !header.tables.some((listed) => listed.startsWith(`${schema} ${table} `))) : [];
    return { ...loaded, warnings: extras.map(({ schema, table }) => `the table ${schema}.${table} is not in the backup and was left as it is`) };
  }

  #fill(connection: PostgresConnection, { file, wanted, server }: Planned, options: LoadOptions): Promise<LoadedDatabase> {
    return this.#withSession(connection, options.signal, async (session) => {
      const bytes = await loadArchive(file.read(), session, {
        server, isOneTransaction: wanted.mode !== 'create', isCleaning: wanted.mode === 'clean', isWithoutOwners: wanted.isWithoutOwners === true,
        clock: this.#options.clock, ...options,
      });
      if (bytes !== file.bytes) throw new HoldfastError('damaged', `${bytes} bytes of ${display(file.path)} were restored, wanted ${file.bytes}.`, { nextStep: 'Run `holdfast verify --level full`.' });
      return { bytes, tables: await tableCounts(session), warnings: [] };
    });
  }

  /** A database that is to be made cannot be connected to yet. */
  #entrance({ mode }: LoadRequest): PostgresConnection {
    const { connection, maintenanceDatabase = 'postgres' } = this.#options;
    return mode === 'create' ? { ...connection, database: maintenanceDatabase } : connection;
  }

  async #withSession<T>(connection: PostgresConnection, signal: AbortSignal, work: (session: Session) => Promise<T>): Promise<T> {
    const client = await findClient(this.#options);
    const opened = await openConnection(connection, this.#options);
    try {
      return await work({ client, connection, opened, signal });
    } finally {
      await opened.remove();
    }
  }
}

async function refuseExisting(session: Session, connection: PostgresConnection): Promise<void> {
  if (!(await isDatabaseThere(session, connection.database))) return;
  throw new HoldfastError('target-exists', `The ${describeConnection(connection)} is there already, wanted a new one. Nothing was done.`, { nextStep: 'Choose another name, or leave --create away: an existing database is restored into when it is empty, or with --clean.' });
}

function notEmpty(connection: PostgresConnection, { objects, tables }: DatabaseLoad['existing']): HoldfastError {
  const names = tables.length === 0 ? '' : ` (${tables.slice(0, 5).join(', ')}${tables.length > 5 ? ', …' : ''})`;
  return new HoldfastError('target-exists', `The ${describeConnection(connection)} holds ${objects} objects${names}, wanted an empty one. Nothing was done.`, {
    nextStep: 'Restore into a new database (--create), or drop and replace what the backup has (--clean).', data: { objects, tables },
  });
}

async function refuseMissing(session: Session, header: ArchiveHeader, wanted: LoadRequest): Promise<void> {
  const { extensions, roles } = await missingParts(session, header);
  if (extensions.length > 0) throw new HoldfastError('unsupported', `The server does not have the extensions that the backup needs: ${extensions.join(', ')}. Nothing was done.`, { nextStep: 'Install their packages on the server, and restore again.', data: { extensions } });
  if (roles.length > 0 && wanted.isWithoutOwners !== true) throw new HoldfastError('target-failed', `The server does not have the roles that own parts of the backup: ${roles.join(', ')}. Nothing was done.`, { nextStep: 'Make them there (CREATE ROLE), or restore with --no-owner: everything then belongs to the user who restores.', data: { roles } });
}

function warningsOn({ server: from }: ArchiveHeader, to: number, { isWithoutOwners }: LoadRequest): string[] {
  const older = from.major > to ? [`the backup is of a PostgreSQL ${from.text} server and goes into an older one (${to}): what ${to} does not know fails the restore`] : [];
  return isWithoutOwners === true ? [...older, 'owners and privileges are not restored'] : older;
}
