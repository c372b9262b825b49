import type { AbstractCursor, Filter, MongoClient } from 'mongodb';
import { HoldfastError } from '../../model/errors.ts';
import type { OpenBody, StreamProof } from '../source.ts';
import { failingAs, refuseIfStopped } from './connection.ts';
import type { MongoConnection } from './connection.ts';
import type { BsonMap } from './extended-json.ts';
import { documentsName, listCollections } from './listing.ts';
import type { ListedCollection } from './listing.ts';
import { OplogReader, isAfter, oplogBetween, oplogEnd, oplogTimeText, refuseElection, refuseForgotten } from './oplog.ts';
import type { OplogTime } from './oplog.ts';
import { documentPieces } from './read-documents.ts';
import { topologyOf } from './topology.ts';
import type { Topology } from './topology.ts';

export interface BodyContext {
  readonly client: MongoClient;
  readonly connection: MongoConnection;
  readonly signal: AbortSignal;
  /** Bodies that are open; each is resolved when it is closed. */
  readonly open: Set<Promise<void>>;
}

/** A body that is known to be open from this moment until it is closed. */
export async function opened(context: BodyContext, make: () => Promise<OpenBody>): Promise<OpenBody> {
  const ended = Promise.withResolvers<void>();
  context.open.add(ended.promise);
  const end = () => {
    context.open.delete(ended.promise);
    ended.resolve();
  };
  try {
    const body = await make();
    return { ...body, close: () => body.close().finally(end) };
  } catch (error) {
    end();
    throw error;
  }
}

/** The fact that says of which moments a backup is. */
export const CONSISTENCY = 'mongodb-consistency';

/** A small text that is asked for when it is opened; `facts` are told with it. */
export async function textBody(context: BodyContext, ask: () => Promise<string>, facts: Readonly<Record<string, string>>): Promise<OpenBody> {
  const bytes = Buffer.from(await failingAs(context.connection, ask, context.signal));
  return {
    size: bytes.length,
    body: (async function* () {
      yield bytes;
    })(),
    finish: async ({ bytes: seen }) => {
      refuseIfStopped(context.signal);
      const consistency = facts[CONSISTENCY];
      return { bytes: seen, evidence: consistency === undefined ? [] : [consistency], facts };
    },
    close: () => Promise.resolve(),
  };
}

/** What a cursor is wanted for, and what proves afterwards that it gave all. */
export interface CursorBody {
  /** For people: `shop.orders`. */
  readonly what: string;
  readonly cursor: AbstractCursor;
  readonly onDocument?: ((document: Buffer) => void) | undefined;
  prove(documents: number): Promise<Omit<StreamProof, 'bytes'>>;
}

/** The documents of a cursor, with the proof that they are all. */
export function cursorBody({ connection, signal }: BodyContext, { what, cursor, onDocument, prove }: CursorBody): OpenBody {
  const count = { documents: 0 };
  const closed = Promise.withResolvers<never>();
  closed.promise.catch(() => undefined);
  let isClosed = false;
  const pieces = async function* () {
    const source = documentPieces(cursor, count, onDocument);
    for (;;) {
      const asked = source.next();
      // A server that says nothing does not keep those waiting who close it.
      asked.catch(() => undefined);
      const next = await failingAs(connection, () => Promise.race([closed.promise, asked]), signal);
      if (next.done === true) return;
      yield next.value;
    }
  };
  return {
    body: pieces(),
    finish: async ({ bytes }) => {
      refuseIfStopped(signal);
      if (!cursor.closed || isClosed) throw stoppedReading(what);
      return { bytes, ...(await failingAs(connection, () => prove(count.documents), signal)) };
    },
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      closed.reject(stoppedReading(what));
      // A server that is gone forgets the cursor by itself.
      await cursor.close({ timeoutMS: CLOSE_MS }).catch(() => undefined);
    },
  };
}

const CLOSE_MS = 2000;
/** What one answer should hold: four of them are under way at once, each twice in memory while it arrives. */
const ANSWER_BYTES = 4 << 20;
const FEWEST_DOCUMENTS = 2;
const MOST_DOCUMENTS = 10_000;

/** The documents of a collection in the order of the server's records. */
export async function collectionBody(context: BodyContext, listed: ListedCollection, { query, version }: { readonly query: BsonMap | undefined; readonly version: string }): Promise<OpenBody> {
  const { client, connection, signal } = context;
  const { database, name } = listed;
  const collection = client.db(database).collection(documentsName(listed));
  return failingAs(connection, async () => {
    const before = await countOf(client, listed, query);
    const batchSize = Math.max(FEWEST_DOCUMENTS, Math.min(MOST_DOCUMENTS, Math.floor(ANSWER_BYTES / Math.max(1, before.averageBytes))));
    const cursor = collection.find((query ?? {}) as Filter<object>, { raw: true, batchSize });
    return cursorBody(context, {
      what: `${database}.${name}`, cursor,
      prove: async (documents) => {
        await refuseReplaced(client, listed);
        const after = await countOf(client, listed, query);
        return {
          evidence: [`${documents} documents in a cursor that ended, the server counted ${before.documents} before and ${after.documents} after`],
          tables: [{ schema: database, table: name, rows: documents }], versions: { MongoDB: version },
          ...(before.documents === after.documents && documents !== after.documents && query === undefined && {
            warnings: [`${documents} documents of ${database}.${name} were read, and the server counts ${after.documents}: after a crash its count may be wrong (validate mends it), else documents moved while they were read`],
          }),
        };
      },
    });
  }, signal);
}

/** Users or roles, as the server keeps them: with the hashes of passwords. */
export async function accountsBody(context: BodyContext, name: string, filter: Filter<object>): Promise<OpenBody> {
  const cursor = context.client.db('admin').collection(name).find(filter, { raw: true });
  return cursorBody(context, { what: `admin.${name}`, cursor, prove: (documents) => Promise.resolve({ evidence: [`${documents} documents in a cursor that ended`], tables: [{ schema: 'admin', table: name, rows: documents }] }) });
}

/** Everything that happened from a moment on until now: replayed, it makes all that was read meanwhile of this moment. */
export async function oplogBody(context: BodyContext, start: OplogTime, before: Topology): Promise<OpenBody> {
  const { client, connection, signal } = context;
  return failingAs(connection, async () => {
    await refuseForgotten(client, start);
    const end = await oplogEnd(client);
    const reader = new OplogReader();
    return cursorBody(context, {
      what: 'the oplog', cursor: oplogBetween(client, start, end), onDocument: reader.see,
      prove: async (entries) => {
        await refuseForgotten(client, start);
        refuseElection(before, await topologyOf(client));
        if (reader.last === undefined || isAfter(end, reader.last)) throw new HoldfastError('source-failed', `The oplog was read up to ${reader.last === undefined ? 'nothing' : oplogTimeText(reader.last)}, wanted up to ${oplogTimeText(end)}.`, { retryable: true, nextStep: 'Nothing of this run is kept. Start again.' });
        const consistency = `all of one moment, ${oplogTimeText(end)}, once oplog.bson is replayed (mongorestore --oplogReplay)`;
        return {
          evidence: [`${entries} entries of the oplog from ${oplogTimeText(start)} to ${oplogTimeText(end)}`, consistency],
          facts: { 'mongodb-oplog-from': `${start.seconds}:${start.number}`, 'mongodb-oplog-to': `${end.seconds}:${end.number}`, [CONSISTENCY]: consistency },
        };
      },
    });
  }, signal);
}

/** What the server refuses has a number; a connection that broke has none. */
function ignoreRefusal(error: Error & { readonly code?: unknown }): { readonly avgObjSize?: number } {
  if (typeof error.code === 'number') return {};
  throw error;
}

interface ServerCount {
  readonly documents: number;
  /** Zero where the server does not say. */
  readonly averageBytes: number;
}

async function countOf(client: MongoClient, listed: ListedCollection, query: BsonMap | undefined): Promise<ServerCount> {
  const name = documentsName(listed);
  const database = client.db(listed.database);
  const { n } = await database.command({ count: name, ...(query && { query }) }, { promoteValues: true });
  // Some users may read and not ask for sizes, which only make answers of a good size.
  const { avgObjSize = 0 } = await database.command({ collStats: name }, { promoteValues: true }).catch(ignoreRefusal);
  return { documents: Number(n), averageBytes: Number(avgObjSize) };
}

/** A collection that was dropped looks empty to a cursor that is opened then, and like its end to one that is open. */
async function refuseReplaced(client: MongoClient, { database, name, uuid }: ListedCollection): Promise<void> {
  const [now] = await listCollections(client.db(database), name);
  if (now !== undefined && now.uuid === uuid) return;
  throw new HoldfastError('source-failed', `The collection ${database}.${name} was ${now === undefined ? 'dropped or renamed' : 'replaced by another one of that name'} while it was read.`, {
    retryable: true, nextStep: 'Nothing of this run is kept. Start again when that is over, or leave such collections out with exclude-collections.',
  });
}

function stoppedReading(what: string): HoldfastError {
  return new HoldfastError('interrupted', `Reading ${what} was stopped before its end.`, { nextStep: 'Start it again.' });
}
