import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { systemClock } from '../../../lib/model/clock.ts';
import { executeDatabaseRestore, planDatabaseRestore } from '../../../lib/recovery/restore-database.ts';
import { SnapshotReader, names } from '../../../lib/repository/index.ts';
import { PostgresLoader } from '../../../lib/sources/postgres/loader.ts';
import { MemoryStore } from '../../../lib/stores/memory-store.ts';
import { repeating } from '../../support/repeating.ts';
import { backUp, testRepository } from '../../support/run-backup.ts';
import { startBothPostgres, stopBothPostgres } from '../../support/servers/postgres.ts';
import type { BothPostgres, PostgresServer } from '../../support/servers/postgres.ts';
import { AWKWARD, awkwardFingerprint } from './awkward-database.ts';
import { connectionTo, sourceFor } from './dumps.ts';
import { makeRich } from './rich-database.ts';

/** The long form, 1,000 tables by every way: `ROUND_TRIP_TABLES=1000 npm run jest -- test/sources/postgres/round-trip`. */
const LONG = process.env['ROUND_TRIP_TABLES'];
const TABLES = Number(LONG ?? 100);
const WAYS = [[15, 1], [18, 3], ...(LONG === undefined ? [] : [[15, 3], [18, 1]] as const)] as const;
let folder: string;
let servers: BothPostgres;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-round-trip-'));
  // Every table of a dump is locked by pg_dump, its workers and the session that counts.
  servers = await startBothPostgres(['max_locks_per_transaction = 512']);
});
afterAll(async () => {
  await stopBothPostgres(servers);
  rmSync(folder, { recursive: true, force: true });
});

it.each(WAYS)('PostgreSQL %i, %i jobs: every awkward thing comes back as it was in the snapshot of the dump, while others write (S1, R1)', async (version, jobs) => {
  const server = servers[version];
  const database = `awkward_${jobs}`;
  await makeRich(server, database, 500);
  const available = (await server.sql<{ name: string }>("select name from pg_available_extensions where name in ('citext', 'hstore', 'pg_trgm', 'vector', 'btree_gist', 'uuid-ossp')")).map(({ name }) => name);
  for (const name of available) await server.sql(`create extension "${name}"`, { database });
  await server.sql(AWKWARD.replaceAll('$TABLES', String(TABLES)), { database });

  const writer = startWriter(server, database);
  const seen = lookThrough(server, database);
  const repository = testRepository(new MemoryStore(systemClock));
  const { manifest } = await backUp(repository, sourceFor(server, folder, { connection: connectionTo(server, database), jobs, scratchFolder: join(folder, 'scratch') }));
  const written = await writer.stop();
  const wanted = await seen;
  expect(written).toBeGreaterThan(0);
  const now = await look(server, database);
  expect(now['r public.ledger'] ?? now['r ledger']).not.toEqual(wanted['r public.ledger'] ?? wanted['r ledger']);

  await server.sql(`drop database ${database} with (force)`);
  const reader = await SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup));
  const loader = new PostgresLoader({ connection: connectionTo(server, database), binaries: server.binaries, environment: process.env, temporaryFolder: folder, scratchFolder: join(folder, 'scratch'), clock: systemClock });
  const { signal } = new AbortController();
  const [report] = await executeDatabaseRestore(await planDatabaseRestore(reader, loader, { wanted: { mode: 'create', jobs }, signal }), { clock: systemClock, signal });
  expect(report?.warnings).toEqual([]);
  expect(report?.tables.filter(({ schema }) => schema === 'many')).toHaveLength(TABLES);
  const found = await look(server, database);
  expect(Object.keys(found).length).toBeGreaterThan(150 + TABLES);
  expect(found).toEqual(wanted);
  // It goes on working: sequences, generated columns, deferred keys, triggers.
  await server.sql(`begin; insert into hen values (1000, 1000); insert into egg values (1000, 1000); commit; insert into person (name) values ('after')`, { database });
}, LONG === undefined ? 180_000 : 1_800_000);

/** Adds, changes and removes rows, some in transactions over several tables, until it is stopped. */
function startWriter(server: PostgresServer, database: string): ReturnType<typeof repeating> {
  return repeating((count) => {
    const nr = 100_000 + count;
    return server.sql(`begin; insert into ledger values (${nr}, 'new', 1); update ledger set amount = amount - 1, words = words || '!' where nr = ${nr % 200}; delete from ledger where nr = ${nr - 50} and nr >= 100000; insert into hen values (${nr}, ${nr}); insert into egg values (${nr}, ${nr}); commit`, { database });
  });
}

/** Waits for the snapshot that the backup exports, takes it over, and looks through it. */
async function lookThrough(server: PostgresServer, database: string): Promise<Record<string, string>> {
  for (;;) {
    const [found] = await server.sql<{ id: string }>("select pg_ls_dir('pg_snapshots') as id");
    if (found !== undefined) return look(server, database, `begin isolation level repeatable read; set transaction snapshot '${found.id}'`);
  }
}

async function look(server: PostgresServer, database: string, first = 'begin'): Promise<Record<string, string>> {
  const { host, port, user, password } = server;
  const client = new Client({ host, port, user, password, database });
  await client.connect();
  try {
    await client.query(first);
    return await awkwardFingerprint(async (text) => (await client.query(text)).rows, server, database);
  } finally {
    await client.end();
  }
}
