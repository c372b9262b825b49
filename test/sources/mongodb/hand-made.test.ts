import { BSON, Binary, Int32, Long, Timestamp } from 'mongodb';
import type { Document } from 'mongodb';
import { heldBy, testRepository } from '../../support/run-backup.ts';
import { startHandMadeMongod } from '../../support/servers/hand-made-mongod.ts';
import type { HandMadeData, HandMadeMongod } from '../../support/servers/hand-made-mongod.ts';
import { failure } from '../reading.ts';
import { RARE, VALUES } from './awkward.ts';
import { QUICK, backedUp, backedUpTo, sourceFor } from './desk.ts';

const bytes = (document: Document) => Buffer.from(BSON.serialize(document, { ignoreUndefined: false }));
const entry = (seconds: number, more: Document = {}) => bytes({ ts: new Timestamp({ t: seconds, i: 1 }), op: 'i', ns: 'shop.orders', o: { _id: seconds }, ...more });
const uuid = (fill: number) => ({ info: { readOnly: false, uuid: new Binary(Buffer.alloc(16, fill), 4) } });

/** Not to be made by any encoder: doubled keys, keys that look like numbers, a document of exactly 16 MiB, a type that only old servers wrote. */
const DOUBLED = Buffer.from('13000000106100010000001061000200000000', 'hex');
const LARGEST = bytes({ _id: 1, b: new Binary(Buffer.alloc((16 << 20) - 22)) });

const shop: HandMadeData[string] = {
  orders: { listed: uuid(1), documents: [...VALUES.map(bytes), bytes(RARE), DOUBLED], batch: 3, indexes: [{ v: 2, key: { _id: 1 }, name: '_id_' }, { v: 2, key: { 9: 1, 10: -1, 1: 'text' }, name: 'n', partialFilterExpression: { at: { $gt: new Date(5) } } }] },
  capped: { listed: { ...uuid(3), options: { capped: true, size: new Long(4096), max: new Int32(5) } }, documents: [] },
  view: { listed: { type: 'view', options: { viewOn: 'orders', pipeline: [{ $match: { n: { $gt: 1.5 } } }] }, info: { readOnly: true } }, documents: [] },
  series: { listed: { ...uuid(4), type: 'timeseries', options: { timeseries: { timeField: 't', granularity: 'seconds' } } }, documents: [] },
  'system.buckets.series': { listed: uuid(5), documents: [bytes({ control: { version: 1 } })] },
  'system.views': { listed: uuid(6), documents: [bytes({ _id: 'shop.view' })] },
};
const admin: HandMadeData[string] = {
  'system.users': { listed: uuid(7), documents: [bytes({ _id: 'shop.app', user: 'app', db: 'shop', credentials: { 'SCRAM-SHA-256': { salt: 's' } } })] },
  'system.roles': { listed: uuid(8), documents: [bytes({ _id: 'shop.reader', role: 'reader', db: 'shop' })] },
  'system.version': { listed: uuid(9), documents: [bytes({ _id: 'authSchema', currentVersion: 5 })] },
  'system.keys': { listed: uuid(10), documents: [] },
};
const OPLOG = [1000, 1001, 1002].map((seconds) => entry(seconds));
const replicaSet = { setName: 'rs0', setVersion: 1, me: 'db1:27017', electionId: new Long(7), hosts: ['db1:27017'] };

let server: HandMadeMongod;
beforeEach(async () => {
  server = await startHandMadeMongod({ admin, shop, local: { 'oplog.rs': { documents: OPLOG } }, config: { transactions: { documents: [] } } });
});
afterEach(() => server.stop());

async function kept(changes: Parameters<typeof sourceFor>[1] = {}, ports = QUICK) {
  const { repository, outcome } = await backedUp(sourceFor(server.uri, changes), ports);
  return { held: await heldBy(repository, outcome), outcome };
}

describe('a backup of MongoDB, from hand-made BSON (S3)', () => {
  it('has every document byte for byte, whatever is in it, one behind the other', async () => {
    server.data = { shop: { ...shop, large: { listed: uuid(2), documents: [LARGEST, LARGEST], batch: 1 } } };
    const { held } = await kept({}, {});
    expect(held.get('shop/orders.bson')?.content).toEqual(Buffer.concat(shop['orders']?.documents as Buffer[]));
    expect(LARGEST).toHaveLength(16 << 20);
    expect(held.get('shop/large.bson')?.content?.equals(Buffer.concat([LARGEST, LARGEST]))).toBe(true);
  });

  it('has metadata as mongodump writes it: keys in their order, canonical extended JSON', async () => {
    const { held } = await kept();
    const metadata = (name: string) => held.get(`shop/${name}.metadata.json`)?.content?.toString();
    expect(metadata('orders')).toBe('{"indexes":[{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"},{"v":{"$numberInt":"2"},"key":{"1":"text","9":{"$numberInt":"1"},"10":{"$numberInt":"-1"}},"name":"n","partialFilterExpression":{"at":{"$gt":{"$date":{"$numberLong":"5"}}}}}],"uuid":"01010101010101010101010101010101","collectionName":"orders","type":"collection"}');
    expect(metadata('capped')).toBe('{"options":{"capped":true,"size":{"$numberLong":"4096"},"max":{"$numberInt":"5"}},"indexes":[{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},"name":"_id_"}],"uuid":"03030303030303030303030303030303","collectionName":"capped","type":"collection"}');
    expect(metadata('view')).toBe('{"options":{"viewOn":"orders","pipeline":[{"$match":{"n":{"$gt":{"$numberDouble":"1.5"}}}}]},"indexes":[],"collectionName":"view","type":"view"}');
    expect([...held.keys()].filter((path) => path.startsWith('shop/') && path.endsWith('.bson'))).toEqual(['shop/capped.bson', 'shop/orders.bson', 'shop/system.buckets.series.bson']);
  });

  it('keeps users and roles of the whole server, and of databases that are named as mongodump does', async () => {
    const whole = await kept({ users: true });
    expect([...whole.held.keys()].filter((path) => path.startsWith('admin/') && path.endsWith('.bson'))).toEqual(['admin/system.roles.bson', 'admin/system.users.bson', 'admin/system.version.bson']);
    const filters: unknown[] = [];
    server.rule = (name, command) => void (name === 'find' && String(command['find']).startsWith('system.') && filters.push([command['find'], command['filter']]));
    const { held } = await kept({ users: true, databases: ['shop'] });
    expect(held.get('shop/$admin.system.users.bson')?.content).toEqual(admin['system.users']?.documents[0]);
    expect(filters).toEqual(expect.arrayContaining([['system.users', { db: 'shop' }], ['system.roles', { db: 'shop' }], ['system.version', {}]]));
    expect((await kept()).held.has('admin/system.users.bson')).toBe(false);
  });
});

describe('the oplog of a replica set, from hand-made BSON (S3)', () => {
  beforeEach(() => void (server.hello = { ...server.hello, ...replicaSet }));

  it('is kept from the moment at which the backup began to that at which the last collection was read', async () => {
    const asked: Document[] = [];
    server.rule = (name, command) => {
      if (name === 'find' && command['find'] === 'orders') server.data = { ...server.data, local: { 'oplog.rs': { documents: [...OPLOG.slice(2), entry(1003), entry(1004)] } } };
      if (name === 'find' && command['find'] === 'oplog.rs' && command['filter'].ts) asked.push(command['filter']);
      return undefined;
    };
    const { held, outcome } = await kept();
    expect(asked).toEqual([{ ts: { $gte: new Timestamp({ t: 1002, i: 1 }), $lte: new Timestamp({ t: 1004, i: 1 }) } }]);
    expect(held.get('oplog.bson')?.content).toEqual(Buffer.concat([OPLOG[2] as Buffer, entry(1003), entry(1004)]));
    expect(outcome.manifest.facts).toMatchObject({ 'mongodb-topology': 'replica set rs0', 'mongodb-oplog-from': '1002:1', 'mongodb-oplog-to': '1004:1', 'mongodb-consistency': expect.stringContaining('once oplog.bson is replayed') });
  });

  it('begins with the oldest transaction that is open', async () => {
    server.data = { ...server.data, config: { transactions: { documents: [bytes({ state: 'inProgress', startOpTime: { ts: new Timestamp({ t: 1001, i: 1 }), t: new Long(1) } })] } } };
    expect((await kept()).outcome.manifest.facts).toMatchObject({ 'mongodb-oplog-from': '1001:1' });
  });

  it.each<[string, string, (name: string, command: Document) => void]>([
    ['the server forgets its beginning meanwhile', 'what changed between is gone', (name, command) => {
      if (name === 'find' && command['find'] === 'orders') server.data = { ...server.data, local: { 'oplog.rs': { documents: [entry(1003), entry(1004)] } } };
    }],
    ['a collection is renamed meanwhile', 'a renameCollection was made on the server', (name, command) => {
      if (name === 'find' && command['find'] === 'orders') server.data = { ...server.data, local: { 'oplog.rs': { documents: [...OPLOG, entry(1003, { op: 'c', ns: 'shop.$cmd', o: { renameCollection: 'shop.a', to: 'shop.b' } })] } } };
    }],
    ['another primary is elected', 'elected another primary', (name, command) => {
      if (name === 'find' && command['find'] === 'orders') server.hello = { ...server.hello, electionId: new Long(8) };
    }],
    ['it is cut short', 'wanted up to 1002:1', (name, command) => {
      if (name === 'find' && command['filter']?.ts) server.data = { ...server.data, local: { 'oplog.rs': { documents: OPLOG.slice(0, 2) } } };
    }],
  ])('fails the run when %s', async (_, words, happen) => {
    server.rule = (name, command) => void happen(name, command);
    const { error, snapshots } = await backedUpTo(testRepository(), sourceFor(server.uri));
    expect(error).toMatchObject({ code: 'source-failed', message: expect.stringContaining(words), nextStep: expect.stringContaining('Nothing of this run is kept') });
    expect(snapshots).toEqual([]);
  });

  it.each<[string, Parameters<typeof sourceFor>[1], string]>([
    ['a part is kept', { databases: ['shop'] }, 'the oplog is kept with all databases'],
    ['nobody wants it', { oplog: 'none' }, 'its oplog was not wanted'],
  ])('is left out, and the record says so, when %s', async (_, changes, words) => {
    const { held, outcome } = await kept(changes);
    expect(held.has('oplog.bson')).toBe(false);
    expect(outcome.manifest.facts?.['mongodb-consistency']).toContain(words);
  });

  it('is refused before anything is stored where it is required and cannot be', async () => {
    expect(await failure(sourceFor(server.uri, { oplog: 'required', databases: ['shop'] }).check())).toMatchObject({ code: 'config-invalid', message: expect.stringContaining('the oplog is kept with all databases') });
    server.hello = { ...server.hello, setName: undefined };
    expect(await failure(sourceFor(server.uri, { oplog: 'required' }).check())).toMatchObject({ message: expect.stringContaining('no replica set') });
  });
});

describe('a server that does not give everything (S3)', () => {
  const orders = (name: string, command: Document) => name === 'find' && command['find'] === 'orders';
  const more = (name: string, command: Document) => name === 'getMore' && command['collection'] === 'orders';
  const says = (code: number, errmsg: string) => ({ ok: 0, code, errmsg });

  it.each<[string, HandMadeMongod['rule'], string, string]>([
    ['forbids one collection', (name, command) => (orders(name, command) ? says(13, 'not authorized on shop to execute command { find: "orders" }') : undefined), 'permission', 'not authorized on shop'],
    ['forbids the list of databases', (name) => (name === 'listDatabases' ? says(13, 'not authorized on admin') : undefined), 'permission', 'not authorized on admin'],
    ['forbids the list of indexes', (name) => (name === 'listIndexes' ? says(13, 'not authorized on shop') : undefined), 'permission', 'not authorized on shop'],
    ['lets a cursor expire', (name, command) => (more(name, command) ? says(43, 'cursor id 7 not found') : undefined), 'source-failed', 'cursor id 7 not found (43)'],
    ['kills the operation', (name, command) => (more(name, command) ? says(11601, 'operation was interrupted') : undefined), 'source-failed', 'operation was interrupted (11601)'],
    ['shuts down', (name, command) => (more(name, command) ? says(91, 'The server is in quiesce mode and will shut down') : undefined), 'source-failed', 'quiesce mode'],
    ['resets the connection', (name, command) => (more(name, command) ? 'cut' : undefined), 'source-failed', 'The connection to'],
    ['drops the collection', (name, command) => (name === 'listCollections' && command['filter']?.name === 'orders' ? { cursor: { id: new Long(0), ns: 'x', firstBatch: [] }, ok: 1 } : undefined), 'source-failed', 'was dropped or renamed while it was read'],
    ['puts another one in its place', (name, command) => (name === 'listCollections' && command['filter']?.name === 'orders' ? { cursor: { id: new Long(0), ns: 'x', firstBatch: [{ name: 'orders', type: 'collection', ...uuid(77) }] }, ok: 1 } : undefined), 'source-failed', 'was replaced by another one'],
  ])('%s: no backup, and the reason in its own words', async (_, rule, code, words) => {
    server.rule = rule;
    const { error, snapshots } = await backedUpTo(testRepository(), sourceFor(server.uri));
    expect(error).toMatchObject({ code, message: expect.stringContaining(words), nextStep: expect.any(String) });
    expect(snapshots).toEqual([]);
  });

  it('gives a document that is none: no backup', async () => {
    server.data = { shop: { orders: { listed: uuid(1), documents: [Buffer.from('0600000000ff', 'hex')] } } };
    const { error, snapshots } = await backedUpTo(testRepository(), sourceFor(server.uri));
    expect([error.message.length > 0, snapshots]).toEqual([true, []]);
  });

  it('says nothing more: a run that is stopped ends at once, as interrupted', async () => {
    const stop = new AbortController();
    server.rule = (name, command) => {
      if (!more(name, command)) return undefined;
      setImmediate(() => stop.abort());
      return 'silence';
    };
    const { error, snapshots } = await backedUpTo(testRepository(), sourceFor(server.uri), stop.signal);
    expect([error.code, snapshots]).toEqual(['interrupted', []]);
  });

  it('says nothing more in one collection, and fails in another: the run ends with the failure', async () => {
    server.rule = (name, command) => (more(name, command) ? 'silence' : name === 'find' && command['find'] === 'system.buckets.series' ? says(13, 'not authorized') : undefined);
    const { error } = await backedUpTo(testRepository(), sourceFor(server.uri));
    expect(error.code).toBe('permission');
  });

  it('counts other documents than it gives: a warning of the backup', async () => {
    server.rule = (name, command) => (name === 'count' && command['count'] === 'orders' ? { n: 100, ok: 1 } : undefined);
    const { outcome } = await kept();
    expect(outcome.manifest.warnings).toEqual([expect.objectContaining({ code: 'source-suspect', message: expect.stringContaining('9 documents of shop.orders were read, and the server counts 100') })]);
  });
});
