import { writeFileSync } from 'node:fs';
import { startRedis } from '../support/servers/redis.ts';
import type { RedisServer } from '../support/servers/redis.ts';
import { Person } from './program.ts';

let server: RedisServer;
let other: RedisServer;
beforeAll(async () => {
  [server, other] = await Promise.all([startRedis(), startRedis()]);
}, 60_000);
afterAll(() => Promise.all([server, other].map((one) => one?.stop())));

it('Redis: backed up, restored key by key and into a directory with the program, and nobody saw the password (S4, R1)', async () => {
  const person = new Person({ CACHE_PASSWORD: server.password, HOLDFAST_DATABASE_PASSWORD: server.password });
  writeFileSync(person.path('work', 'holdfast.yaml'), `vaults: { v: { directory: ../vault, key-file: ../key } }\nplans:\n  cache: { source: { type: redis, host: 127.0.0.1, port: ${server.port}, password: "\${env:CACHE_PASSWORD}" } }\n`);
  await server.ask('EVAL', "for i = 1, 2000 do redis.call('SET', 'session:' .. i, redis.sha1hex(i), 'EX', 90000) end", '0');
  await server.ask('SELECT', '3');
  await server.ask('XADD', 'events', '5-1', 'kind', 'söld');
  await person.do(['init', '--no-yaml', '--vault', '../vault', '--key-file', '../key']);
  const backup = await person.do(['backup', 'cache']);
  expect(backup.stdout).toMatch(/server Redis 7\.0\.\d+, RDB version 10, .*the CRC64 at its end right, keys: db0 2000, db3 1/);

  const url = (place: RedisServer, path = '') => `redis://127.0.0.1:${place.port}${path}`;
  expect((await person.do(['restore', 'latest:cache', '--to-database', url(other), '--dry-run'])).stdout).toMatch(/^Nothing was done\. dump\.rdb .* would go into the keys at 127\.0\.0\.1:\d+ on server Redis 7/);
  expect(await other.ask('DBSIZE')).toBe(0);
  await other.ask('SET', 'session:7', 'mine');
  expect(await person.run(['restore', 'latest:cache', '--to-database', url(other)])).toMatchObject({ code: 1, stderr: expect.stringMatching(/1 name is taken .*: db0 session:7\. Nothing was done\.[^]*--keep-existing/) });
  const kept = await person.do(['restore', 'latest:cache', '--to-database', url(other), '--keep-existing']);
  expect(kept.stdout).toMatch(/Restored .* into all databases at 127\.0\.0\.1:\d+ as default: 2 databases, 2,000 keys, .*\n {2}db\.0 {2}1,999 keys\n {2}db\.3 {2}1 key\n {2}there already, and as they were: 1\n/);
  expect((await person.run(['restore', 'latest:cache', '--to-database', url(other, '/0'), '--clean'])).stderr).toMatch(/--yes/);
  const replaced = await person.json<{ tables: unknown }>(['restore', 'latest:cache', '--to-database', url(other, '/0'), '--table', 'session:7', '--clean', '--yes']);
  expect(replaced[0]?.tables).toEqual([{ schema: 'db', table: '0', rows: 1 }]);
  await server.ask('SELECT', '0');
  for (const command of ['GET', 'PEXPIRETIME']) expect(await other.ask(command, 'session:7')).toEqual(await server.ask(command, 'session:7'));

  await person.do(['restore', 'latest:cache', '--to-database', 'redis-directory:../stopped']);
  const started = await startRedis({ folder: person.path('stopped'), settings: ['--appendonly', 'yes'] });
  expect(await started.ask('DBSIZE')).toBe(2000);
  expect((await person.run(['restore', 'latest:cache', '--to-database', 'redis-directory:../stopped'])).stderr).toMatch(/has dump\.rdb and appendonlydir already\. Nothing was done/);
  await started.stop();
  expect((await person.run(['restore', 'latest:cache', '--to-database', 'redis://127.0.0.1/zero'])).stderr).toMatch(/wanted redis:\/\/USER@HOST:PORT\/NUMBER/);
  expect((await person.run(['restore', 'latest:cache', '--to-database', 'postgres://me@127.0.0.1/x', '--keep-existing'])).stderr).toMatch(/does not know --keep-existing/);
  expect(person.said).not.toContain('rd-7c1f');
}, 120_000);
