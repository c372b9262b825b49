import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { BackupContent, DatabaseLoad, LoadOptions, LoadRequest, LoadedDatabase } from '../database-loader.ts';
import { makeScratch, sweepScratch } from '../scratch.ts';
import { readHeader } from './archive.ts';
import type { ArchiveHeader, ArchiveInput } from './archive.ts';
import type { BackedUpArchive } from './archives.ts';
import { chooseEntries } from './choose-entries.ts';
import type { ChosenEntries } from './choose-entries.ts';
import type { PostgresVersion } from './client.ts';
import { compareCounts } from './compare-counts.ts';
import { describeConnection, serverName } from './connection.ts';
import type { PostgresConnection } from './connection.ts';
import { loadArchive } from './load.ts';
import type { ArchiveToLoad } from './load.ts';
import type { PostgresLoaderOptions } from './loader-options.ts';
import { missingTables } from './missing-tables.ts';
import { query } from './query.ts';
import type { Session } from './query.ts';
import { chosenThere, refuseExisting, refuseMissing, refuseNotEmpty, refuseTablesThere, warningsOn } from './refusals.ts';
import { serverVersion } from './server-version.ts';
import { spoolArchive, spoolFile } from './spool.ts';
import { contentsOf, createdDatabase, partsThere, tableCounts } from './target-database.ts';
import { checkTimescale, restoringTimescale } from './timescale.ts';
import { withSession } from './with-session.ts';

interface Origin {
  readonly content: BackupContent;
  readonly archive: BackedUpArchive;
}

interface Planned {
  readonly wanted: LoadRequest;
  readonly header: ArchiveHeader;
  readonly server: PostgresVersion;
  /** Undefined: everything. */
  readonly chosen: ChosenEntries | undefined;
}

export interface PlanCircumstances {
  readonly signal: AbortSignal;
  /** Roles that are made before. */
  readonly newRoles: ReadonlySet<string>;
}

/** One archive into one database. */
export class DatabaseRestore {
  readonly #options: PostgresLoaderOptions;
  readonly #origin: Origin;

  constructor(options: PostgresLoaderOptions, origin: Origin) {
    this.#options = options;
    this.#origin = origin;
  }

  /** Name of the database that was backed up. */
  databaseOf(signal: AbortSignal): Promise<string> {
    return withSession(this.#options.connection, this.#options, signal, async (session) => (await this.#header(session, signal)).database);
  }

  async plan(wanted: LoadRequest, { signal, newRoles }: PlanCircumstances): Promise<DatabaseLoad> {
    const { connection } = this.#options;
    const { archive, content } = this.#origin;
    return withSession(this.#entrance(wanted), this.#options, signal, async (session) => {
      const header = await this.#header(session, signal);
      const server = await serverVersion(session);
      if (wanted.mode === 'create') await refuseExisting(session, connection);
      const chosen = await this.#choose(session, header, wanted);
      const existing = wanted.mode === 'create' ? { objects: 0, tables: [] } : wanted.mode === 'clean' && chosen !== undefined ? await chosenThere(session, chosen) : await contentsOf(session);
      if (wanted.mode === 'empty' && chosen === undefined) refuseNotEmpty(connection, existing);
      if (wanted.mode === 'empty' && chosen !== undefined) await refuseTablesThere(session, connection, chosen);
      await refuseMissing(session, { header, chosen, newRoles, isWithoutOwners: wanted.isWithoutOwners === true });
      const timescale = await checkTimescale(session, header, { versions: content.evidenceOf(archive.proved)?.versions, wanted });
      const planned = { wanted, header, server, chosen };
      return {
        mode: wanted.mode, description: describeConnection(connection), entry: archive.name, bytes: archive.bytes, place: `${connection.database} at ${serverName(connection)}`,
        archive: { server: header.server.text, dumpedBy: header.dumpedBy.text, database: header.database },
        client: session.client.version.text, server: server.text, existing, warnings: [...warningsOn(header, server.major, wanted), ...leftOutInWords(chosen), ...timescale],
        perform: (options) => this.#perform(planned, options),
        missingTables: async (later) => missingTables(tablesOf(planned), (await withSession(connection, this.#options, later, contentsOf)).tables),
      };
    });
  }

  async #header({ client, opened }: Session, signal: AbortSignal): Promise<ArchiveHeader> {
    const { archive } = this.#origin;
    const read = (input: ArchiveInput) => readHeader(input, { client, environment: opened.environment, clock: this.#options.clock, signal });
    const [only] = archive.files;
    if (archive.format === 'custom' && only !== undefined) return read({ open: () => only.read() });
    const contents = archive.files.find(({ path }) => path.endsWith('/toc.dat'));
    if (contents === undefined) throw new HoldfastError('not-found', `${archive.name} has no toc.dat.`);
    return this.#withScratch(async (folder) => {
      await spoolFile(contents, join(folder, 'toc.dat'), { signal });
      return read({ folder });
    });
  }

  async #choose(session: Session, { entries }: ArchiveHeader, { tables = [], schemas = [], mode }: LoadRequest): Promise<ChosenEntries | undefined> {
    if (tables.length === 0 && schemas.length === 0) return undefined;
    const there = mode === 'create' ? new Set<string>() : await partsThere(session);
    return chooseEntries(entries, { tables, schemas }, ({ kind, schema, name }) => there.has(`${kind} ${schema === undefined || schema === '' ? '-' : schema} ${name}`));
  }

  /** An existing database changes in one transaction, a new one appears under its name only when it is whole. */
  async #perform(planned: Planned, options: LoadOptions): Promise<LoadedDatabase> {
    const { wanted, header } = planned;
    const { connection } = this.#options;
    if (wanted.mode === 'create') {
      return withSession(this.#entrance(wanted), this.#options, options.signal, (session) =>
        createdDatabase(session, { name: connection.database, databaseOptions: header.databaseOptions, signal: options.signal }, async (database) => {
          const loaded = await this.#fill({ ...connection, database }, planned, options);
          const [first, ...others] = this.#differences(planned, loaded);
          if (first !== undefined) throw new HoldfastError('damaged', `The restored database is not what was backed up: ${first}${others.length > 0 ? `, and ${others.length} more differences` : ''}. It was dropped.`, { nextStep: 'Somebody wrote into it meanwhile, or the dump or its restore left rows out: run `holdfast verify --level full`, and restore an older backup.', data: { differences: [first, ...others] } });
          await this.#settle(session, database, planned);
          return loaded;
        }),
      );
    }
    const loaded = await this.#fill(connection, planned, options);
    const extras = wanted.mode === 'clean' && planned.chosen === undefined ? loaded.tables.filter(({ schema, table }) => !header.tables.some((listed) => listed.startsWith(`${schema} ${table} `))) : [];
    return { ...loaded, warnings: [...this.#differences(planned, loaded), ...extras.map(({ schema, table }) => `the table ${schema}.${table} is not in the backup and was left as it is`)] };
  }

  /** Owner, settings and privileges of the database itself; before it gets its name. */
  async #settle(session: Session, database: string, { wanted, header, chosen }: Planned): Promise<void> {
    const statements = header.databaseStatements.filter((statement) => wanted.isWithoutOwners !== true || statement.startsWith('ALTER DATABASE :"name" SET '));
    if (chosen !== undefined || statements.length === 0) return;
    await query(session, statements.join('\n'), { name: database }).catch((cause: Error) => {
      throw isHoldfastError(cause, 'interrupted') ? cause : new HoldfastError('target-failed', `The restored database could not get its owner, settings and privileges, and was dropped: ${cause.message}`, { nextStep: 'Restore as a user that may (a superuser), or with --no-owner.', cause });
    });
  }

  #fill(connection: PostgresConnection, planned: Planned, options: LoadOptions): Promise<LoadedDatabase> {
    const { wanted, server, header, chosen } = planned;
    return withSession(connection, this.#options, options.signal, (session) => this.#withScratch(async (folder) => {
      const list = chosen === undefined ? undefined : join(folder, 'list');
      if (list !== undefined) await writeFile(list, (chosen as ChosenEntries).entries.map(({ id }) => `${id};\n`).join(''), { mode: 0o600 });
      const archive = await this.#toLoad(planned, folder, options);
      const versions = this.#origin.content.evidenceOf(this.#origin.archive.proved)?.versions;
      const bytes = await restoringTimescale(session, header, versions, () => loadArchive(archive, session, {
        server, isOneTransaction: wanted.mode !== 'create', isCleaning: wanted.mode === 'clean', isWithoutOwners: wanted.isWithoutOwners === true,
        jobs: wanted.jobs ?? 1, list, clock: this.#options.clock, ...options,
      }));
      return { bytes: this.#wholeBytes(archive, bytes, planned), tables: await this.#counted(session, planned), warnings: [] };
    }));
  }

  /** Streamed where one connection reads custom format; else it has to lie on disk. */
  async #toLoad({ wanted }: Planned, folder: string, options: LoadOptions): Promise<ArchiveToLoad> {
    const { archive } = this.#origin;
    const [only] = archive.files;
    if (archive.format === 'custom' && only !== undefined && (wanted.jobs ?? 1) < 2) return { stream: only.read() };
    return { path: await spoolArchive(archive, folder, options), format: archive.format };
  }

  /** pg_restore stops reading when it has what a selection wants; else every byte must have gone in. */
  #wholeBytes(archive: ArchiveToLoad, bytes: number, { chosen }: Planned): number {
    const { name, bytes: wanted } = this.#origin.archive;
    if (!('stream' in archive) || chosen !== undefined) return wanted;
    if (bytes !== wanted) throw new HoldfastError('damaged', `${bytes} bytes of ${name} were restored, wanted ${wanted}.`, { nextStep: 'Run `holdfast verify --level full`.' });
    return bytes;
  }

  async #counted(session: Session, { chosen }: Planned): Promise<LoadedDatabase['tables']> {
    const tables = await tableCounts(session);
    if (chosen === undefined) return tables;
    const names = new Set(chosen.tables.map(({ schema, name }) => `${schema}\0${name}`));
    return tables.filter(({ schema, table }) => names.has(`${schema}\0${table}`));
  }

  #differences({ chosen }: Planned, { tables }: LoadedDatabase): string[] {
    const { content, archive } = this.#origin;
    const counted = content.evidenceOf(archive.proved)?.tables ?? [];
    const names = new Set(chosen?.tables.map(({ schema, name }) => `${schema}\0${name}`));
    return compareCounts(chosen === undefined ? counted : counted.filter(({ schema, table }) => names.has(`${schema}\0${table}`)), tables);
  }

  /** A database that is to be made cannot be connected to yet. */
  #entrance({ mode }: LoadRequest): PostgresConnection {
    const { connection, maintenanceDatabase = 'postgres' } = this.#options;
    return mode === 'create' ? { ...connection, database: maintenanceDatabase } : connection;
  }

  async #withScratch<T>(work: (folder: string) => Promise<T>): Promise<T> {
    const { scratchFolder, clock } = this.#options;
    await sweepScratch(scratchFolder, clock.now());
    const folder = await makeScratch(scratchFolder);
    try {
      return await work(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

function tablesOf({ header, chosen }: Planned): readonly string[] {
  return chosen === undefined ? header.tables : chosen.tables.filter(({ kind }) => kind === 'TABLE' || kind === 'MATERIALIZED VIEW').map(({ words }) => words);
}

function leftOutInWords(chosen: ChosenEntries | undefined): string[] {
  return (chosen?.leftOut ?? []).map(({ kind, name = '' }) => `${kind === 'FK CONSTRAINT' ? 'foreign key' : kind.toLowerCase()} ${name} is left out: it needs a table that is not chosen`);
}
