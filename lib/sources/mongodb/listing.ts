import type { Db, MongoClient } from 'mongodb';
import { HoldfastError } from '../../model/errors.ts';
import { TYPE, documentOf, elementOf, textOf } from './elements.ts';

/** A collection as the server lists it. */
export interface ListedCollection {
  readonly database: string;
  readonly name: string;
  readonly type: 'collection' | 'view' | 'timeseries';
  /** Raw BSON, as `create` takes it. */
  readonly options: Buffer | undefined;
  /** 32 digits; undefined where a server does not say. */
  readonly uuid: string | undefined;
}

export interface CollectionChoice {
  readonly databases: readonly string[] | 'all';
  /** `database.collection` or `collection`, with `*` and `?`; empty: all. */
  readonly collections: readonly string[];
  readonly exclude: readonly string[];
  /** Users and roles, too: those of the whole server with all databases, else those of the databases that are named. */
  readonly users: boolean;
}

/** They describe one server or one cluster, and restoring them elsewhere breaks it. */
const OWN_DATABASES: readonly string[] = ['local', 'config'];
const BUCKETS = 'system.buckets.';
/** Of the database admin; the last says how the others are to be read. */
export const ACCOUNTS: readonly string[] = ['system.roles', 'system.users', 'system.version'];

/** What is to be kept, sorted by name. Fails when a database that is named, or everything, holds nothing. */
export async function chosenCollections(client: MongoClient, { databases, collections, exclude, users }: CollectionChoice): Promise<ListedCollection[]> {
  const names = databases === 'all' ? (await databaseNames(client)).filter((name) => !OWN_DATABASES.includes(name)) : databases;
  const isNamed = patternsOf(collections);
  const isExcluded = patternsOf(exclude);
  const chosen: ListedCollection[] = [];
  for (const database of [...names].sort()) {
    const all = await listCollections(client.db(database));
    const accounts = users && databases === 'all' && database === 'admin' ? all.filter(({ name }) => ACCOUNTS.includes(name)) : [];
    const listed = all.filter(({ name }) => isKept(name));
    if (listed.length === 0 && databases !== 'all') throw nothing(`The database ${database} holds no collection, or the user may not see it.`);
    chosen.push(...accounts, ...listed.filter((one) => (collections.length === 0 || isNamed(one)) && !isExcluded(one)));
  }
  if (chosen.length === 0) throw nothing(collections.length === 0 ? 'No database holds a collection that this user may see.' : `None of the collections ${collections.join(', ')} is there.`);
  return chosen;
}

/** Also those that hold nothing are asked for by name: only a whole list, never one cut down to what the user may see. */
export async function databaseNames(client: MongoClient): Promise<string[]> {
  const { databases } = await client.db('admin').command({ listDatabases: 1, nameOnly: true, authorizedDatabases: false });
  return (databases as readonly { readonly name: string }[]).map(({ name }) => name);
}

export async function listCollections(database: Db, name?: string): Promise<ListedCollection[]> {
  const listed = (await database.listCollections(name === undefined ? {} : { name }, { raw: true }).toArray()) as unknown as Buffer[];
  return listed.map((one) => collectionIn(database.databaseName, one)).sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** The collection that holds what the documents of a time series are made of. */
export function documentsName({ name, type }: Pick<ListedCollection, 'name' | 'type'>): string {
  return type === 'timeseries' ? `${BUCKETS}${name}` : name;
}

/** True for `database.collection` or `collection` that one of the patterns names. */
export function patternsOf(patterns: readonly string[]): (one: Pick<ListedCollection, 'database' | 'name'>) => boolean {
  const expressions = patterns.map((pattern) => new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`, 's'));
  return ({ database, name }) => expressions.some((expression) => expression.test(name) || expression.test(`${database}.${name}`));
}

/** System collections hold what is kept by other ways: views with the listing, buckets with their time series, users apart. */
function isKept(name: string): boolean {
  return !name.startsWith('system.') || name === 'system.js';
}

function collectionIn(database: string, listed: Buffer): ListedCollection {
  const name = textOf(listed, 'name');
  if (name === undefined) throw new HoldfastError('source-failed', `The server listed a collection of ${database} without a name.`, { nextStep: 'Nothing of this run is kept. Look into the log of the server.' });
  const type = textOf(listed, 'type');
  const uuid = elementOf(documentOf(listed, 'info') ?? EMPTY, 'uuid');
  return {
    database, name,
    type: type === 'view' || type === 'timeseries' ? type : 'collection',
    options: documentOf(listed, 'options'),
    uuid: uuid?.type === TYPE.binary ? uuid.value.toString('hex', 5) : undefined,
  };
}

const EMPTY = Buffer.from([5, 0, 0, 0, 0]);

/** A wrong name looks like that, and a backup of nothing protects nobody. */
function nothing(message: string): HoldfastError {
  return new HoldfastError('source-failed', message, { nextStep: 'Check `databases`, `collections` and `exclude-collections`, and the roles of the user. Nothing of this run is kept, so that an empty database never counts as a good backup.' });
}
