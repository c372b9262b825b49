import type { Db, Document } from 'mongodb';
import { DocumentSequence } from 'mongodb/lib/cmap/commands.js';
import { HoldfastError } from '../../model/errors.ts';
import { orStopped, refuseIfStopped } from './connection.ts';
import type { DumpedCollection } from './dumped.ts';
import type { BsonMap } from './extended-json.ts';
import { documentBatches } from './split-documents.ts';
import type { DocumentBatch } from './split-documents.ts';

const MAJORITY = { w: 'majority' };
const MOST_DOCUMENTS = 10_000;
/** For a batch that is on its way when somebody stops the restore. */
const PATIENCE_MS = 10_000;

export interface LoadedDocuments {
  readonly bytes: number;
  readonly documents: number;
}

export interface FillOptions {
  /** How many documents the server takes at once. */
  readonly maxWriteBatch: number;
  readonly onBytes: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** A collection or a view, with its options and nothing in it. */
export async function createCollection(database: Db, name: string, options: BsonMap): Promise<void> {
  await database.command({ create: name, ...Object.fromEntries(options), writeConcern: MAJORITY });
}

/** Puts all documents of the backup into a collection that is there, as they are, and proves that they are there. */
export async function fillCollection(database: Db, name: string, dumped: DumpedCollection, { maxWriteBatch, onBytes, signal }: FillOptions): Promise<LoadedDocuments> {
  if (dumped.file === undefined) return { bytes: 0, documents: 0 };
  let [bytes, documents] = [0, 0];
  for await (const batch of documentBatches(dumped.file.read(), dumped.entry, Math.min(maxWriteBatch, MOST_DOCUMENTS))) {
    refuseIfStopped(signal);
    await orStopped(insertRaw(database, name, batch), signal, PATIENCE_MS);
    bytes += batch.bytes.length;
    documents += batch.documents;
    onBytes(batch.bytes.length);
  }
  if (bytes !== dumped.file.bytes) throw new HoldfastError('damaged', `${bytes} bytes of ${dumped.entry} were read, wanted ${dumped.file.bytes}. Nothing was restored.`, { nextStep: 'Run `holdfast verify --level full`.' });
  const there = await countDocuments(database, name);
  // The server removes the oldest of a capped collection by itself.
  if (there === documents || dumped.options.has('capped')) return { bytes, documents };
  throw new HoldfastError('target-failed', `${documents} documents went into ${database.databaseName}.${name}, and ${there} are there. Nothing was restored.`, { nextStep: 'Look into the log of the server: something else writes or deletes there, or a write was rolled back.' });
}

/** All indexes but that of `_id`, which is there, and the one that a clustered collection is. */
export async function createIndexes(database: Db, name: string, indexes: readonly BsonMap[]): Promise<void> {
  const wanted = indexes.filter((index) => index.get('name') !== '_id_' && index.get('clustered') !== true).map((index) => new Map(Array.from(index).filter(([key]) => key !== 'ns')));
  if (wanted.length > 0) await database.command({ createIndexes: name, indexes: wanted, writeConcern: MAJORITY });
}

/** Exact: every document is looked at. */
export async function countDocuments(database: Db, name: string): Promise<number> {
  return Number(await database.collection(name).countDocuments({}, { promoteValues: true }));
}

async function insertRaw(database: Db, name: string, { bytes, documents }: DocumentBatch): Promise<void> {
  const sequence = new DocumentSequence('documents');
  sequence.push({}, bytes);
  const answer = await database.command({ insert: name, ordered: true, bypassDocumentValidation: true, documents: sequence, writeConcern: MAJORITY }, { promoteValues: true });
  const error: Document | undefined = answer['writeErrors']?.[0] ?? answer['writeConcernError'];
  if (error !== undefined) throw Object.assign(new Error(String(error['errmsg'])), { code: error['code'] });
  if (answer['n'] !== documents) throw new HoldfastError('target-failed', `The server took ${String(answer['n'])} of ${documents} documents for ${database.databaseName}.${name} and gave no reason.`, { nextStep: 'Look into the log of the server.' });
}
