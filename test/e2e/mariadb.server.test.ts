import { writeFileSync } from 'node:fs';
import { startMariadb } from '../support/servers/mariadb.ts';
import type { MariadbServer } from '../support/servers/mariadb.ts';
import { Person } from './program.ts';

let server: MariadbServer;
beforeAll(async () => {
  server = await startMariadb();
}, 60_000);
afterAll(() => server?.stop());

it('MariaDB: backed up, dropped and restored with the program, every row equal, and nobody saw the password (S11, R1)', async () => {
  const person = new Person({ SHOP_PASSWORD: server.password, HOLDFAST_DATABASE_PASSWORD: server.password });
  writeFileSync(person.path('work', 'holdfast.yaml'), `vaults: { v: { directory: ../vault, key-file: ../key } }\nplans:\n  shop:\n    source: { type: mariadb, host: 127.0.0.1, port: ${server.port}, database: shop, user: holdfast, password: "\${env:SHOP_PASSWORD}" }\n    hooks: { before: "env | grep -c 'pass#w' || true" }\n`);
  await server.sql("create database shop; use shop; create table item (id int primary key, name varchar(50)); insert into item select seq, concat('item ', seq, ' ü') from seq_1_to_5000; create view named as select name from item");
  await person.do(['init', '--no-yaml', '--vault', '../vault', '--key-file', '../key']);
  expect((await person.run(['doctor', '--json'])).stdout).toMatch(/MariaDB 10\.11\.\d+ \(.*mariadb-dump\) for plan shop/);
  const backup = await person.do(['backup', 'shop']);
  expect(backup.stdout).toMatch(/server MariaDB 10\.11\.\d+, mariadb-dump 10\.11\.\d+ exit code 0, "-- Dump completed" seen/);
  expect(backup.stderr).toContain('It said: 0');

  const url = (database: string) => `mysql://holdfast@127.0.0.1:${server.port}/${database}`;
  const before = await server.sql('checksum table shop.item');
  expect((await person.do(['restore', 'latest:shop', '--to-database', url('copy'), '--create', '--dry-run'])).stdout).toMatch(/^Nothing was done\. shop\.sql .* would go into a new database copy at 127\.0\.0\.1/);
  expect((await person.run(['restore', 'latest:shop', '--to-database', url('shop')])).stderr).toMatch(/holds table item, view named, wanted an empty one\. Nothing was done/);
  await server.sql('drop database shop');
  const restored = await person.json<{ tables: { table: string; rows: number }[] }>(['restore', 'latest:shop', '--to-database', url('shop'), '--create']);
  expect(restored[0]?.tables).toEqual([{ schema: 'shop', table: 'item', rows: 5000 }]);
  expect(await server.sql('checksum table shop.item')).toEqual(before);
  expect((await server.sql('select count(*) from shop.named'))[0]).toEqual(['5000']);

  await server.sql('create database one; create table one.other (i int)', 'mysql');
  await person.do(['restore', 'latest:shop', '--to-database', url('one'), '--table', 'item']);
  expect(await server.sql('show tables', 'one')).toEqual([['item'], ['other']]);

  // By hand, with nothing of ours.
  await server.sql('create database by_hand', 'mysql');
  await server.sql((await person.do(['cat', 'latest:shop', 'shop.sql'])).stdout, 'by_hand');
  expect((await server.sql('checksum table by_hand.item'))[0]?.[1]).toBe(before[0]?.[1]);
  expect((await person.run(['restore', 'latest:shop', '--to-database', url('shop').replace('holdfast@', 'holdfast:geheim-1@')])).stderr).not.toContain('geheim-1');
  expect(person.said).not.toContain('rd-9e2c');
}, 120_000);
