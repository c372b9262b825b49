import type { SnapshotReader } from '../../../lib/repository/index.ts';
import { heldBy } from '../../support/run-backup.ts';
import { startMongoStandIn } from '../../support/servers/mongo-java.ts';
import type { MongoStandIn } from '../../support/servers/mongo-java.ts';
import { failure } from '../reading.ts';
import { ODD_DATABASE, ODD_NAMES, fillShop } from './awkward.ts';
import { backedUp, contentOf, restoreInto, sourceFor } from './desk.ts';

let server: MongoStandIn;
let reader: SnapshotReader;
let made: Awaited<ReturnType<typeof backedUp>>;
let number = 0;
const fresh = () => `restored_${++number}`;

beforeAll(async () => {
  server = await startMongoStandIn();
  await fillShop(server.client);
  made = await backedUp(sourceFor(server.uri));
  reader = made.reader;
}, 60_000);
afterAll(() => server?.stop());

const collectionsOf = async (database: string) => (await server.client.db(database).listCollections().toArray()).map(({ name }) => name as string).sort();

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
    expect(facts).toMatchObject({ 'mongodb-topology': 'standalone', 'mongodb-consistency': expect.stringContaining('no replica set, no oplog') });
    expect(warnings).toEqual([]);
  });
});

describe('a restore into MongoDB (S3, R1, R8)', () => {

  it('brings back a database under another name, document by document and index by index', async () => {
    const database = fresh();
    const { reports } = await restoreInto(reader, { uri: server.uri, database }, { entry: 'shop', mode: 'create' });
    expect(await contentOf(server.client, database)).toEqual(await contentOf(server.client, 'shop'));
    expect(reports[0]?.tables).toContainEqual({ schema: database, table: 'orders', rows: 5000 });
    expect(await collectionsOf(database)).toEqual(await collectionsOf('shop'));
  });

  it('refuses a database that holds something, by name, and changes nothing', async () => {
    const refused = await failure(restoreInto(reader, { uri: server.uri }, { entry: 'shop' }));
    expect(refused).toMatchObject({ code: 'target-exists', message: expect.stringContaining('holds deep, empty, large, orders, values, wanted') });
  });
});
