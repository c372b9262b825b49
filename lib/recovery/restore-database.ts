import { display } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import { isSnapshotFile } from '../repository/index.ts';
import type { SnapshotFile, SnapshotReader } from '../repository/index.ts';
import { readHeader } from '../sources/postgres/archive.ts';
import type { ArchiveHeader } from '../sources/postgres/archive.ts';
import { findClient } from '../sources/postgres/client.ts';
import { describeConnection, openConnection } from '../sources/postgres/connection.ts';
import type { PostgresConnection } from '../sources/postgres/connection.ts';
import type { Session } from '../sources/postgres/query.ts';
import { serverVersion } from '../sources/postgres.ts';
import { loadArchive } from '../sources/postgres/load.ts';
import type { DatabaseRestoreOptions, DatabaseRestorePlan, DatabaseRestoreReport, DatabaseTarget } from './restore-database-plan.ts';
import { contentsOf, createdDatabase, isDatabaseThere, missingParts, tableCounts } from './restore-database-server.ts';
import { readContent } from './read-content.ts';

export type { DatabaseRestoreOptions, DatabaseRestorePlan, DatabaseRestoreReport, DatabaseTarget, TableCount } from './restore-database-plan.ts';

/** `planDatabaseRestore`, then `executeDatabaseRestore`. */
export async function restoreDatabase(reader: SnapshotReader, target: DatabaseTarget, options: DatabaseRestoreOptions): Promise<DatabaseRestoreReport> {
  return executeDatabaseRestore(reader, await planDatabaseRestore(reader, target, options), options);
}

/**
 * What restoring the archive of a backup into a database would do; changes nothing. Fails as `target-exists` when the
 * database holds something and nobody said `clean`, or is there and was to be created (R1); as `not-found`, `refused`,
 * `unsupported`, `permission`, `source-failed` when it could not succeed: client older than the archive, server not
 * reached, an extension or a role that is not there.
 */
export async function planDatabaseRestore(reader: SnapshotReader, target: DatabaseTarget, options: DatabaseRestoreOptions): Promise<DatabaseRestorePlan> {
  const file = await archiveIn(reader, target.entry);
  return withSession(entrance(target), options, async (session) => {
    const { client, opened } = session;
    const header = await readHeader(() => readContent(reader, file), { client, environment: opened.environment, clock: options.clock, signal: options.signal });
    const server = await serverVersion(session);
    const existing = target.mode === 'create' ? undefined : await contentsOf(session);
    if (target.mode === 'create') await refuseExisting(session, target);
    if (existing !== undefined && existing.objects > 0 && target.mode === 'empty') throw notEmpty(target, existing);
    await refuseMissing(session, header, target);
    return {
      backup: reader.manifest.backup, entry: display(file.path), path: file.path, bytes: file.size, target, header,
      client: client.version, server, existing: existing ?? { objects: 0, tables: [] },
      warnings: warningsOn(header, server.major, target),
    };
  });
}

/**
 * Streams the archive into the database; nothing touches the disk here. An existing database changes in one transaction,
 * a new one appears under its name only when it is whole: whatever fails, or an abort, leaves what was there before.
 */
export async function executeDatabaseRestore(reader: SnapshotReader, plan: DatabaseRestorePlan, options: DatabaseRestoreOptions): Promise<DatabaseRestoreReport> {
  const { target, header, server } = plan;
  const startedAt = options.clock.now();
  const file = await archiveIn(reader, plan.entry);
  const load = async (connection: PostgresConnection) =>
    withSession(connection, options, async (session) => {
      const isNew = target.mode === 'create';
      const bytes = await loadArchive(readContent(reader, file), session, {
        server, isOneTransaction: !isNew, isCleaning: target.mode === 'clean', isWithoutOwners: target.isWithoutOwners === true,
        clock: options.clock, signal: options.signal,
        onBytes: (restored) => options.onProgress?.({ bytes: restored, totalBytes: plan.bytes }),
      });
      if (bytes !== plan.bytes) throw new HoldfastError('damaged', `${bytes} bytes of ${plan.entry} were restored, wanted ${plan.bytes}.`, { nextStep: 'Run `holdfast verify --level full`.' });
      return { bytes, tables: await tableCounts(session) };
    });
  const done = target.mode === 'create'
    ? await withSession(entrance(target), options, (session) => createdDatabase(session, { name: target.connection.database, databaseOptions: header.databaseOptions, signal: options.signal }, (database) => load({ ...target.connection, database })))
    : await load(target.connection);
  const extras = target.mode === 'clean' ? done.tables.filter(({ schema, table }) => !header.tables.some((listed) => listed.startsWith(`${schema} ${table} `))).map(({ schema, table }) => `the table ${schema}.${table} is not in the backup and was left as it is`) : [];
  return { backup: plan.backup, entry: plan.entry, database: describeConnection(target.connection), mode: target.mode, ...done, warnings: [...plan.warnings, ...extras], durationMilliseconds: options.clock.now() - startedAt };
}

/** The entry that was named, or the only archive of the backup. */
async function archiveIn(reader: SnapshotReader, wanted: string | undefined): Promise<SnapshotFile> {
  const { backup } = reader.manifest;
  const found: SnapshotFile[] = [];
  for await (const entry of reader.entries((wanted ?? '') as ByteString)) {
    if (isSnapshotFile(entry) && (wanted === undefined ? display(entry.path).endsWith('.dump') : display(entry.path) === wanted)) found.push(entry);
    if (found.length > 1) break;
  }
  const [file, second] = found;
  if (file !== undefined && second === undefined) return file;
  if (file === undefined) throw new HoldfastError('not-found', `The backup ${backup} has no ${wanted === undefined ? 'entry that ends in .dump' : `file ${wanted}`}, wanted an archive of pg_dump.`, { nextStep: `\`holdfast ls ${backup} --recursive\` shows what it has.` });
  throw new HoldfastError('usage', `The backup ${backup} has more than one archive (${found.map(({ path }) => display(path)).join(', ')}), wanted one name.`, { nextStep: 'Name the one to restore: `holdfast restore ID NAME --to-database …`.' });
}

/** A database that is to be made cannot be connected to yet. */
function entrance({ connection, mode, maintenanceDatabase = 'postgres' }: DatabaseTarget): PostgresConnection {
  return mode === 'create' ? { ...connection, database: maintenanceDatabase } : connection;
}

async function withSession<T>(connection: PostgresConnection, options: DatabaseRestoreOptions, work: (session: Session) => Promise<T>): Promise<T> {
  const client = await findClient(options);
  const opened = await openConnection(connection, options);
  try {
    return await work({ client, connection, opened, signal: options.signal });
  } finally {
    await opened.remove();
  }
}

async function refuseExisting(session: Session, { connection }: DatabaseTarget): Promise<void> {
  if (!(await isDatabaseThere(session, connection.database))) return;
  throw new HoldfastError('target-exists', `The ${describeConnection(connection)} is there already, wanted a new one. Nothing was done.`, { nextStep: 'Choose another name, or leave --create away: an existing database is restored into when it is empty, or with --clean.' });
}

function notEmpty({ connection }: DatabaseTarget, { objects, tables }: DatabaseRestorePlan['existing']): HoldfastError {
  const names = tables.length === 0 ? '' : ` (${tables.slice(0, 5).join(', ')}${tables.length > 5 ? ', …' : ''})`;
  return new HoldfastError('target-exists', `The ${describeConnection(connection)} holds ${objects} objects${names}, wanted an empty one. Nothing was done.`, {
    nextStep: 'Restore into a new database (--create), or drop and replace what the backup has (--clean).', data: { objects, tables },
  });
}

async function refuseMissing(session: Session, header: ArchiveHeader, target: DatabaseTarget): Promise<void> {
  const { extensions, roles } = await missingParts(session, header);
  if (extensions.length > 0) throw new HoldfastError('unsupported', `The server does not have the extensions that the backup needs: ${extensions.join(', ')}. Nothing was done.`, { nextStep: 'Install their packages on the server, and restore again.', data: { extensions } });
  if (roles.length > 0 && target.isWithoutOwners !== true) throw new HoldfastError('target-failed', `The server does not have the roles that own parts of the backup: ${roles.join(', ')}. Nothing was done.`, { nextStep: 'Make them there (CREATE ROLE), or restore with --no-owner: everything then belongs to the user who restores.', data: { roles } });
}

function warningsOn({ server: from }: ArchiveHeader, to: number, { isWithoutOwners }: DatabaseTarget): string[] {
  const older = from.major > to ? [`the backup is of a PostgreSQL ${from.text} server and goes into an older one (${to}): what ${to} does not know fails the restore`] : [];
  return isWithoutOwners === true ? [...older, 'owners and privileges are not restored'] : older;
}
