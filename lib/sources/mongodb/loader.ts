import { randomBytes } from 'node:crypto';
import type { Db, MongoClient } from 'mongodb';
import { HoldfastError } from '../../model/errors.ts';
import type { BackupContent, DatabaseLoad, DatabaseLoader, LoadOptions, LoadRequest, LoadedDatabase, TableCount } from '../database-loader.ts';
import { orStopped, refuseIfStopped, serverName, withClient } from './connection.ts';
import type { MongoConnection } from './connection.ts';
import { dumpIn } from './dumped.ts';
import type { Dump, DumpedCollection, DumpedDatabase } from './dumped.ts';
import { documentsName, listCollections } from './listing.ts';
import { countDocuments, createCollection, createIndexes, fillCollection } from './load-collection.ts';
import { Swap } from './swap.ts';
import { topologyOf } from './topology.ts';
import type { Topology } from './topology.ts';

export interface MongodbLoaderOptions {
  readonly connection: MongoConnection;
  /** To restore into; empty: each database under the name that it had. */
  readonly database: string;
}

interface Planned {
  readonly dumped: DumpedDatabase;
  readonly wanted: LoadRequest;
  readonly into: string;
  readonly topology: Topology;
}

/**
 * Restores collections of a backup that has mongodump's layout (R1). Each is filled under another name, gets its indexes
 * there, and its own name when all are whole: what fails leaves no half of a collection, and what was there is there still.
 */
export class MongodbLoader implements DatabaseLoader {
  readonly kind = 'mongodb';
  readonly description: string;
  readonly #options: MongodbLoaderOptions;

  constructor(options: MongodbLoaderOptions) {
    this.#options = options;
    const { database, connection } = options;
    this.description = `${database === '' ? 'all databases' : `database ${database}`} at ${serverName(connection)}${connection.user === undefined ? '' : ` as ${connection.user}`}`;
  }

  async plan(content: BackupContent, wanted: LoadRequest, signal: AbortSignal): Promise<DatabaseLoad[]> {
    if (wanted.schemas !== undefined && wanted.schemas.length > 0) throw new HoldfastError('usage', 'A restore into MongoDB does not know --schema: a database there has none. Nothing was done.', { nextStep: 'Choose collections with --table.' });
    const dump = await dumpIn(content, wanted);
    const { database } = this.#options;
    if (database !== '' && dump.databases.length > 1) {
      throw new HoldfastError('usage', `The backup ${content.backup} holds the databases ${dump.databases.map(({ name }) => name).join(', ')}, and all of them would go into ${database}. Nothing was done.`, { nextStep: 'Name one of them behind the backup, or leave the database out of the URL: then each goes where it was.' });
    }
    return withClient(this.#options.connection, signal, async (client) => {
      const topology = await topologyOf(client);
      const loads: DatabaseLoad[] = [];
      for (const dumped of dump.databases) loads.push(await this.#planOne(client, { dumped, wanted, into: database === '' ? dumped.name : database, topology }, { content, dump }));
      return loads;
    });
  }

  async #planOne(client: MongoClient, planned: Planned, { content, dump }: { readonly content: BackupContent; readonly dump: Dump }): Promise<DatabaseLoad> {
    const { connection } = this.#options;
    const { dumped, wanted, into, topology } = planned;
    const existing = (await listCollections(client.db(into))).map(({ name }) => name).filter((name) => !name.startsWith('system.'));
    const description = `database ${into} at ${serverName(connection)}${connection.user === undefined ? '' : ` as ${connection.user}`}`;
    refuseTarget(description, planned, existing);
    const [first] = dumped.collections.map(({ entry }) => content.evidenceOf(entry)?.versions?.['MongoDB']).filter((version) => version !== undefined);
    return {
      mode: wanted.mode, description, entry: dumped.folder, bytes: dumped.collections.reduce((sum, { file }) => sum + (file?.bytes ?? 0), 0), place: `${into} at ${serverName(connection)}`,
      archive: { server: first === undefined ? 'of an unknown version' : `MongoDB ${first}`, dumpedBy: 'holdfast', database: dumped.name },
      client: `the driver of MongoDB ${client.options.metadata.driver.version}`, server: topology.version,
      existing: { objects: existing.length, tables: existing },
      warnings: warningsOn(planned, dump, first),
      perform: (options) => this.#perform(planned, options),
      missingTables: (later) => this.#missing(planned, later),
    };
  }

  #perform(planned: Planned, options: LoadOptions): Promise<LoadedDatabase> {
    // Nothing here ends at an abort: each step ends by itself, and what it did is known then.
    return withClient(this.#options.connection, undefined, async (client) => {
      const database = client.db(planned.into);
      // What cleans up has a client of its own, because the other one may be the reason.
      const swap = new Swap((work) => withClient(this.#options.connection, undefined, work), planned.into, `holdfast_restore_${randomBytes(6).toString('hex')}`);
      try {
        const bytes = await this.#fill(database, planned, { swap, options });
        refuseTarget(planned.into, planned, (await listCollections(database)).map(({ name }) => name).filter((name) => !swap.isAside(name) && !name.startsWith('system.')));
        await swap.bringIn(client, options.signal);
        const tables = await Promise.all(planned.dumped.collections.filter(({ type }) => type !== 'view').map(async ({ collection }): Promise<TableCount> => ({ schema: planned.into, table: collection, rows: await countDocuments(database, collection) })));
        await swap.dropOld();
        return { bytes, tables: tables.sort((left, right) => (left.table < right.table ? -1 : 1)), warnings: [] };
      } catch (error) {
        await swap.undo(error);
        throw error;
      }
    });
  }

  async #fill(database: Db, { dumped, wanted, topology }: Planned, { swap, options }: { readonly swap: Swap; readonly options: LoadOptions }): Promise<number> {
    const waiting = [...dumped.collections];
    let [bytes, seen] = [0, 0];
    const fillNext = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        refuseIfStopped(options.signal);
        const aside = swap.nameFor(next);
        await createCollection(database, aside, next.options);
        const loaded = await fillCollection(database, documentsName({ name: aside, type: next.type }), next, { maxWriteBatch: topology.maxWriteBatch, signal: options.signal, onBytes: (more) => options.onBytes?.((seen += more)) });
        // Dropping the collection ends it on the server.
        await orStopped(createIndexes(database, aside, next.indexes), options.signal);
        bytes += loaded.bytes;
      }
    };
    await allOrFirst(Array.from({ length: Math.min(wanted.jobs ?? 1, dumped.collections.length) }, fillNext), () => waiting.splice(0));
    return bytes;
  }

  #missing({ dumped, into }: Planned, signal: AbortSignal): Promise<string[]> {
    return withClient(this.#options.connection, signal, async (client) => {
      const there = new Set((await listCollections(client.db(into))).map(({ name }) => name));
      return dumped.collections.filter(({ collection }) => !there.has(collection)).map(({ collection }) => `${into}.${collection}`);
    });
  }
}

/** Waits for all of them also when one fails, because each of them works on what is cleaned up then. */
async function allOrFirst(work: readonly Promise<void>[], onFailure: () => void): Promise<void> {
  let failure: { readonly error: unknown } | undefined;
  await Promise.all(work.map((one) => one.catch((error: unknown) => {
    failure ??= { error };
    onFailure();
  })));
  if (failure) throw failure.error;
}

/** Never over anything that is there (R1), unless somebody said so. */
function refuseTarget(what: string, { dumped, wanted }: Planned, existing: readonly string[]): void {
  const isChoice = (wanted.tables?.length ?? 0) > 0 || wanted.entry !== undefined;
  const names = new Set(dumped.collections.map(({ collection }) => collection));
  const series = dumped.collections.filter((one) => one.type === 'timeseries' && existing.includes(one.collection));
  if (wanted.mode === 'clean' && series.length > 0) throw unmovable(what, series);
  const inTheWay = wanted.mode === 'clean' ? [] : isChoice && wanted.mode === 'empty' ? existing.filter((name) => names.has(name)) : existing;
  if (inTheWay.length === 0) return;
  throw new HoldfastError('target-exists', `The ${what} holds ${inTheWay.slice(0, 5).join(', ')}${inTheWay.length > 5 ? ` and ${inTheWay.length - 5} more` : ''}, wanted ${isChoice ? 'these names free' : wanted.mode === 'create' ? 'a new one' : 'an empty one'}. Nothing was done.`, {
    nextStep: 'Restore under another name, with the database in the URL; or replace what the backup has there too with --clean.', data: { collections: inTheWay },
  });
}

function unmovable(what: string, series: readonly DumpedCollection[]): HoldfastError {
  return new HoldfastError('unsupported', `The ${what} has the time series ${series.map(({ collection }) => collection).join(', ')}, which the server can neither rename nor exchange. Nothing was done.`, { nextStep: 'Drop it yourself, or restore into another database.' });
}

function isOplog(entry: string): boolean {
  return entry.split('/').at(-1) === 'oplog.bson';
}

function warningsOn({ topology, dumped }: Planned, { leftOut }: Dump, from: string | undefined): string[] {
  const [was, is] = [from, topology.version].map((version) => Number(/^\d+/.exec(version ?? '')?.[0] ?? 0)) as [number, number];
  return [
    ...(was > is ? [`the dump is of MongoDB ${from} and goes into an older server (${topology.version}): what it does not know fails the restore`] : []),
    ...leftOut.filter(isOplog).map(() => 'the oplog of the backup is not replayed, so that collections are of different moments: restore it with --to DIRECTORY and `mongorestore --oplogReplay` for one moment'),
    ...(leftOut.some((entry) => !isOplog(entry)) ? [`users, roles and system collections are not restored (${leftOut.filter((entry) => !isOplog(entry)).join(', ')}): restore the backup with --to DIRECTORY and use mongorestore for them`] : []),
    ...(dumped.collections.some(({ type }) => type === 'timeseries') ? ['a time series is filled in its place, because it cannot be renamed: nobody should use it before the restore is over'] : []),
  ];
}
