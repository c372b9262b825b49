import type { MongoClient } from 'mongodb';
import { HoldfastError } from '../../model/errors.ts';
import { extendedJson, parseExtendedJson } from './extended-json.ts';
import type { BsonMap } from './extended-json.ts';
import type { ListedCollection } from './listing.ts';

/** What a `.metadata.json` of mongodump says of a collection. */
export interface CollectionMetadata {
  readonly collection: string;
  readonly type: ListedCollection['type'];
  /** As `create` takes them. */
  readonly options: BsonMap;
  /** As `createIndexes` takes them, that of `_id` among them; none of a view. */
  readonly indexes: readonly BsonMap[];
}

/** A `.metadata.json` as mongodump writes it (mongo-tools, mongodump/metadata_dump.go): key by key, in canonical extended JSON. */
export async function metadataJson(client: MongoClient, { database, name, type, options, uuid }: ListedCollection): Promise<string> {
  const indexes = type === 'view' ? [] : ((await client.db(database).collection(name).listIndexes({ raw: true }).toArray()) as unknown as Buffer[]);
  const parts = [
    ...(options !== undefined && options.length > EMPTY_BYTES ? [`"options":${extendedJson(options)}`] : []),
    `"indexes":[${indexes.map(extendedJson).join(',')}]`,
    ...(uuid === undefined ? [] : [`"uuid":${JSON.stringify(uuid)}`]),
    `"collectionName":${JSON.stringify(name)}`,
    `"type":${JSON.stringify(type)}`,
  ];
  return `{${parts.join(',')}}`;
}

const EMPTY_BYTES = 5;

/** `entry`: for messages. `fallback`: the collection by the name of the file, where older dumps name it nowhere else. Fails as `damaged`. */
export function parseMetadata(text: string, entry: string, fallback: string | undefined): CollectionMetadata {
  const map = parseExtendedJson(text, entry);
  const [collection = fallback, type, options, indexes] = [map.get('collectionName'), map.get('type'), map.get('options'), map.get('indexes')];
  if (typeof collection !== 'string' || collection === '') throw notMetadata(entry, 'it names no collection');
  if (!Array.isArray(indexes) || !indexes.every((index) => index instanceof Map)) throw notMetadata(entry, 'it has no list of indexes');
  const isView = options instanceof Map && options.has('viewOn');
  const isTimeseries = options instanceof Map && options.has('timeseries');
  return {
    collection, indexes: indexes as BsonMap[], options: options instanceof Map ? options : new Map(),
    type: type === 'view' || isView ? 'view' : type === 'timeseries' || isTimeseries ? 'timeseries' : 'collection',
  };
}

function notMetadata(entry: string, why: string): HoldfastError {
  return new HoldfastError('damaged', `${entry} is no metadata of mongodump: ${why}.`, { nextStep: 'Run `holdfast verify --level full`.' });
}
