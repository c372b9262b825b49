import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../lib/model/clock.ts';
import { executeDatabaseRestore, planDatabaseRestore } from '../../../lib/recovery/restore-database.ts';
import { SnapshotReader, names } from '../../../lib/repository/index.ts';
import type { LoadRequest } from '../../../lib/sources/database-loader.ts';
import type { PostgresOptions } from '../../../lib/sources/postgres.ts';
import { PostgresLoader } from '../../../lib/sources/postgres/loader.ts';
import { MemoryStore } from '../../../lib/stores/memory-store.ts';
import { backUp, testRepository } from '../../support/run-backup.ts';
import { startBothPostgres, startPostgres, stopBothPostgres } from '../../support/servers/postgres.ts';
import type { BothPostgres, PostgresServer } from '../../support/servers/postgres.ts';
import { failure } from '../reading.ts';
import { connectionTo, sourceFor } from './dumps.ts';
import { fingerprint, makeRich } from './rich-database.ts';

const SIZES = { min: 65_536, avg: 131_072, max: 262_144 };
let folder: string;
let servers: BothPostgres;
const wanted: Partial<Record<15 | 18, Record<string, string>>> = {};
const backups: Partial<Record<15 | 18, { readonly custom: SnapshotReader; readonly directory: SnapshotReader }>> = {};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-loader-'));
  servers = await startBothPostgres();
  for (const version of [15, 18] as const) {
    await servers[version].sql('create role "Lager Leiter"; create role reader');
    await makeRich(servers[version], 'rich', 1000);
    await servers[version].sql(`grant select on person to reader; alter table "Lager Süd"."Artikel ""A""" owner to "Lager Leiter"`, { database: 'rich' });
    wanted[version] = await fingerprint(servers[version], 'rich');
    backups[version] = { custom: await backupOf(version, {}), directory: await backupOf(version, { jobs: 3 }) };
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
  it.each([['directory', 'create', 4], ['directory', 'create', 1], ['directory', 'empty', 1], ['custom', 'create', 4]] as const)('the %s format, %s, by %i connections: equal to what was backed up', async (format, mode, jobs) => {
    const database = `again_${format}_${mode}_${jobs}`;
    if (mode === 'empty') await servers[version].sql(`create database ${database}`);
    const [report] = await restore(version, database, { mode, jobs }, backups[version]?.[format]);
    expect(await fingerprint(servers[version], database)).toEqual(wanted[version]);
    expect(report).toMatchObject({ entry: format === 'directory' ? 'rich/' : 'rich.dump', warnings: [] });
    expect(report?.tables).toContainEqual({ schema: 'public', table: 'person', rows: 1002 });
  });

  it('several connections cannot keep their promise for a database that is there, and are refused', async () => {
    expect(await failure(restore(version, 'rich', { mode: 'empty', jobs: 2 }))).toMatchObject({ code: 'usage', message: expect.stringMatching(/cannot share the one transaction/) });
  });

  it('a chosen table comes with its rows, indexes, sequence, types and privileges, and nothing else', async () => {
    const [report] = await restore(version, 'one_table', { mode: 'create', tables: ['person'] });
    expect(report?.tables).toEqual([{ schema: 'public', table: 'person', rows: 1002 }]);
    const found = await fingerprint(servers[version], 'one_table');
    for (const name of ['r person', 'S person_id_seq', 'index person_data', 'index person_name', 'constraint person_pkey', 'column person.mood', 'comment']) expect({ name, value: found[name] ?? found[`${name.slice(0, 2)}public.${name.slice(2)}`] }).toEqual({ name, value: wanted[version]?.[name] ?? wanted[version]?.[`${name.slice(0, 2)}public.${name.slice(2)}`] });
    expect(Object.keys(found).filter((name) => /Artikel|event|happy|ticket/.test(name))).toEqual([]);
    expect(await servers[version].sql("select has_table_privilege('reader', 'person', 'select') as may", { database: 'one_table' })).toEqual([{ may: true }]);
  });

  it('a table is put back into the database that lost it: its type is there already, its name is not', async () => {
    await servers[version].sql('create database lost template rich');
    await servers[version].sql('drop table person cascade', { database: 'lost' });
    const [report] = await restore(version, 'lost', { mode: 'empty', tables: ['public.person'] }, backups[version]?.directory);
    expect(report?.tables).toEqual([{ schema: 'public', table: 'person', rows: 1002 }]);
    expect(await failure(restore(version, 'lost', { mode: 'empty', tables: ['public.person'] }))).toMatchObject({ code: 'target-exists', message: expect.stringMatching(/has 1 of the chosen tables already \(public\.person\)\. Nothing was done/) });
    await servers[version].sql('delete from person where id > 10', { database: 'lost' });
    expect((await restore(version, 'lost', { mode: 'clean', tables: ['public.person'] }))[0]?.tables).toEqual([{ schema: 'public', table: 'person', rows: 1002 }]);
  });

  it('a partitioned table comes with its partitions, and a foreign key without its table is left out by name', async () => {
    const [report] = await restore(version, 'parts', { mode: 'create', tables: ['event', '"Lager Süd".*'] });
    expect(report?.tables.map(({ table, rows }) => [table, rows])).toEqual([['Artikel "A"', 500], ['event_2025', expect.any(Number)], ['event_rest', expect.any(Number)]]);
    expect((report?.tables ?? []).slice(1).reduce((sum, { rows }) => sum + rows, 0)).toBe(5000);
    expect(report?.warnings).toEqual([expect.stringMatching(/^foreign key Artikel "A" Artikel "A"_owner_fkey is left out: it needs a table that is not chosen$/)]);
    expect(await servers[version].sql('select count(*)::int as count from event', { database: 'parts' })).toEqual([{ count: 5000 }]);
  });

  it('a chosen schema, and names that nothing has', async () => {
    const [report] = await restore(version, 'one_schema', { mode: 'create', schemas: ['Lager*'] });
    expect(report?.tables).toEqual([{ schema: 'Lager Süd', table: 'Artikel "A"', rows: 500 }]);
    expect(await failure(restore(version, 'x', { mode: 'create', tables: ['persons'] }))).toMatchObject({ code: 'not-found', message: expect.stringMatching(/has no table persons\. It has .*public\.person/) });
    expect(await failure(restore(version, 'x', { mode: 'create', schemas: ['nowhere'] }))).toMatchObject({ code: 'not-found', message: expect.stringMatching(/has no schema nowhere\. It has /) });
  });

  it('a restored database is compared with the rows that were counted when it was dumped (R8)', async () => {
    const reader = backups[version]?.custom as SnapshotReader;
    const evidence = reader.manifest.evidence?.map((one) => ({ ...one, tables: one.tables?.map((table) => (table.table === 'person' ? { ...table, rows: 7 } : table)) }));
    const manifest = { ...reader.manifest, evidence };
    const lying = new Proxy(reader, { get: (target, name) => {
      const value: unknown = name === 'manifest' ? manifest : Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    } });
    expect(await failure(restore(version, 'compared', { mode: 'create' }, lying))).toMatchObject({ code: 'damaged', message: expect.stringMatching(/is not what was backed up: the table public\.person has 1002 rows, 7 were counted when it was backed up\. It was dropped/) });
    expect(await servers[version].sql("select datname from pg_database where datname = 'compared' or datname like 'holdfast_restore%'")).toEqual([]);
    await servers[version].sql('create database compared');
    expect((await restore(version, 'compared', { mode: 'empty' }, lying))[0]?.warnings).toEqual(['the table public.person has 1002 rows, 7 were counted when it was backed up']);
  });

  it('a role to which something is granted and that is not there is named before anything is done', async () => {
    await servers[version].sql('create role passing');
    await servers[version].sql('create database granted');
    await servers[version].sql('create table t as select 1 as i; grant select on t to passing with grant option', { database: 'granted' });
    const reader = await backupOf(version, { connection: connectionTo(servers[version], 'granted') });
    await servers[version].sql('drop database granted');
    await servers[version].sql('drop role passing');
    expect(await failure(restore(version, 'granted', { mode: 'create' }, reader))).toMatchObject({ code: 'target-failed', message: expect.stringMatching(/roles that own parts of the backup, or are granted some: passing\. Nothing was done/) });
  });
});

describe('a whole server (R1)', () => {
  it.each([['custom', 1], ['directory', 2]] as const)('roles and every database in %s format, into an empty server of a newer version', async (_format, jobs) => {
    await servers[15].sql('drop database if exists second');
    await servers[15].sql(`drop role if exists "O'Malley"; create role "O'Malley" login password 'secret-word' in role reader; comment on role "O'Malley" is E'two\nlines; and a ''quote'''`);
    await servers[15].sql(`create database second owner "O'Malley"`);
    await servers[15].sql(`alter database second set work_mem = '7MB'; alter role reader in database second set work_mem = '8MB'; revoke connect on database second from public; grant connect on database second to reader`);
    await servers[15].sql('create table t as select 1 as i', { database: 'second' });
    const reader = await backupOf(15, { databases: ['rich', 'second'], globals: 'with-passwords', jobs });
    const fresh = await startPostgres({ version: 18 });
    try {
      const reports = await restoreServer(fresh, reader, { mode: 'create', jobs });
      expect(reports.map(({ entry }) => entry)).toEqual(['globals.sql', ...(jobs === 1 ? ['rich.dump', 'second.dump'] : ['rich/', 'second/'])]);
      expect(reports[0]?.warnings).toEqual(['roles that are there already were left as they are: holdfast']);
      expect(without18(await fingerprint(fresh, 'rich'))).toEqual(without18(wanted[15] ?? {}));
      expect(await fresh.sql(`select rolcanlogin, rolpassword ~ '^SCRAM' as hashed, shobj_description(oid, 'pg_authid') as words, pg_has_role(oid, 'reader', 'member') as member from pg_authid where rolname = $1`, { values: ["O'Malley"] })).toEqual([{ rolcanlogin: true, hashed: true, words: "two\nlines; and a 'quote'", member: true }]);
      expect(await fresh.sql("select pg_get_userbyid(datdba) as owner, datacl::text as may, (select string_agg(setconfig::text, ' ' order by setconfig) from pg_db_role_setting where setdatabase = d.oid) as settings from pg_database d where datname = 'second'")).toEqual([
        { owner: "O'Malley", may: expect.stringMatching(/reader=c/), settings: '{work_mem=7MB} {work_mem=8MB}' },
      ]);
      expect(await fresh.sql("select has_database_privilege('Lager Leiter', 'second', 'connect') as may")).toEqual([{ may: false }]);
      // Again: everything is there, so nothing is done.
      expect(await failure(restoreServer(fresh, reader, { mode: 'empty' }))).toMatchObject({ code: 'target-exists', message: expect.stringMatching(/database rich at .* holds \d+ objects/) });
    } finally {
      await fresh.stop();
    }
  });

  it('a database that fails is named, and so are those that stand', async () => {
    await servers[15].sql('drop database if exists second');
    await servers[15].sql('create database second');
    const reader = await backupOf(15, { databases: ['rich', 'second'] });
    const fresh = await startPostgres({ version: 15 });
    try {
      await fresh.sql('create role "Lager Leiter"; create role reader');
      const plan = await planDatabaseRestore(reader, loaderFor(fresh, ''), { wanted: { mode: 'create' }, signal: new AbortController().signal });
      await fresh.sql('create database second');
      expect(await failure(executeDatabaseRestore(plan, { clock: systemClock, signal: new AbortController().signal }))).toMatchObject({ code: 'target-exists', message: expect.stringMatching(/Somebody made a database second .* Restored before it, and there now: database rich at /) });
    } finally {
      await fresh.stop();
    }
  });
});

function loaderFor(server: PostgresServer, database: string): PostgresLoader {
  return new PostgresLoader({ connection: connectionTo(server, database), binaries: server.binaries, environment: process.env, temporaryFolder: folder, scratchFolder: folder, clock: systemClock });
}

async function restore(version: 15 | 18, database: string, request: LoadRequest, reader = backups[version]?.custom as SnapshotReader) {
  const { signal } = new AbortController();
  return executeDatabaseRestore(await planDatabaseRestore(reader, loaderFor(servers[version], database), { wanted: request, signal }), { clock: systemClock, signal });
}

async function restoreServer(server: PostgresServer, reader: SnapshotReader, request: LoadRequest) {
  const { signal } = new AbortController();
  return executeDatabaseRestore(await planDatabaseRestore(reader, loaderFor(server, ''), { wanted: request, signal }), { clock: systemClock, signal });
}

async function backupOf(version: 15 | 18, options: Partial<PostgresOptions>): Promise<SnapshotReader> {
  const repository = testRepository(new MemoryStore(systemClock), { files: SIZES, streams: SIZES });
  const { manifest } = await backUp(repository, sourceFor(servers[version], folder, { connection: connectionTo(servers[version], 'rich'), scratchFolder: folder, ...options }));
  return SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup));
}

/** From 18 on constraints say NOT NULL, too, and generated columns are named otherwise in definitions of functions. */
function without18(found: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(found).filter(([name]) => !/^constraint .*_not_null$/.test(name)));
}
