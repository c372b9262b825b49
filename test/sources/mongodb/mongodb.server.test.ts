import { BSON } from 'mongodb';
import type { MongodbSource } from '../../../lib/sources/mongodb.ts';
import type { SnapshotReader } from '../../../lib/repository/index.ts';
import { sourceContract } from '../../contract/source.ts';
import { repeating } from '../../support/repeating.ts';
import { heldBy, testRepository } from '../../support/run-backup.ts';
import { startCutProxy } from '../../support/servers/cut-proxy.ts';
import { startHandMadeMongod } from '../../support/servers/hand-made-mongod.ts';
import type { HandMadeMongod } from '../../support/servers/hand-made-mongod.ts';
import { startMongoStandIn } from '../../support/servers/mongo-java.ts';
import type { MongoStandIn } from '../../support/servers/mongo-java.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { failure } from '../reading.ts';
import { ODD_DATABASE, ODD_NAMES, fillShop } from './awkward.ts';
import { QUICK, backedUp, backedUpTo, contentOf, restoreInto, sourceFor } from './desk.ts';

let server: MongoStandIn;
let reader: SnapshotReader;
let made: Awaited<ReturnType<typeof backedUp>>;
let number = 0;
/** Milliseconds after the beginning. */
const STOPS = [0, 20, 60, 120, 200];
const fresh = () => `restored_${++number}`;

beforeAll(async () => {
  server = await startMongoStandIn();
  await fillShop(server.client);
  made = await backedUp(sourceFor(server.uri));
  reader = made.reader;
}, 60_000);
afterAll(() => server?.stop());

const collectionsOf = async (database: string) => (await server.client.db(database).listCollections().toArray()).map(({ name }) => name as string).sort();
const drop = (database: string) => server.client.db(database).dropDatabase();

describe('a backup of MongoDB (S3)', () => {
  it('has the layout of mongodump: documents and metadata of each collection, whatever its name', async () => {
    const held = await heldBy(made.repository, made.outcome);
    const paths = [...held.keys()].map((path) => Buffer.from(path, 'latin1').toString('utf8'));
    expect(paths).toEqual(expect.arrayContaining(['shop/orders.bson', 'shop/orders.metadata.json', 'shop/empty.bson', `${ODD_DATABASE}/a%2Fb+c.bson`, `${ODD_DATABASE}/50%25%2B1.metadata.json`, `${ODD_DATABASE}/..%2Fup.bson`, `${ODD_DATABASE}/${'x'.repeat(100)}.bson`]));
    expect(paths.filter((path) => path.startsWith(`${ODD_DATABASE}/`))).toHaveLength(ODD_NAMES.length * 2);
    expect(held.get('shop/empty.bson')?.content).toHaveLength(0);
    const raw = (await server.client.db('shop').collection('values').find({}, { raw: true }).toArray()) as unknown as Buffer[];
    expect(held.get('shop/values.bson')?.content).toEqual(Buffer.concat(raw));
  });

  it('proves each collection by the number of its documents, and says of which moments it is', () => {
    const { evidence, facts, warnings } = made.outcome.manifest;
    expect(evidence?.find(({ entry }) => entry === 'shop/orders.bson')).toEqual({ entry: 'shop/orders.bson', facts: ['5000 documents in a cursor that ended, the server counted 5000 before and 5000 after'], tables: [{ schema: 'shop', table: 'orders', rows: 5000 }], versions: { MongoDB: '5.0.0' } });
    expect(facts).toMatchObject({ 'mongodb-topology': 'standalone', 'mongodb-consistency': expect.stringContaining('no replica set and has no oplog') });
    expect(warnings).toEqual([]);
  });

  it('keeps the databases, collections and documents that are chosen, and no others', async () => {
    const { repository, outcome } = await backedUp(sourceFor(server.uri, { databases: ['shop'], collections: ['shop.*'], exclude: ['lar?e', 'shop.values', 'deep'], queries: { 'shop.orders': '{"state": "open", "n": {"$lt": {"$numberInt": "100"}}}' } }), QUICK);
    const held = await heldBy(repository, outcome);
    expect([...held.keys()].filter((path) => path.endsWith('.bson'))).toEqual(['shop/empty.bson', 'shop/orders.bson']);
    expect(outcome.evidence).toContain('34 documents in a cursor that ended, the server counted 34 before and 34 after');
  });

  it.each<[string, Parameters<typeof sourceFor>[1], RegExp]>([
    ['a database that is not there', { databases: ['none'] }, /database none holds no collection/],
    ['a collection that is not there', { collections: ['shop.none'] }, /None of the collections shop.none is there/],
    ['a query for a collection that is not kept', { databases: ['shop'], queries: { 'shop.none': '{}' } }, /no such collection is kept/],
  ])('is refused for %s', async (_, changes, words) => {
    expect(await failure(sourceFor(server.uri, changes).check())).toMatchObject({ message: expect.stringMatching(words), nextStep: expect.any(String) });
  });

  it('is whole while somebody writes: every document that was there before and after is in it', async () => {
    const busy = server.client.db('busy').collection<{ _id: number; n: number }>('ledger');
    await busy.insertMany(Array.from({ length: 2000 }, (_, n) => ({ _id: n, n })));
    const writer = repeating(async (i) => {
      await busy.insertOne({ _id: 2000 + i, n: i });
      await busy.updateOne({ _id: i % 2000 }, { $set: { n: -i } });
    });
    const { reader: during } = await backedUp(sourceFor(server.uri, { databases: ['busy'] }), QUICK);
    await writer.stop();
    const [database, after] = [fresh(), Number(await busy.countDocuments())];
    const { reports } = await restoreInto(during, { uri: server.uri, database });
    const rows = reports[0]?.tables[0]?.rows ?? 0;
    expect([rows >= 2000, rows <= after]).toEqual([true, true]);
    expect(Number(await server.client.db(database).collection<{ _id: number }>('ledger').countDocuments({ _id: { $lt: 2000 } }))).toBe(2000);
    await Promise.all([drop('busy'), drop(database)]);
  });
});

describe('a restore into MongoDB (S3, R1, R8)', () => {
  it('brings back a database under another name, document by document and index by index', async () => {
    const database = fresh();
    const { reports } = await restoreInto(reader, { uri: server.uri, database }, { entry: 'shop', mode: 'create', jobs: 3 });
    expect(await contentOf(server.client, database)).toEqual(await contentOf(server.client, 'shop'));
    expect(reports[0]?.tables).toContainEqual({ schema: database, table: 'orders', rows: 5000 });
    await drop(database);
  });

  it('brings back everything after it was destroyed, each database under its own name', async () => {
    const before = [await contentOf(server.client, 'shop'), await contentOf(server.client, ODD_DATABASE)];
    await Promise.all([drop('shop'), drop(ODD_DATABASE)]);
    const { reports } = await restoreInto(reader, { uri: server.uri });
    expect([await contentOf(server.client, 'shop'), await contentOf(server.client, ODD_DATABASE)]).toEqual(before);
    expect(reports.map(({ entry }) => entry)).toEqual(['shop', Buffer.from(ODD_DATABASE).toString('utf8')]);
  });

  it('refuses a database that holds something, by name, and changes nothing', async () => {
    const refused = await failure(restoreInto(reader, { uri: server.uri }, { entry: 'shop' }));
    expect(refused).toMatchObject({ code: 'target-exists', message: expect.stringContaining('holds deep, empty, large, orders, values, wanted') });
    expect(await failure(restoreInto(reader, { uri: server.uri, database: 'shop' }, { entry: 'shop', mode: 'create' }))).toMatchObject({ code: 'target-exists' });
  });

  it('takes one collection, beside others, or in place of what has its name', async () => {
    const database = fresh();
    const target = server.client.db(database);
    await target.collection('others').insertOne({ kept: true });
    await restoreInto(reader, { uri: server.uri, database }, { entry: 'shop/values.bson' });
    expect(await collectionsOf(database)).toEqual(['others', 'values']);
    await target.collection('values').insertOne({ newer: true });
    await expect(restoreInto(reader, { uri: server.uri, database }, { tables: ['shop.values'] })).rejects.toMatchObject({ code: 'target-exists', message: expect.stringContaining('values') });
    const { plan } = await restoreInto(reader, { uri: server.uri, database }, { tables: ['shop.values'], mode: 'clean' });
    expect(plan.loads[0]?.existing).toEqual({ objects: 2, tables: ['others', 'values'] });
    expect((await contentOf(server.client, database))['values']).toEqual((await contentOf(server.client, 'shop'))['values']);
    expect(await collectionsOf(database)).toEqual(['others', 'values']);
    await drop(database);
  });

  it('that fails leaves what was there, and nothing of its own', async () => {
    const database = fresh();
    await server.client.db(database).collection('orders').insertOne({ mine: true });
    const [one, other] = [1, 2].map((_id) => Buffer.from(BSON.serialize({ _id, a: 1 }))) as [Buffer, Buffer];
    const liar = await startHandMadeMongod({ doubled: { orders: { documents: [one, other], indexes: [{ v: 2, key: { a: 1 }, name: 'a', unique: true }] } } });
    const { reader: lying } = await backedUp(sourceFor(liar.uri), QUICK);
    await liar.stop();
    expect(await failure(restoreInto(lying, { uri: server.uri, database }, { mode: 'clean' }))).toMatchObject({ message: expect.stringMatching(/E11000|duplicate key/), code: 'target-failed' });
    expect(await collectionsOf(database)).toEqual(['orders']);
    await drop(database);
  });

  it('that is stopped at any moment is whole or leaves what was there', async () => {
    const database = fresh();
    for (const [nr, milliseconds] of STOPS.entries()) {
      await drop(database);
      await server.client.db(database).collection('orders').insertOne({ mine: true });
      const stop = new AbortController();
      const timer = setTimeout(() => stop.abort(), milliseconds);
      const outcome = await restoreInto(reader, { uri: server.uri, database }, { entry: 'shop', mode: 'clean' }, stop.signal).then(() => 'whole', (error: unknown) => error);
      clearTimeout(timer);
      if (outcome !== 'whole') expect([nr, outcome]).toEqual([nr, expect.objectContaining({ code: 'interrupted' })]);
      expect([nr, await collectionsOf(database)]).toEqual([nr, outcome === 'whole' ? ['deep', 'empty', 'large', 'orders', 'values'] : ['orders']]);
      expect(Number(await server.client.db(database).collection('orders').countDocuments())).toBe(outcome === 'whole' ? 5000 : 1);
    }
    await drop(database);
  }, 60_000);

  it.each<[string, Parameters<typeof restoreInto>[2], string, RegExp]>([
    ['a collection that is not in the backup', { tables: ['none'] }, 'not-found', /holds no collection of MongoDB that is one of none/],
    ['an entry that is not in the backup', { entry: 'none' }, 'not-found', /at none/],
    ['schemas', { schemas: ['s'] }, 'usage', /does not know --schema/],
  ])('refuses %s', async (_, wanted, code, words) => {
    expect(await failure(restoreInto(reader, { uri: server.uri }, wanted))).toMatchObject({ code, message: expect.stringMatching(words) });
  });

  it('refuses to put several databases into one', async () => {
    expect(await failure(restoreInto(reader, { uri: server.uri, database: fresh() }))).toMatchObject({ code: 'usage', message: expect.stringContaining('all of them would go into') });
  });
});

describe('MongoDB and its contract', () => {
  const SECRET = 'canary-0f1e2d';
  const temporary = temporaryFolder();
  const handMade: HandMadeMongod[] = [];
  let refusing: MongodbSource;
  const liar = async (rule: HandMadeMongod['rule']) => {
    const one = await startHandMadeMongod({ shop: { orders: { documents: Array.from({ length: 50 }, () => Buffer.from([5, 0, 0, 0, 0])), batch: 5 } } });
    one.rule = rule;
    handMade.push(one);
    return sourceFor(one.uri, { connection: { uri: `${one.uri}&authMechanism=PLAIN&authSource=$external`, user: 'u', password: SECRET } });
  };
  beforeAll(async () => (refusing = await liar((name) => (name === 'saslStart' ? { ok: 0, code: 18, codeName: 'AuthenticationFailed', errmsg: 'Authentication failed.' } : undefined))));
  afterAll(() => Promise.all(handMade.map((one) => one.stop())));

  sourceContract('mongodb', () => ({
    temporaryFolder: temporary,
    secrets: [SECRET],
    state: async () => collectionsOf('shop'),
    good: () => sourceFor(server.uri, { databases: ['shop'], exclude: ['large'] }),
    failing: () => liar((name) => (name === 'getMore' ? 'cut' : undefined)),
    refused: () => refusing,
  }));
});

describe('a connection to MongoDB that breaks (S3)', () => {
  it('at any of thirty places leaves no backup, and says that it broke', async () => {
    const proxy = await startCutProxy(server.port);
    const source = () => sourceFor(`mongodb://127.0.0.1:${proxy.port}/?directConnection=true&heartbeatFrequencyMS=100000&retryReads=false`, { databases: ['shop'], collections: ['orders', 'values'] });
    try {
      const whole = proxy.passed();
      await backedUp(source(), QUICK);
      const bytes = proxy.passed() - whole;
      expect(bytes).toBeGreaterThan(500_000);
      for (let place = 0; place < 30; place++) {
        const repository = testRepository();
        proxy.cutAfter(Math.floor((bytes * (place + 1)) / 32));
        const { error, snapshots } = await backedUpTo(repository, source());
        expect([place, error.code, snapshots]).toEqual([place, 'source-failed', []]);
        expect(error.message).toMatch(/broke|No server can be reached/);
      }
    } finally {
      await proxy.stop();
    }
  }, 60_000);

  it('because the server was killed leaves no backup', async () => {
    const repository = testRepository();
    const source = sourceFor(`${server.uri}/?serverSelectionTimeoutMS=1000`);
    const running = backedUpTo(repository, { shape: 'bodies', type: source.type, description: source.description, parallel: source.parallel, check: () => source.check(), bodies: async function* (signal: AbortSignal) {
      for await (const body of source.bodies(signal)) {
        if (body.name === 'shop/orders.bson') server.kill();
        yield body;
      }
    } } as never);
    const { error, snapshots } = await running;
    expect([error.code, snapshots]).toEqual(['source-failed', []]);
  });
});
