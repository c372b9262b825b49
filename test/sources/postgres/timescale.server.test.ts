import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../lib/model/clock.ts';
import { executeDatabaseRestore, planDatabaseRestore } from '../../../lib/recovery/restore-database.ts';
import { SnapshotReader, names } from '../../../lib/repository/index.ts';
import type { LoadRequest } from '../../../lib/sources/database-loader.ts';
import { PostgresLoader } from '../../../lib/sources/postgres/loader.ts';
import { MemoryStore } from '../../../lib/stores/memory-store.ts';
import { backUp, testRepository } from '../../support/run-backup.ts';
import { startPostgres } from '../../support/servers/postgres.ts';
import type { PostgresServer } from '../../support/servers/postgres.ts';
import { writeTimescaleStandin } from '../../support/servers/timescale-standin.ts';
import { failure } from '../reading.ts';
import { connectionTo, sourceFor } from './dumps.ts';

let folder: string;
let extensions: string;
let server: PostgresServer;
let reader: SnapshotReader;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-timescale-'));
  extensions = mkdtempSync(join(tmpdir(), 'holdfast-extensions-'));
  server = await startPostgres({ version: 18, settings: [writeTimescaleStandin(extensions)] });
  await server.sql('create database metrics');
  await server.sql(`create extension timescaledb version '2.98.0'; create table m (t timestamptz, v float); select create_hypertable('m'); insert into m select now(), i from generate_series(1, 200) i`, { database: 'metrics' });
  reader = await backupOf();
});
afterAll(async () => {
  await server?.stop();
  for (const one of [folder, extensions]) rmSync(one, { recursive: true, force: true });
});
afterEach(() => {
  expect(readdirSync(folder)).toEqual([]);
});

it('the version of the extension is kept with the backup', () => {
  expect(reader.manifest.evidence?.[0]?.versions).toMatchObject({ 'extension timescaledb': '2.98.0' });
});

it.each(['create', 'empty'] as const)('TimescaleDB is told before and after (%s), and gets the version of the backup (S1)', async (mode) => {
  if (mode === 'empty') await server.sql('create database told_empty');
  await restore(`told_${mode}`, { mode });
  const database = `told_${mode}`;
  expect(await server.sql('select name from _timescaledb_catalog.hypertable', { database })).toEqual([{ name: 'm' }]);
  expect(await server.sql('select what from _timescaledb_catalog.calls order by n', { database })).toEqual([{ what: 'pre_restore' }, { what: 'post_restore' }]);
  expect(await server.sql("select extversion from pg_extension where extname = 'timescaledb'", { database })).toEqual([{ extversion: '2.98.0' }]);
  expect(await settingsOf(database)).toEqual([]);
});

it('it is told that the restore is over after a failure, too, and nothing of it stays', async () => {
  await server.sql(`create function public.now_fails() returns event_trigger language plpgsql as $$ begin if tg_tag = 'CREATE TABLE' then raise exception 'no tables here'; end if; end $$; create event trigger no_tables on ddl_command_end when tag in ('CREATE TABLE') execute function public.now_fails()`, { database: 'template1' });
  await server.sql('create database failing template template1');
  await server.sql('drop event trigger no_tables; drop function public.now_fails()', { database: 'template1' });
  const error = await failure(restore('failing', { mode: 'clean' }));
  expect(error).toMatchObject({ message: expect.stringMatching(/no tables here/) });
  expect(await settingsOf('failing')).toEqual([]);
  expect(await server.sql("select 1 from pg_extension where extname = 'timescaledb'", { database: 'failing' })).toEqual([]);
});

it('another version on the server is refused with both, before anything is done', async () => {
  const other = await startPostgres({ version: 18 });
  try {
    expect(await failure(restore('x', { mode: 'create' }, undefined, other))).toMatchObject({ code: 'unsupported', message: expect.stringMatching(/extensions that the backup needs: timescaledb\. Nothing was done/) });
  } finally {
    await other.stop();
  }
  await server.sql('create database newer');
  await server.sql("create extension timescaledb version '2.99.0'", { database: 'newer' });
  expect(await failure(restore('newer', { mode: 'empty' }))).toMatchObject({ code: 'unsupported', message: expect.stringMatching(/is of TimescaleDB 2\.98\.0, and the server has 2\.99\.0/), nextStep: expect.stringMatching(/ALTER EXTENSION timescaledb UPDATE/) });
});

it('several connections are refused', async () => {
  expect(await failure(restore('x', { mode: 'create', jobs: 2 }))).toMatchObject({ code: 'usage', message: expect.stringMatching(/TimescaleDB/) });
});

function settingsOf(database: string) {
  return server.sql('select setconfig from pg_db_role_setting s join pg_database d on d.oid = setdatabase where datname = $1', { values: [database] });
}

async function restore(database: string, request: LoadRequest, signal = new AbortController().signal, target = server) {
  const loader = new PostgresLoader({ connection: connectionTo(target, database), binaries: target.binaries, environment: process.env, temporaryFolder: folder, scratchFolder: folder, clock: systemClock });
  return executeDatabaseRestore(await planDatabaseRestore(reader, loader, { wanted: request, signal }), { clock: systemClock, signal });
}

async function backupOf(): Promise<SnapshotReader> {
  const repository = testRepository(new MemoryStore(systemClock));
  const { manifest } = await backUp(repository, sourceFor(server, folder, { connection: connectionTo(server, 'metrics'), scratchFolder: folder }));
  return SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup));
}
