import { HoldfastError } from '../../model/errors.ts';
import type { BackupContent, DatabaseLoad, DatabaseLoader, LoadRequest } from '../database-loader.ts';
import { archivesIn, onlyArchiveIn } from './archives.ts';
import type { BackedUpArchive } from './archives.ts';
import { describeConnection, serverName } from './connection.ts';
import type { PostgresConnection } from './connection.ts';
import { DatabaseRestore } from './database-restore.ts';
import type { PostgresLoaderOptions } from './loader-options.ts';
import { rolesIn } from './globals-script.ts';
import { GlobalsRestore, globalsIn } from './globals-restore.ts';
import { isDatabaseThere } from './target-database.ts';
import { withSession } from './with-session.ts';

/** Restores archives of pg_dump by pg_restore, and roles by psql (R1). Archives in custom format are streamed. */
export class PostgresLoader implements DatabaseLoader {
  readonly kind = 'postgres';
  readonly description: string;
  readonly #options: PostgresLoaderOptions;

  constructor(options: PostgresLoaderOptions) {
    const { connection } = options;
    this.#options = options;
    this.description = connection.database === '' ? `all databases at ${serverName(connection)} as ${connection.user}` : describeConnection(connection);
  }

  async plan(content: BackupContent, wanted: LoadRequest, signal: AbortSignal): Promise<DatabaseLoad[]> {
    refuseOdd(wanted);
    const { connection } = this.#options;
    if (connection.database !== '') {
      const archive = await onlyArchiveIn(content, wanted.entry);
      return [await this.#restore(content, archive, connection).plan(wanted, { signal, newRoles: new Set() })];
    }
    return this.#planServer(content, wanted, signal);
  }

  /** Roles first, then every database under the name that it had; all of it is checked before anything is done. */
  async #planServer(content: BackupContent, wanted: LoadRequest, signal: AbortSignal): Promise<DatabaseLoad[]> {
    const { connection, maintenanceDatabase = 'postgres' } = this.#options;
    const entrance = { ...connection, database: maintenanceDatabase };
    const archives = await archivesIn(content, wanted.entry);
    const globals = wanted.entry === undefined ? await globalsIn(content) : undefined;
    const loads: DatabaseLoad[] = [];
    const newRoles = new Set(globals === undefined ? [] : rolesIn(globals.script));
    if (globals !== undefined) loads.push(await new GlobalsRestore({ ...this.#options, connection: entrance }, globals).plan(wanted, signal));
    for (const archive of archives) {
      const name = await this.#restore(content, archive, entrance).databaseOf(signal);
      const isThere = await withSession(entrance, this.#options, signal, (session) => isDatabaseThere(session, name));
      const mode = !isThere ? 'create' : wanted.mode === 'clean' ? 'clean' : 'empty';
      loads.push(await this.#restore(content, archive, { ...connection, database: name }).plan({ ...wanted, mode }, { signal, newRoles }));
    }
    return loads;
  }

  #restore(content: BackupContent, archive: BackedUpArchive, connection: PostgresConnection): DatabaseRestore {
    return new DatabaseRestore({ ...this.#options, connection }, { content, archive });
  }
}

function refuseOdd({ mode, jobs = 1 }: LoadRequest): void {
  if (jobs > 1 && mode !== 'create') throw new HoldfastError('usage', `${jobs} jobs were wanted for a database that is there: several connections cannot share the one transaction that keeps it as it was when something fails.`, { nextStep: 'Restore into a new database (--create), or without --jobs.' });
}
