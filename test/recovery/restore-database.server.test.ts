import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../lib/model/clock.ts';
import { isHoldfastError } from '../../lib/model/errors.ts';
import { executeDatabaseRestore, planDatabaseRestore } from '../../lib/recovery/restore-database.ts';
import type { DatabaseRestoreOptions, DatabaseRestoreReport } from '../../lib/recovery/restore-database.ts';
import { SnapshotReader, names } from '../../lib/repository/index.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import type { LoadRequest } from '../../lib/sources/database-loader.ts';
import { PostgresLoader } from '../../lib/sources/postgres/loader.ts';
import { CommandSource } from '../../lib/sources/command.ts';
import { fromText } from '../../lib/model/byte-string.ts';
import { backUp, testRepository } from '../support/run-backup.ts';
import { OLDER_MAJOR, postgresBinaries, startBothPostgres, stopBothPostgres } from '../support/servers/postgres.ts';
import type { BothPostgres, PostgresVersion } from '../support/servers/postgres.ts';
import { connectionTo, descendants, sourceFor } from '../sources/postgres/dumps.ts';
import { fingerprint, makeRich } from '../sources/postgres/rich-database.ts';
import { failure } from '../sources/reading.ts';

/** Chunks small enough that an archive of some megabytes has many. */
const SIZES = { min: 65_536, avg: 131_072, max: 262_144 };
let folder: string;
let servers: BothPostgres;
const wanted: Partial<Record<PostgresVersion, Record<string, string>>> = {};
const backups: Partial<Record<PostgresVersion, SnapshotReader>> = {};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-restore-'));
  servers = await startBothPostgres();
  for (const version of [15, 18] as const) {
    await makeRich(servers[version], 'rich', 2000);
    await servers[version].sql('create table padding as select i, repeat(md5(i::text), 30) as filler from generate_series(1, 8000) i', { database: 'rich' });
    wanted[version] = await fingerprint(servers[version], 'rich');
    backups[version] = await backupOf(version);
  }
});
afterAll(async () => {
  await stopBothPostgres(servers);
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => {
  expect(readdirSync(folder)).toEqual([]);
});

describe.each([15, 18] as const)('restoring into PostgreSQL %i (R1)', (version) => {
  it('a new database is equal to what was backed up: rows, sequences, definitions, large objects', async () => {
    const report = await restore(version, { name: 'created', mode: 'create' });
    expect(await fingerprint(servers[version], 'created')).toEqual(wanted[version]);
    expect(report.tables).toContainEqual({ schema: 'public', table: 'person', rows: 2002 });
    expect(report.tables).toContainEqual({ schema: 'Lager Süd', table: 'Artikel "A"', rows: 500 });
    expect(report).toMatchObject({ mode: 'create', entry: 'rich.dump', warnings: [], database: expect.stringMatching(/^database created at 127/) });
    expect(await unfinished(version)).toEqual([]);
  });

  it('an empty database is filled, and nothing is restored into one that holds something', async () => {
    await servers[version].sql('create database filled');
    await restore(version, { name: 'filled', mode: 'empty' });
    expect(await fingerprint(servers[version], 'filled')).toEqual(wanted[version]);
    const error = await failure(restore(version, { name: 'filled', mode: 'empty' }));
    expect(error).toMatchObject({ code: 'target-exists', message: expect.stringMatching(/holds \d+ objects \(.*wanted an empty one\. Nothing was done/), nextStep: expect.stringMatching(/--create.*--clean/) });
    expect(await failure(restore(version, { name: 'filled', mode: 'create' }))).toMatchObject({ code: 'target-exists', message: expect.stringMatching(/is there already, wanted a new one/) });
  });

  it.each(['create function f() returns int language sql as $$select 1$$', "create type t as enum ('a')", 'create schema s', "select lo_from_bytea(7, 'x')"])('a database that holds no table but `%s` is not empty', async (statement) => {
    await servers[version].sql('drop database if exists odd');
    await servers[version].sql('create database odd');
    await servers[version].sql(statement, { database: 'odd' });
    expect(await failure(restore(version, { name: 'odd', mode: 'empty' }))).toMatchObject({ code: 'target-exists', message: expect.stringMatching(/holds 1 objects/) });
  });

  it('with clean what the backup has is replaced, what else is there stays and is named', async () => {
    await servers[version].sql('create database cleaned template rich');
    await servers[version].sql("update person set name = 'changed ' || id; delete from padding; drop function double; create table mine as select 1 as one", { database: 'cleaned' });
    const report = await restore(version, { name: 'cleaned', mode: 'clean' });
    expect(report.warnings).toEqual(['the table public.mine is not in the backup and was left as it is']);
    await servers[version].sql('drop table mine', { database: 'cleaned' });
    expect(await fingerprint(servers[version], 'cleaned')).toEqual(wanted[version]);
  });

  it('a restore that fails changes nothing: not with clean, and no new database appears', async () => {
    await servers[version].sql('create database kept template rich');
    // It depends on a table that the backup wants to replace.
    await servers[version].sql('create view mine as select * from padding', { database: 'kept' });
    const before = await fingerprint(servers[version], 'kept');
    expect(await failure(restore(version, { name: 'kept', mode: 'clean' }))).toMatchObject({ code: 'target-failed', message: expect.stringMatching(/depends on table public\.padding.*Nothing of it was kept/s) });
    expect(await fingerprint(servers[version], 'kept')).toEqual(before);
    await servers[version].sql("create role poor login password 'poor' createdb");
    const poor = { user: 'poor', password: 'poor' };
    expect(await failure(restore(version, { name: 'denied', mode: 'create', ...poor }))).toMatchObject({ code: 'permission', message: expect.not.stringMatching(/7f3a/), nextStep: expect.stringMatching(/--no-owner/) });
    expect(await unfinished(version)).toEqual([]);
    expect(await restore(version, { name: 'allowed', mode: 'create', isWithoutOwners: true, ...poor })).toMatchObject({ warnings: ['owners and privileges are not restored'] });
    expect(await servers[version].sql("select pg_get_userbyid(relowner) as owner from pg_class where relname = 'person'", { database: 'allowed' })).toEqual([{ owner: 'poor' }]);
  });

  it.each(['create', 'empty'] as const)('stopped half way (%s), nothing half is left', async (mode) => {
    if (mode === 'empty') await servers[version].sql('create database stopped');
    const stop = new AbortController();
    const error = await failure(restore(version, { name: 'stopped', mode, signal: stop.signal, onProgress: ({ bytes }) => bytes > 2_000_000 && stop.abort() }));
    expect(error).toMatchObject({ code: 'interrupted' });
    expect(await unfinished(version)).toEqual([]);
    if (mode === 'empty') expect(await servers[version].sql("select relname from pg_class where relnamespace = 'public'::regnamespace", { database: 'stopped' })).toEqual([]);
    expect(await servers[version].sql("select datname from pg_database where datname = 'stopped'")).toHaveLength(mode === 'empty' ? 1 : 0);
    expect(descendants().filter(({ name }) => ['pg_restore', 'psql'].includes(name))).toEqual([]);
  });

  it('pg_restore killed half way leaves no database', async () => {
    let isDone = false;
    const error = await failure(restore(version, { name: 'murdered', mode: 'create', onProgress: ({ bytes }) => {
      if (bytes < 2_000_000 || isDone) return;
      isDone = true;
      for (const { pid, name } of descendants()) if (name === 'pg_restore') process.kill(pid, 'SIGKILL');
    } }));
    expect(error).toMatchObject({ code: 'target-failed', message: expect.stringMatching(/pg_restore was killed by SIGKILL/) });
    expect(await unfinished(version)).toEqual([]);
  });

  it('a wrong password, a missing database and an unknown entry are named before anything is done', async () => {
    expect(await failure(restore(version, { name: 'rich', mode: 'clean', password: 'wrong' }))).toMatchObject({ message: expect.stringMatching(/does not let user holdfast in/) });
    expect(await failure(restore(version, { name: 'nowhere', mode: 'empty' }))).toMatchObject({ message: expect.stringMatching(/has no database nowhere/) });
    expect(await failure(restore(version, { name: 'x', mode: 'create', entry: 'other.dump' }))).toMatchObject({ code: 'not-found', message: expect.stringMatching(/has no file other\.dump/) });
  });

  it('a role that owns something and is not there is named first', async () => {
    const server = servers[version];
    await server.sql('create role gone');
    await server.sql('create database owned owner gone');
    await server.sql('create table t as select 1 as i; alter table t owner to gone', { database: 'owned' });
    const reader = await backupOf(version, 'owned');
    await server.sql('drop database owned');
    await server.sql('drop role gone');
    expect(await failure(restore(version, { name: 'again', mode: 'create' }, reader))).toMatchObject({ code: 'target-failed', message: expect.stringMatching(/does not have the roles .*: gone\. Nothing was done/), nextStep: expect.stringMatching(/--no-owner/) });
    expect(await restore(version, { name: 'again', mode: 'create', isWithoutOwners: true }, reader)).toMatchObject({ tables: [{ schema: 'public', table: 't', rows: 1 }] });
  });
});

describe('versions', () => {
  it('an archive of a newer pg_dump is refused by its header', async () => {
    const error = await failure(plan(15, { name: 'x', mode: 'create' }, backups[18]));
    expect(error).toMatchObject({ code: 'refused', message: expect.stringMatching(new RegExp(`written by a pg_dump newer than .*pg_restore ${OLDER_MAJOR}`)) });
  });

  it.each(['create', 'empty', 'clean'] as const)('programs of 18 restore into a server of 15, which knows fewer settings (%s)', async (mode) => {
    const reader = await backupOf(15, 'rich', 18);
    await servers[15].sql('drop database if exists mixed');
    if (mode !== 'create') await servers[15].sql(`create database mixed ${mode === 'clean' ? 'template rich' : ''}`);
    await restore(15, { name: 'mixed', mode, binaries: postgresBinaries(18) }, reader);
    expect(await fingerprint(servers[15], 'mixed')).toEqual(wanted[15]);
    expect(await unfinished(15)).toEqual([]);
  });

  it('a failure of the mixed way changes nothing either', async () => {
    const reader = await backupOf(15, 'rich', 18);
    await servers[15].sql('create database mixed_kept template rich');
    await servers[15].sql('create view mine as select * from padding', { database: 'mixed_kept' });
    const before = await fingerprint(servers[15], 'mixed_kept');
    expect(await failure(restore(15, { name: 'mixed_kept', mode: 'clean', binaries: postgresBinaries(18) }, reader))).toMatchObject({ code: 'target-failed', message: expect.stringMatching(/depends on table/) });
    const stop = new AbortController();
    await servers[15].sql('create database mixed_stopped');
    expect(await failure(restore(15, { name: 'mixed_stopped', mode: 'empty', binaries: postgresBinaries(18), signal: stop.signal, onProgress: ({ bytes }) => bytes > 2_000_000 && stop.abort() }, reader))).toMatchObject({ code: 'interrupted' });
    expect(await fingerprint(servers[15], 'mixed_kept')).toEqual(before);
    expect(await servers[15].sql("select relname from pg_class where relnamespace = 'public'::regnamespace", { database: 'mixed_stopped' })).toEqual([]);
  });

  it('an older archive goes into a newer server', async () => {
    const report = await restore(18, { name: 'from_15', mode: 'create' }, backups[15]);
    expect(report.tables).toContainEqual({ schema: 'public', table: 'person', rows: 2002 });
  });

  it('an extension that the server does not have is named first', async () => {
    await servers[18].sql('create database clever');
    await servers[18].sql('create extension vector; create table v (v vector(2))', { database: 'clever' });
    const reader = await backupOf(18, 'clever');
    expect(await failure(restore(15, { name: 'x', mode: 'create', binaries: postgresBinaries(18) }, reader))).toMatchObject({ code: 'unsupported', message: expect.stringMatching(/does not have the extensions that the backup needs: vector\. Nothing was done/) });
  });

  it('an entry that is no archive is refused', async () => {
    const source = new CommandSource({ command: 'echo create table t', name: fromText('plain.dump'), minimumBytes: 1, environment: process.env, temporaryFolder: folder, clock: systemClock });
    const repository = testRepository(new MemoryStore(systemClock));
    const { manifest } = await backUp(repository, source);
    const reader = await SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup));
    expect(await failure(restore(15, { name: 'x', mode: 'create' }, reader))).toMatchObject({ code: 'refused', message: expect.stringMatching(/is no PostgreSQL archive in custom format: it begins with "creat"/) });
  });
});

type Wanted = LoadRequest & Partial<DatabaseRestoreOptions> & { readonly name: string; readonly user?: string; readonly password?: string; readonly binaries?: string };

async function restore(version: PostgresVersion, wish: Wanted, reader?: SnapshotReader) {
  const [report, ...others] = await executeDatabaseRestore(await plan(version, wish, reader), { clock: systemClock, signal: new AbortController().signal, ...wish });
  expect(others).toEqual([]);
  return report as DatabaseRestoreReport;
}

function plan(version: PostgresVersion, { name, user, password, binaries = servers[version].binaries, signal = new AbortController().signal, ...wanted }: Wanted, reader = backups[version] as SnapshotReader) {
  const connection = { ...connectionTo(servers[version], name), ...(user && { user }), ...(password && { password }) };
  const loader = new PostgresLoader({ connection, binaries, environment: process.env, temporaryFolder: folder, scratchFolder: folder, clock: systemClock });
  return planDatabaseRestore(reader, loader, { wanted, signal });
}

async function backupOf(version: PostgresVersion, database = 'rich', client: PostgresVersion = version): Promise<SnapshotReader> {
  const repository = testRepository(new MemoryStore(systemClock), { files: SIZES, streams: SIZES });
  const { manifest } = await backUp(repository, sourceFor(servers[version], folder, { connection: { database }, binaries: postgresBinaries(client) })).catch((error: unknown) => {
    throw isHoldfastError(error) ? new Error(`${error.message} ${String(error.cause)}`) : error;
  });
  return SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup));
}

/** Databases under a name that only unfinished restores have. */
function unfinished(version: PostgresVersion) {
  return servers[version].sql("select datname from pg_database where datname like 'holdfast\\_restore%'");
}
