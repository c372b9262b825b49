import { randomBytes } from 'node:crypto';
import { display } from '../../model/byte-string.ts';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { ClientPlaces } from '../client-programs.ts';
import type { BackupContent, ContentFile, DatabaseLoad, DatabaseLoader, LoadOptions, LoadRequest, LoadedDatabase } from '../database-loader.ts';
import { findSqlClient, inWords, isOlder, serverVersionOf } from './client.ts';
import type { SqlSourceType } from './client.ts';
import { openSqlConnection, serverName } from './connection.ts';
import type { SqlConnection } from './connection.ts';
import { dumpsIn, onlyOne } from './dumps-in.ts';
import { pour, splitDump } from './load.ts';
import type { SplitDump } from './load.ts';
import { putKeys, tablesNaming, takeOpenKeys } from './open-keys.ts';
import type { SqlSession } from './query.ts';
import { dumpLines, readDumpHead } from './sections.ts';
import type { DumpHead } from './sections.ts';
import { serverFacts } from './server.ts';
import { createDatabase, dropDatabase, dropObjects, followSequences, isDatabaseThere, moveTables, neededSequences, objectsOf, tableCounts } from './target.ts';
import type { DatabaseObject } from './target.ts';

export interface MariadbLoaderOptions extends ClientPlaces {
  readonly type: SqlSourceType;
  readonly connection: SqlConnection;
  /** To restore into; empty: each database under the name that it had. */
  readonly database: string;
  /** For private files with the password while a program runs; never for data. */
  readonly temporaryFolder: string;
  readonly clock: Clock;
}

interface Planned {
  readonly file: ContentFile;
  readonly wanted: LoadRequest;
  readonly head: DumpHead;
}

/**
 * Restores dumps of mariadb-dump and mysqldump, streamed: nothing touches the disk here (R1). Statements that make tables end
 * transactions, so that nothing can be taken back by itself: tables are filled in a database of their own, which may be
 * dropped at any time, and moved when the whole dump is in it, by one RENAME TABLE, which does all or nothing. What cannot be
 * moved (triggers, views, routines, events) is made then, in its place.
 */
export class MariadbLoader implements DatabaseLoader {
  readonly kind = 'mariadb';
  readonly description: string;
  readonly #options: MariadbLoaderOptions;

  constructor(options: MariadbLoaderOptions) {
    this.#options = options;
    this.description = `${options.database === '' ? 'all databases' : `database ${options.database}`} at ${serverName(options.connection)} as ${options.connection.user}`;
  }

  async plan(content: BackupContent, wanted: LoadRequest, signal: AbortSignal): Promise<DatabaseLoad[]> {
    refuseWishes(wanted);
    const files = await dumpsIn(content, wanted.entry);
    if (this.#options.database !== '') return [await this.#planOne(onlyOne(files, content.backup), wanted, signal)];
    const loads: DatabaseLoad[] = [];
    for (const file of files) {
      const { database } = await readDumpHead(file.read());
      const isThere = await this.#withSession(signal, (session) => isDatabaseThere(session, database));
      loads.push(await new MariadbLoader({ ...this.#options, database }).#planOne(file, { ...wanted, mode: isThere ? 'empty' : 'create' }, signal));
    }
    return loads;
  }

  async #planOne(file: ContentFile, wanted: LoadRequest, signal: AbortSignal): Promise<DatabaseLoad> {
    const { connection, database } = this.#options;
    const head = await readDumpHead(file.read());
    return this.#withSession(signal, async (session) => {
      const { version } = await serverFacts(session);
      const isThere = await isDatabaseThere(session, database);
      const existing = isThere ? await objectsOf(session, database) : [];
      refuseTarget(this.description, wanted, isThere, existing);
      const planned = { file, wanted, head };
      return {
        mode: wanted.mode, description: this.description, entry: display(file.path), bytes: file.bytes, place: `${database} at ${serverName(connection)}`,
        archive: { server: head.server, dumpedBy: head.dumpedBy, database: head.database },
        client: session.client.version.text, server: version.text,
        existing: { objects: existing.length, tables: existing.filter(({ kind }) => kind === 'table').map(({ name }) => name) },
        warnings: warningsOn(head, inWords(version), wanted),
        perform: (options) => this.#perform(planned, options),
        missingTables: (later) => this.#missing(planned, later),
      };
    });
  }

  #perform(planned: Planned, options: LoadOptions): Promise<LoadedDatabase> {
    const { database } = this.#options;
    const aside = `holdfast_restore_${randomBytes(6).toString('hex')}`;
    return this.#withSession(options.signal, async (session) => {
      // What cleans up must run also after an abort.
      const calm: SqlSession = { ...session, signal: undefined };
      await createDatabase(calm, aside, planned.head).catch((cause: unknown) => {
        throw isHoldfastError(cause) ? new HoldfastError(cause.code, `No database ${aside} could be made to load into: ${cause.message}`, { nextStep: 'The user needs every privilege ON `holdfast\\_restore\\_%`.* besides those on the database to restore into.', cause }) : cause;
      });
      try {
        const split = await this.#fill(planned, session, { aside, options });
        const { tables, warnings } = await this.#bringIn(planned, split, { session, calm, aside, options });
        return { bytes: planned.file.bytes, tables: await tableCounts(calm, database, tables), warnings };
      } finally {
        await dropDatabase(calm, aside);
      }
    });
  }

  /** Tables and rows, aside; the whole dump has been read after it. */
  async #fill({ file, wanted, head }: Planned, session: SqlSession, { aside, options }: { readonly aside: string; readonly options: LoadOptions }): Promise<SplitDump> {
    let bytes = 0;
    const counted = async function* () {
      for await (const part of file.read()) {
        yield part;
        bytes += part.length;
        options.onBytes?.(bytes);
      }
    };
    const split = splitDump(counted(), { from: head.database, into: aside, isChosen: choiceOf(wanted), isWithoutOwners: wanted.isWithoutOwners === true });
    await pour(split.early(), session, { database: aside, clock: this.#options.clock, signal: options.signal, what: 'tables and rows' });
    if (bytes === file.bytes && split.isWhole()) return split;
    throw new HoldfastError('damaged', `${bytes} bytes of ${display(file.path)} were read, ${split.isWhole() ? `wanted ${file.bytes}` : 'without its last line "-- Dump completed"'}. Nothing was restored.`, { nextStep: 'Run `holdfast verify --level full`.' });
  }

  /** Moves the tables and makes the rest; on failure takes away again what it brought. Answers the names of the tables, and what could not be as it was. */
  async #bringIn({ wanted, head }: Planned, split: SplitDump, { session, calm, aside, options }: { readonly session: SqlSession; readonly calm: SqlSession; readonly aside: string; readonly options: LoadOptions }): Promise<{ tables: string[]; warnings: string[] }> {
    const { database, clock } = this.#options;
    const isChosen = choiceOf(wanted) ?? (() => true);
    const held = (await objectsOf(calm, aside)).filter(({ kind }) => kind === 'table' || kind === 'sequence');
    refuseNothing(wanted, held.map(({ name }) => name).filter(isChosen));
    const needed = await neededSequences(calm, aside, held.flatMap(({ kind, name }) => (kind === 'sequence' && !isChosen(name) ? [name] : [])));
    const openKeys = await takeOpenKeys(calm, aside);
    if (wanted.mode === 'create') await createDatabase(calm, database, head).catch((cause: unknown) => refuseRace(cause, this.description));
    const existing = await objectsOf(calm, database);
    refuseTarget(this.description, { ...wanted, mode: 'empty' }, true, existing);
    const there = needed.filter((sequence) => existing.some(({ name }) => name === sequence));
    const brought = held.filter(({ name }) => isChosen(name) || (needed.includes(name) && !there.includes(name)));
    const tables = brought.filter(({ kind }) => kind === 'table').map(({ name }) => name);
    let made: (object: DatabaseObject) => boolean = () => false;
    try {
      await moveTables(calm, brought.map(({ name }) => name), { from: aside, to: database });
      await followSequences(calm, { from: aside, to: database });
      const warnings = [...there.map((name) => `the sequence ${name} was in ${database} already and stays as it is: look whether its next number is above those of the restored rows`), ...(await putKeys(session, database, openKeys))];
      refuseNaming(await tablesNaming(calm, aside, { database, tables }), aside);
      const strange = new Set((await objectsOf(calm, database)).map(keyOf));
      const late = new Set(split.lateObjects().map(keyOf));
      made = (object) => late.has(keyOf(object)) && !strange.has(keyOf(object));
      await pour(once(split.late()), session, { database, clock, signal: options.signal, what: 'views, triggers and routines' });
      return { tables, warnings };
    } catch (error) {
      await this.#takeAway(calm, { isNew: wanted.mode === 'create', aside, brought, made }, error);
      throw error;
    }
  }

  /** Never what somebody else made there meanwhile: of the tables those that are aside no longer, of the rest what the dump names. */
  async #takeAway(session: SqlSession, { isNew, aside, brought, made }: { readonly isNew: boolean; readonly aside: string; readonly brought: readonly DatabaseObject[]; readonly made: (object: DatabaseObject) => boolean }, error: unknown): Promise<void> {
    const { database } = this.#options;
    let own: DatabaseObject[] | undefined;
    const work = async () => {
      const unmoved = new Set((await objectsOf(session, aside)).map(keyOf));
      own = [...brought.filter((object) => !unmoved.has(keyOf(object))), ...(await objectsOf(session, database)).filter(made)];
      await dropObjects(session, database, own);
      if (isNew && (await objectsOf(session, database)).length === 0) await dropDatabase(session, database);
    };
    await work().catch((cause: unknown) => {
      throw new HoldfastError('target-failed', `The restore failed (${(error as Error).message}), and what it had brought into ${this.description} could not be taken away again (${(cause as Error).message}). It may still be there: ${own?.map(keyOf).join(', ') ?? 'unknown'}.`, { nextStep: 'Drop it by hand; everything else there is as it was.', cause: error });
    });
  }

  async #missing({ file, wanted, head }: Planned, signal: AbortSignal): Promise<string[]> {
    const { database } = this.#options;
    const named: string[] = [];
    const isChosen = choiceOf(wanted);
    for await (const { part, name } of dumpLines(file.read())) if (part === 'table' && named.at(-1) !== name && (isChosen?.(name) ?? true)) named.push(name);
    return this.#withSession(signal, async (session) => {
      const there = new Set((await objectsOf(session, database)).map(({ name }) => name));
      return named.filter((name) => !there.has(name)).map((name) => `${head.database}.${name}`);
    });
  }

  async #withSession<T>(signal: AbortSignal, work: (session: SqlSession) => Promise<T>): Promise<T> {
    const { type, connection } = this.#options;
    const client = await findSqlClient(type, this.#options);
    const opened = await openSqlConnection(connection, client.version.flavour, this.#options);
    try {
      return await work({ client, connection, opened, signal });
    } finally {
      await opened.remove();
    }
  }
}

function refuseWishes({ mode, schemas, jobs = 1 }: LoadRequest): void {
  const refused = mode === 'clean' ? '--clean: tables with triggers and foreign keys cannot be exchanged in one step there' : schemas !== undefined && schemas.length > 0 ? '--schema: a database there has none' : jobs > 1 ? 'several jobs' : undefined;
  if (refused !== undefined) throw new HoldfastError('usage', `A restore into MariaDB or MySQL does not know ${refused}. Nothing was done.`, { nextStep: 'Restore into a new database (--create) or an empty one, look at it, and exchange the two yourself.' });
}

/** Never over anything that is there (R1): a whole restore wants an empty database, chosen tables want their names free. */
function refuseTarget(what: string, wanted: LoadRequest, isThere: boolean, existing: readonly DatabaseObject[]): void {
  if (wanted.mode === 'create') {
    if (isThere) throw new HoldfastError('target-exists', `The ${what} is there already, wanted a new one. Nothing was done.`, { nextStep: 'Choose another name, or leave --create away: an existing database is restored into when it is empty.' });
    return;
  }
  if (!isThere) throw new HoldfastError('not-found', `The ${what} is not there, or the user may not see it. Nothing was done.`, { nextStep: 'Make it with --create.' });
  const isChosen = choiceOf(wanted);
  const inTheWay = isChosen === undefined ? existing : existing.filter(({ name }) => isChosen(name));
  if (inTheWay.length === 0) return;
  const names = inTheWay.map(({ kind, name }) => `${kind} ${name}`);
  throw new HoldfastError('target-exists', `The ${what} holds ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}, wanted ${isChosen === undefined ? 'an empty one' : 'these names free'}. Nothing was done.`, {
    nextStep: 'Restore into a new database (--create), or move or drop what is there yourself.', data: { objects: names },
  });
}

function refuseRace(cause: unknown, what: string): never {
  if (!isHoldfastError(cause) || !/1007|database exists/.test(cause.message)) throw cause;
  throw new HoldfastError('target-exists', `Somebody made the ${what} meanwhile. Nothing was restored.`, { nextStep: 'Choose another name.', cause });
}

/** A mistyped name must not look like a restore that went well. */
function refuseNothing({ tables }: LoadRequest, names: readonly string[]): void {
  if (tables === undefined || tables.length === 0 || names.length > 0) return;
  throw new HoldfastError('not-found', `None of the tables ${tables.join(', ')} is in the dump. Nothing was restored.`, { nextStep: '`holdfast cat ID NAME | grep "^-- Table structure"` lists those that are.' });
}

/** What refers to the database that is dropped would fail at its first use. */
function refuseNaming(tables: readonly string[], aside: string): void {
  if (tables.length === 0) return;
  throw new HoldfastError('target-failed', `After they were moved, the tables ${tables.join(', ')} still refer to ${aside}, which goes away, wanted none. They were taken away again.`, { nextStep: 'Restore without these tables, and them by hand: `holdfast cat ID NAME | mariadb DATABASE`.' });
}

/** Of `table` or `database.table`, with `*` and `?` for others; undefined when everything is wanted. */
function choiceOf({ tables }: LoadRequest): ((name: string) => boolean) | undefined {
  if (tables === undefined || tables.length === 0) return undefined;
  const patterns = tables.map((table) => new RegExp(`^${table.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`, 's'));
  return (name) => patterns.some((pattern) => pattern.test(name));
}

function warningsOn({ server }: DumpHead, to: string, { isWithoutOwners }: LoadRequest): string[] {
  const [from, target] = [serverVersionOf(server), serverVersionOf(`${to.split(' ')[1]}${to.startsWith('MariaDB') ? '-MariaDB' : ''}`)];
  const warnings: string[] = [];
  if (from !== undefined && target !== undefined && from.flavour !== target.flavour) warnings.push(`the dump is of ${inWords(from)} and goes into ${to}: what only one of them knows fails the restore`);
  else if (from !== undefined && target !== undefined && isOlder(target, from)) warnings.push(`the dump is of ${inWords(from)} and goes into an older server (${to}): what it does not know fails the restore`);
  if (isWithoutOwners === true) warnings.push('definers are not restored: views, triggers, routines and events belong to the user who restores');
  return warnings;
}

function keyOf({ kind, name }: DatabaseObject): string {
  return `${kind} ${name}`;
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
