import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { startMongoStandIn } from '../support/servers/mongo-java.ts';
import type { MongoStandIn } from '../support/servers/mongo-java.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import type { PostgresServer } from '../support/servers/postgres.ts';
import { startRedis } from '../support/servers/redis.ts';
import type { RedisServer } from '../support/servers/redis.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { Person } from './program.ts';

interface Shown { readonly kind: string; readonly parts: readonly { readonly name: string; readonly startedAt: string; readonly finishedAt: string; readonly files: number }[] }

let postgres: PostgresServer;
let redis: RedisServer;
let mongo: MongoStandIn;
let person: Person;
let ledger: DatabaseSync;
beforeAll(async () => {
  [postgres, redis, mongo] = await Promise.all([startPostgres({ version: 18 }), startRedis(), startMongoStandIn()]);
  person = new Person({ HOLDFAST_POSTGRES_BIN: postgres.binaries, APP_PASSWORD: postgres.password, REDIS_PASSWORD: redis.password, HOLDFAST_DATABASE_PASSWORD: postgres.password });
  mkdirSync(person.path('work', 'uploads'));
  ledger = new DatabaseSync(person.path('work', 'ledger.db'));
  ledger.exec('pragma journal_mode = wal; create table marker (n integer)');
  await postgres.sql('create database app');
  await postgres.sql('create table marker (n integer)', { database: 'app' });
  writeConfig();
  await person.do(['init', '--no-yaml', '--vault', '../vault', '--key-file', '../key']);
}, 90_000);
afterAll(async () => {
  ledger?.close();
  await Promise.all([postgres?.stop(), redis?.stop(), mongo?.stop()]);
  expect(person?.said).not.toMatch(/rd-7c1f|7f3a/);
});

function writeConfig(): void {
  const db = `db: { type: postgres, host: 127.0.0.1, port: ${postgres.port}, database: app, user: holdfast, password: "\${env:APP_PASSWORD}" }`;
  const cache = `cache: { type: redis, host: 127.0.0.1, port: ${redis.port}, password: "\${env:REDIS_PASSWORD}" }`;
  const documents = `documents: { type: mongodb, uri: "${mongo.uri}", databases: [app] }`;
  const [sqlite, files] = ['ledger: { type: sqlite, path: ledger.db }', 'uploads: { type: files, paths: [uploads] }'];
  const gone = cache.replace(String(redis.port), '1');
  const halting = 'quiesce: "touch ../pause; while [ ! -e ../paused ]; do sleep 0.02; done", resume: "rm -f ../pause ../paused"';
  writeFileSync(person.path('work', 'holdfast.yaml'), `
vaults: { v: { directory: ../vault, key-file: ../key } }
plans:
  shop: { source: { type: set, parts: { ${db}, ${documents}, ${cache}, ${sqlite}, ${files} }, ${halting} } }
  forward: { source: { type: set, parts: { ${sqlite}, between: { type: command, command: "sleep 0.3; echo read", stdin-name: out }, ${files} } } }
  backward: { source: { type: set, parts: { ${files}, ${sqlite} } } }
  cluster: { source: { type: set, parts: { ${sqlite}, ${db.replace('db:', 'base:').replace('database: app', 'mode: physical')} } } }
  broken: { source: { type: set, parts: { ${db}, ${sqlite}, ${files}, ${gone} }, quiesce: "echo never > ../quiesced" } }
`);
}

/** Writes the same number everywhere, one place after another, until it is told to stop; stands still while it is told to. */
class Writer {
  #isOver = false;
  readonly #done: Promise<void>;
  written = 0;

  constructor(first: number) {
    this.written = first;
    this.#done = this.#write();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #write(): Promise<void> {
    while (!this.#isOver) {
      if (existsSync(person.path('pause'))) {
        writeFileSync(person.path('paused'), '');
        await sleep(5);
        continue;
      }
      const n = this.written + 1;
      await postgres.sql('insert into marker values ($1)', { database: 'app', values: [n] });
      await mongo.client.db('app').collection('marker').insertOne({ n });
      await redis.ask('SET', 'marker', String(n));
      ledger.prepare('insert into marker values (?)').run(n);
      appendFileSync(person.path('work', 'uploads', 'markers'), `${n}\n`);
      this.written = n;
    }
  }
}

/** The greatest marker of each part, in the order in which they are written, as they come out of a backup. */
async function allMarkers(plan: string): Promise<number[]> {
  const [folder, database] = [person.path(`restored-${plan}`), `restored_${plan}`];
  const last = await markers(plan);
  await person.do(['restore', `latest:${plan}`, '--part', 'db', '--to-database', `postgres://holdfast@127.0.0.1:${postgres.port}/${database}`, '--create']);
  const [row] = await postgres.sql<{ max: number }>('select max(n) from marker', { database });
  await person.do(['restore', `latest:${plan}`, '--part', 'documents', '--to-database', `${mongo.uri}/${database}`, '--create']);
  const [newest] = await mongo.client.db(database).collection('marker').find().sort({ n: -1 }).limit(1).toArray();
  const data = temporaryFolder();
  copyFileSync(`${folder}/cache/dump.rdb`, `${data}/dump.rdb`);
  const revived = await startRedis({ folder: data });
  const cached = Number((await revived.ask('GET', 'marker')) as Buffer);
  await revived.stop();
  return [row?.max ?? NaN, Number(newest?.['n']), cached, ...last];
}

/** Of the two that need no server. */
async function markers(plan: string): Promise<[sqlite: number, files: number]> {
  const folder = person.path(`restored-${plan}`);
  await person.do(['restore', `latest:${plan}`, '--to', folder]);
  const restored = new DatabaseSync(`${folder}/ledger/ledger.db`);
  const { max } = restored.prepare('select max(n) as max from marker').get() as { max: number };
  restored.close();
  return [max, Number(readFileSync(`${folder}/uploads/markers`, 'utf8').trim().split('\n').at(-1))];
}

describe('a snapshot of PostgreSQL, MongoDB, Redis, SQLite and files', () => {
  it('quiesced, holds the same marker in all of them while a writer writes; without it only reading in the opposite order never shows a marker later and not earlier (P4)', async () => {
    const writer = new Writer(0);
    while (writer.written < 20) await sleep(10);
    await person.do(['backup', 'shop']);
    // A file that grows while it is read is a warning.
    for (const plan of ['forward', 'backward']) expect([0, 3]).toContain((await person.run(['backup', plan])).code);
    await writer.stop();
    const [quiesced, forward, backward] = [await allMarkers('shop'), await markers('forward'), await markers('backward')];
    expect(quiesced).toEqual(Array(5).fill(quiesced[0]));
    expect(quiesced[0]).toBeGreaterThanOrEqual(20);
    expect(existsSync(person.path('pause'))).toBe(false);
    expect(backward[0]).toBeGreaterThanOrEqual(backward[1]);
    // That a backup could have shown it: read in the order of writing, without a standstill, it is there.
    expect(forward[1]).toBeGreaterThan(forward[0]);
    const [shown] = await person.json<Shown>(['show', 'latest:shop']);
    expect([shown?.kind, shown?.parts.map(({ name, files }) => [name, files])]).toEqual(['snapshot', [['db', 1], ['documents', 2], ['cache', 1], ['ledger', 1], ['uploads', 1]]]);
    expect((await person.do(['verify', '--level', 'full'])).stdout).toMatch(/3 of 3|3 backups/);
  }, 120_000);

  it('may hold a base backup, which becomes a data directory by itself, and is known to whoever keeps WAL (R4)', async () => {
    await person.do(['backup', 'cluster']);
    expect((await person.run(['restore', 'latest:cluster', '--to-data-directory', '../pg'])).stderr).toMatch(/wanted the name of one with --part: ledger \(sqlite\), base \(postgres-physical\)/);
    await person.do(['restore', 'latest:cluster', '--part', 'base', '--to-data-directory', '../pg']);
    expect(readFileSync(person.path('pg', 'PG_VERSION'), 'utf8')).toBe('18\n');
    const [shown] = await person.json<{ facts: { kind: string }; parts: { facts?: { kind: string } }[] }>(['show', 'latest:cluster']);
    expect([shown?.facts.kind, shown?.parts.map(({ facts }) => facts?.kind)]).toEqual(['postgres-base-backup', [undefined, 'postgres-base-backup']]);
  }, 60_000);

  it('in which one part fails is no backup: the reason names the part, exit code 1, and nothing was halted for it (P4)', async () => {
    const before = (await person.json<object>(['list'])).length;
    const ran = await person.run(['backup', 'broken']);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringMatching(/Part cache: .*127\.0\.0\.1:1\b/)]);
    expect([(await person.json<object>(['list'])).length, existsSync(person.path('quiesced'))]).toEqual([before, false]);
    expect((await person.json<{ state: string; error: { message: string } }>(['runs']))[0]).toMatchObject({ state: 'failed', error: { message: expect.stringMatching(/^Part cache: /) } });
  });
});
