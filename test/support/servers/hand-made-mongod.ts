import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { BSON, Long } from 'mongodb';
import type { Document } from 'mongodb';

/** A collection as this server keeps it: documents are bytes, so that they can be whatever BSON can be. */
export interface HandMadeCollection {
  readonly listed?: Document;
  readonly indexes?: readonly Document[];
  readonly documents: readonly Buffer[];
  /** Documents of an answer; all by default. */
  readonly batch?: number;
}

export type HandMadeData = Record<string, Record<string, HandMadeCollection>>;

/** Answers in place of the server: a document, or what becomes of the connection; undefined leaves it to the server. */
export type Rule = (name: string, command: Document, database: string) => Document | 'cut' | 'silence' | undefined;

export interface HandMadeMongod {
  readonly uri: string;
  data: HandMadeData;
  rule: Rule;
  /** Of what the server says of itself. */
  hello: Document;
  /** Names of the commands that changed something, with what they named. */
  readonly changes: Document[];
  stop(): Promise<void>;
}

/**
 * Speaks MongoDB's wire protocol with hand-made BSON, for what no server in a package shows: replica sets with an oplog,
 * users, views, time series, cursors that expire. It finds everything, whatever the filter, unless a rule says otherwise.
 */
export async function startHandMadeMongod(data: HandMadeData): Promise<HandMadeMongod> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= 4 && rest.length >= rest.readInt32LE(0)) {
        const message = rest.subarray(0, rest.readInt32LE(0));
        rest = rest.subarray(message.length);
        answer(socket, message);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const cursors = new Map<string, { readonly ns: string; readonly documents: readonly Buffer[]; readonly batch: number }>();
  let lastCursor = 0;
  const self: HandMadeMongod = {
    uri: `mongodb://127.0.0.1:${port}/?directConnection=true`, data, rule: () => undefined, changes: [],
    hello: { isWritablePrimary: true, ismaster: true, maxBsonObjectSize: 16 << 20, maxMessageSizeBytes: 48 << 20, maxWriteBatchSize: 100_000, logicalSessionTimeoutMinutes: 30, minWireVersion: 0, maxWireVersion: 25, readOnly: false },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  const answer = (socket: Socket, message: Buffer): void => {
    const { command, database, isLegacy } = parsed(message);
    const name = Object.keys(command)[0] as string;
    const ruled = self.rule(name, command, database);
    if (ruled === 'cut') return void socket.destroy();
    if (ruled === 'silence') return;
    const reply = ruled ?? known(name, command, database);
    socket.write(framed(message.readInt32LE(4), reply instanceof Buffer ? reply : Buffer.from(BSON.serialize(reply)), isLegacy));
  };

  const known = (name: string, command: Document, database: string): Document | Buffer => {
    const held = self.data[database] ?? {};
    const collection = held[String(command[name])];
    switch (name) {
      case 'hello': case 'isMaster': case 'ismaster': return { ...self.hello, ok: 1 };
      case 'saslStart': return { conversationId: 1, done: true, payload: Buffer.alloc(0), ok: 1 };
      case 'buildInfo': return { version: '8.0.4', ok: 1 };
      case 'listDatabases': return { databases: Object.keys(self.data).map((one) => ({ name: one })), ok: 1 };
      case 'listCollections': {
        const all = Object.entries(held).filter(([one]) => command['filter']?.name === undefined || command['filter'].name === one).map(([one, { listed }]) => Buffer.from(BSON.serialize({ name: one, type: 'collection', options: {}, ...listed })));
        return opened(`${database}.$cmd.listCollections`, all, all.length);
      }
      case 'listIndexes': return opened(`${database}.$cmd`, (collection?.indexes ?? [{ v: 2, key: { _id: 1 }, name: '_id_' }]).map((index) => Buffer.from(BSON.serialize(index))), 1000);
      case 'count': return { n: collection?.documents.length ?? 0, ok: 1 };
      case 'collStats': return { avgObjSize: 100, ok: 1 };
      case 'find': {
        const documents = [...(collection?.documents ?? [])];
        if (command['sort']?.$natural === -1) documents.reverse();
        return opened(`${database}.${String(command['find'])}`, command['limit'] > 0 ? documents.slice(0, Number(command['limit'])) : documents, collection?.batch ?? Infinity);
      }
      case 'getMore': {
        const key = String(command['getMore']);
        const cursor = cursors.get(key);
        cursors.delete(key);
        return cursor === undefined ? { ok: 0, errmsg: `cursor id ${key} not found`, code: 43, codeName: 'CursorNotFound' } : batchOf(cursor, 'nextBatch');
      }
      case 'ping': case 'endSessions': case 'killCursors': return { ok: 1 };
      case 'create': case 'createIndexes': case 'drop': case 'renameCollection':
        self.changes.push(command);
        return { ok: 1 };
      default: return { ok: 0, errmsg: `no such command: '${name}'`, code: 59 };
    }
  };

  const opened = (ns: string, documents: readonly Buffer[], batch: number) => batchOf({ ns, documents, batch }, 'firstBatch');
  const batchOf = ({ ns, documents, batch }: { readonly ns: string; readonly documents: readonly Buffer[]; readonly batch: number }, field: string): Buffer => {
    const left = documents.slice(batch);
    const id = left.length === 0 ? 0 : ++lastCursor;
    if (id !== 0) cursors.set(String(id), { ns, documents: left, batch });
    return cursorReply(Long.fromNumber(id), ns, field, documents.slice(0, batch));
  };
  return self;
}

/** `{cursor: {<field>: [...], id, ns}, ok: 1}` around documents that nobody decodes. */
function cursorReply(id: Long, ns: string, field: string, documents: readonly Buffer[]): Buffer {
  const elements = documents.map((document, index) => Buffer.concat([Buffer.from(`\u0003${index}\0`), document]));
  const list = enclosed(Buffer.concat(elements));
  const cursor = enclosed(Buffer.concat([Buffer.from(`\u0004${field}\0`), list, inner({ id, ns })]));
  return enclosed(Buffer.concat([Buffer.from('\u0003cursor\0'), cursor, inner({ ok: 1 })]));
}

function enclosed(elements: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32LE(elements.length + 5);
  return Buffer.concat([length, elements, Buffer.alloc(1)]);
}

function inner(document: Document): Buffer {
  return Buffer.from(BSON.serialize(document)).subarray(4, -1);
}

/** OP_MSG, or the OP_QUERY that drivers still shake hands with. */
function parsed(message: Buffer): { readonly command: Document; readonly database: string; readonly isLegacy: boolean } {
  const isLegacy = message.readInt32LE(12) === 2004;
  const from = isLegacy ? message.indexOf(0, 20) + 9 : 21;
  const command = BSON.deserialize(message.subarray(from, from + message.readInt32LE(from)), { promoteLongs: true });
  return { command, database: isLegacy ? 'admin' : String(command['$db']), isLegacy };
}

function framed(responseTo: number, document: Buffer, isLegacy: boolean): Buffer {
  const body = isLegacy ? Buffer.alloc(20) : Buffer.alloc(5);
  if (isLegacy) body.writeInt32LE(1, 16);
  const header = Buffer.alloc(16);
  header.writeInt32LE(16 + body.length + document.length, 0);
  header.writeInt32LE(responseTo, 8);
  header.writeInt32LE(isLegacy ? 1 : 2013, 12);
  return Buffer.concat([header, body, document]);
}
