import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fillShop } from '../sources/mongodb/awkward.ts';
import { contentOf } from '../sources/mongodb/desk.ts';
import { startHandMadeMongod } from '../support/servers/hand-made-mongod.ts';
import { startMongoStandIn } from '../support/servers/mongo-java.ts';
import type { MongoStandIn } from '../support/servers/mongo-java.ts';
import { Desk, REAL_WORKERS } from './run-in-process.ts';

let server: MongoStandIn;
beforeAll(async () => {
  server = await startMongoStandIn();
  await fillShop(server.client);
});
afterAll(() => server?.stop());

it('MongoDB is backed up, restored under another name, and given out in the layout that mongorestore reads (S3, K9, R1)', async () => {
  const desk = new Desk({}, REAL_WORKERS);
  writeFileSync(desk.path('holdfast.yaml'), `
vaults: { main: { directory: vault, key-file: key } }
plans:
  shop:
    source: { type: mongodb, uri: "${server.uri}/", databases: [shop], exclude-collections: [large] }
`);
  await desk.do('init');
  const [made] = await desk.json<{ state: string; evidence: string[] }>('backup', 'shop');
  expect(made).toMatchObject({ state: 'completed', evidence: expect.arrayContaining(['5000 documents in a cursor that ended, the server counted 5000 before and 5000 after']) });
  expect(await desk.do('show', 'latest:shop')).toContain('each collection as it was while it was read: the server is no replica set and has no oplog');

  const planned = await desk.do('restore', 'latest:shop', '--to-database', `${server.uri}/shop_again`, '--create', '--dry-run');
  expect(planned).toMatch(/Nothing was done. shop \(.* database shop of server MongoDB 5\.0\.0.*a new database shop_again at mongodb:\/\/127\.0\.0\.1:\d+ on server 5\.0\.0, by the driver of MongoDB 6\./);
  expect(await desk.do('restore', 'latest:shop', '--to-database', `${server.uri}/shop_again`, '--create')).toMatch(/Restored .* into database shop_again .*shop_again\.orders {2}5,000 rows/s);
  const [again, shop] = [await contentOf(server.client, 'shop_again'), await contentOf(server.client, 'shop')];
  delete (shop as Record<string, unknown>)['large'];
  expect(again).toEqual(shop);
  expect(await desk.run('restore', 'latest:shop', '--to-database', `${server.uri}/shop_again`)).toMatchObject({ code: 1, stderr: expect.stringContaining('holds deep, empty, orders, values') });

  await desk.do('restore', 'latest:shop', '--to', 'dump', '--threads', '1');
  expect(readdirSync(desk.path('dump/shop')).sort()).toEqual(['deep', 'empty', 'orders', 'values'].flatMap((name) => [`${name}.bson`, `${name}.metadata.json`]));
  await desk.do('export', 'latest:shop', '--to', 'shop.tar');
  const exported = execFileSync('tar', ['-xOf', desk.path('shop.tar'), 'shop/orders.bson'], { maxBuffer: 1 << 26 });
  const raw = (await server.client.db('shop').collection('orders').find({}, { raw: true }).toArray()) as unknown as Buffer[];
  expect(exported.equals(Buffer.concat(raw))).toBe(true);
  expect(readFileSync(desk.path('dump/shop/orders.bson')).equals(exported)).toBe(true);
});

it('a password of MongoDB is in no output, no record and no error (S3)', async () => {
  const canary = 'canary-p@ss/word%41';
  const liar = await startHandMadeMongod({ shop: { orders: { documents: [Buffer.from([5, 0, 0, 0, 0])] } } });
  const uri = `${liar.uri}&authMechanism=PLAIN&authSource=$external`;
  const desk = new Desk({ SECRET: canary, WHOLE: uri.replace('://', `://u:${encodeURIComponent(canary)}@`) }, REAL_WORKERS);
  writeFileSync(desk.path('holdfast.yaml'), `
vaults: { main: { directory: vault, key-file: key } }
plans:
  apart: { source: { type: mongodb, uri: "${uri}", user: u, password: "\${env:SECRET}", databases: [shop] } }
  inside: { source: { type: mongodb, uri: "\${env:WHOLE}", databases: [shop] } }
`);
  const outputs = [await desk.do('init')];
  try {
    for (const plan of ['apart', 'inside']) outputs.push(await desk.do('backup', plan), await desk.do('show', `latest:${plan}`, '--json'));
    liar.rule = (name) => (name === 'saslStart' ? { ok: 0, code: 18, errmsg: `Authentication failed for ${canary} and ${encodeURIComponent(canary)}.` } : undefined);
    for (const plan of ['apart', 'inside']) {
      const refused = await desk.run('backup', plan);
      expect([refused.code === 0, refused.stderr]).toEqual([false, expect.stringContaining('does not let')]);
      outputs.push(refused.stdout, refused.stderr, (await desk.run('backup', plan, '--json')).stdout);
    }
    const given = await desk.run('restore', 'latest:apart', '--to-database', `mongodb://u:${encodeURIComponent(canary)}@a:1,b:2/x`);
    expect(given).toMatchObject({ code: 2, stderr: expect.stringContaining('holds a password') });
    outputs.push(given.stderr, given.stdout);
  } finally {
    await liar.stop();
  }
  const files = readdirSync(desk.path('vault'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => readFileSync(`${entry.parentPath}/${entry.name}`, 'latin1'));
  for (const text of [...outputs, ...files]) for (const secret of [canary, encodeURIComponent(canary)]) expect(text.includes(secret)).toBe(false);
});
