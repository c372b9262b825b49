import { HoldfastError } from '../../model/errors.ts';
import type { DatabaseLoad, LoadRequest } from '../database-loader.ts';
import type { ArchiveHeader } from './archive.ts';
import { asPattern } from './choose-entries.ts';
import type { ChosenEntries } from './choose-entries.ts';
import { describeConnection } from './connection.ts';
import type { PostgresConnection } from './connection.ts';
import type { Session } from './query.ts';
import { isDatabaseThere, missingParts, partsThere } from './target-database.ts';

export async function refuseExisting(session: Session, connection: PostgresConnection): Promise<void> {
  if (!(await isDatabaseThere(session, connection.database))) return;
  throw new HoldfastError('target-exists', `The ${describeConnection(connection)} is there already, wanted a new one. Nothing was done.`, { nextStep: 'Choose another name, or leave --create away: an existing database is restored into when it is empty, or with --clean.' });
}

export function refuseNotEmpty(connection: PostgresConnection, { objects, tables }: DatabaseLoad['existing']): void {
  if (objects === 0) return;
  throw new HoldfastError('target-exists', `The ${describeConnection(connection)} holds ${objects} objects${namesInWords(tables)}, wanted an empty one. Nothing was done.`, {
    nextStep: 'Restore into a new database (--create), or drop and replace what the backup has (--clean).', data: { objects, tables },
  });
}

/** Chosen tables that the database has already, as `--table` takes them. */
export async function chosenThere(session: Session, { tables }: ChosenEntries): Promise<DatabaseLoad['existing']> {
  const there = await partsThere(session);
  const found = tables.filter(({ schema, name }) => ['TABLE', 'VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE', 'SEQUENCE'].some((kind) => there.has(`${kind} ${schema} ${name}`)));
  return { objects: found.length, tables: found.map(({ schema = '', name = '' }) => `${asPattern(schema)}.${asPattern(name)}`) };
}

/** Chosen tables go into a database that holds others, and none of them. */
export async function refuseTablesThere(session: Session, connection: PostgresConnection, chosen: ChosenEntries): Promise<void> {
  const { tables: found } = await chosenThere(session, chosen);
  if (found.length === 0) return;
  throw new HoldfastError('target-exists', `The ${describeConnection(connection)} has ${found.length} of the chosen tables already${namesInWords(found)}. Nothing was done.`, { nextStep: 'Restore them into a new database (--create), or drop and replace them (--clean).', data: { tables: found } });
}

export interface NeededParts {
  readonly header: ArchiveHeader;
  readonly chosen: ChosenEntries | undefined;
  /** Made before. */
  readonly newRoles: ReadonlySet<string>;
  readonly isWithoutOwners: boolean;
}

export async function refuseMissing(session: Session, { header, chosen, newRoles, isWithoutOwners }: NeededParts): Promise<void> {
  const owners = chosen === undefined ? header.owners : [...new Set(chosen.entries.flatMap(({ owner }) => (owner === undefined || owner === '' || owner === '-' ? [] : [owner])))];
  const extensions = chosen === undefined ? header.extensions : chosen.entries.filter(({ kind }) => kind === 'EXTENSION').map(({ name = '' }) => name);
  const missing = await missingParts(session, { extensions, owners, grantees: chosen === undefined ? header.grantees : [] });
  if (missing.extensions.length > 0) throw new HoldfastError('unsupported', `The server does not have the extensions that the backup needs: ${missing.extensions.join(', ')}. Nothing was done.`, { nextStep: 'Install their packages on the server, and restore again.', data: { extensions: missing.extensions } });
  const roles = missing.roles.filter((role) => !newRoles.has(role));
  if (roles.length > 0 && !isWithoutOwners) throw new HoldfastError('target-failed', `The server does not have the roles that own parts of the backup, or are granted some: ${roles.join(', ')}. Nothing was done.`, { nextStep: 'Make them there (CREATE ROLE, or all of them from `globals.sql`: a URL without a database), or restore with --no-owner: everything then belongs to the user who restores.', data: { roles } });
}

export function warningsOn({ server: from }: ArchiveHeader, to: number, { isWithoutOwners }: LoadRequest): string[] {
  const older = from.major > to ? [`the backup is of a PostgreSQL ${from.text} server and goes into an older one (${to}): what ${to} does not know fails the restore`] : [];
  return isWithoutOwners === true ? [...older, 'owners and privileges are not restored'] : older;
}

function namesInWords(names: readonly string[]): string {
  return names.length === 0 ? '' : ` (${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''})`;
}
