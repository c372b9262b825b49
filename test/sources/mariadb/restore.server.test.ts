import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../lib/model/clock.ts';
import { executeDatabaseRestore, planDatabaseRestore } from '../../../lib/recovery/restore-database.ts';
import { SnapshotReader, names } from '../../../lib/repository/index.ts';
import type { LoadRequest } from '../../../lib/sources/database-loader.ts';
import { MariadbLoader } from '../../../lib/sources/mariadb/loader.ts';
import type { MariadbLoaderOptions } from '../../../lib/sources/mariadb/loader.ts';
import { repeating } from '../../support/repeating.ts';
import { backUp, testRepository } from '../../support/run-backup.ts';
import { startMariadb } from '../../support/servers/mariadb.ts';
import type { MariadbServer } from '../../support/servers/mariadb.ts';
import { shellProgram } from '../../support/shell-program.ts';
import { leftBehindIn } from '../left-behind.ts';
import { failure } from '../reading.ts';
import { findSqlClient } from '../../../lib/sources/mariadb/client.ts';
import { openSqlConnection } from '../../../lib/sources/mariadb/connection.ts';
import { databaseNames } from '../../../lib/sources/mariadb/server.ts';
import { AWKWARD, MOVING } from './awkward.ts';
import { connectionTo, sourceFor } from './desk.ts';

let server: MariadbServer;
let folder: string;
let reader: SnapshotReader;
let made = 0;

beforeAll(async () => {
  server = await startMariadb();
  folder = mkdtempSync(join(tmpdir(), 'holdfast-sql-restore-'));
  await server.sql('create database app collate utf8mb4_unicode_ci; create database second; create table second.only (i int primary key); insert into second.only values (1)');
  await server.sql(AWKWARD, 'app');
  const repository = testRepository();
  const writer = repeating((i) => server.sql(`start transaction; insert into ledger (i) values (${i + 1}); update balance set last = ${i + 1}; commit`, 'app'));
  const { manifest } = await backUp(repository, sourceFor(server, folder, { databases: ['app', 'second'] }));
  await writer.stop();
  reader = await SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup));
}, 120_000);
afterAll(async () => {
  await server?.stop();
  expect(leftBehindIn(folder)).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

const loaderFor = (database: string, changes: Partial<MariadbLoaderOptions> = {}) => new MariadbLoader({ type: 'mariadb', connection: connectionTo(server), database, environment: process.env, temporaryFolder: folder, clock: systemClock, ...changes });
const fresh = () => `restored_${++made}`;

async function restore(database: string, wanted: Partial<LoadRequest> = {}, changes: Partial<MariadbLoaderOptions> = {}, signal = new AbortController().signal) {
  const plan = await planDatabaseRestore(reader, loaderFor(database, changes), { wanted: { mode: 'create', entry: 'app.sql', ...wanted }, signal });
  const [report] = await executeDatabaseRestore(plan, { clock: systemClock, signal });
  expect(await plan.loads[0]?.missingTables(signal)).toEqual([]);
  return { report: report as NonNullable<typeof report> };
}

/** Rows of every table as text, in the order of their keys. */
async function rowsOf(database: string): Promise<Record<string, unknown>> {
  const tables = (await server.sql(`select table_name from information_schema.tables where table_schema = '${database}' and table_type <> 'SEQUENCE' order by 1`)).map(([name]) => name as string);
  return Object.fromEntries(await Promise.all(tables.filter((name) => !MOVING.includes(name)).map(async (name) => [name, await server.sql(`select * from \`${name}\` order by 1`, database)])));
}

/** Everything that makes a database, as the server itself says it. */
function structureOf(database: string): string {
  const text = execFileSync('mariadb-dump', ['--no-defaults', `--socket=${server.socket}`, '--user=root', '--no-data', '--routines', '--events', '--triggers', '--skip-comments', '--skip-dump-date', database], { encoding: 'utf8' });
  return text.replaceAll(`\`${database}\``, '`DB`').replace(/ AUTO_INCREMENT=\d+/g, '');
}

const left = async () => (await server.sql('show databases')).map(([name = '']) => name).filter((name) => name.startsWith('holdfast_restore'));

describe('a MariaDB restore (S11, R1)', () => {
  afterEach(async () => expect(await left()).toEqual([]));

  it('into a new database brings back everything, row by row, as it was at the moment of the dump', async () => {
    const name = fresh();
    const { report } = await restore(name);
    expect(await rowsOf(name)).toEqual(await rowsOf('app'));
    expect(structureOf(name)).toEqual(structureOf('app'));
    const [[count, last] = []] = await server.sql('select count(*), (select last from balance) from ledger', name);
    expect([count, Number(last)]).toEqual([last, expect.any(Number)]);
    const rows = Object.fromEntries(report.tables.map(({ table, rows: counted }) => [table, counted]));
    expect(rows).toMatchObject({ types: 4, 'Ställe; drop table x --x': 2, empty_one: 0, hen: 1, parts: 2, ledger: Number(count) });
    expect((await server.sql(`select default_collation_name from information_schema.schemata where schema_name = '${name}'`))[0]).toEqual(['utf8mb4_unicode_ci']);
  });

  it('gives back what works: foreign keys, sequences, triggers, routines, views on views', async () => {
    const name = fresh();
    await restore(name);
    await expect(server.sql('insert into egg values (9, 99)', name)).rejects.toThrow('foreign key constraint fails');
    await server.sql("insert into numbered (w) values ('new'); insert into hen values (2, null); call tricky(1, @y)", name);
    expect((await server.sql('select max(id) > 1010 from numbered', name))[0]).toEqual(['1']);
    expect((await server.sql("select count(*) from information_schema.columns where (column_default like '%holdfast%' or column_default like '%`app`%') and table_schema = '" + name + "'"))[0]).toEqual(['0']);
    expect((await server.sql('select what from log order by at', name)).map(([what]) => what?.slice(0, 11))).toEqual(['hen 2; ok', 'DELIMITER 1']);
    expect(await server.sql('select n from with_function order by 1; select id from a_third', name)).toEqual([['2'], ['3'], ['1'], ['2']]);
  });

  it('into an empty database works as well, and is refused where something is', async () => {
    const name = fresh();
    await server.sql(`create database ${name}`);
    await restore(name, { mode: 'empty' });
    expect(await rowsOf(name)).toEqual(await rowsOf('app'));
    const before = structureOf(name);
    expect(await failure(restore(name, { mode: 'empty' }))).toMatchObject({ code: 'target-exists', message: expect.stringMatching(/holds table .* and \d+ more, wanted an empty one\. Nothing was done/) });
    expect(await failure(restore(name, { mode: 'create' }))).toMatchObject({ code: 'target-exists', message: expect.stringMatching(/is there already, wanted a new one/) });
    expect(await failure(restore('never_made', { mode: 'empty' }))).toMatchObject({ code: 'not-found' });
    expect(structureOf(name)).toBe(before);
  });

  it('of chosen tables brings those with their triggers, beside what is there', async () => {
    const name = fresh();
    await server.sql(`create database ${name}; create table ${name}.mine (i int); insert into ${name}.mine values (1)`);
    const { report } = await restore(name, { mode: 'empty', tables: ['hen', 'egg', 'part?'] });
    expect(report.tables.map(({ table, rows }) => [table, rows])).toEqual([['egg', 1], ['hen', 1], ['parts', 2]]);
    expect(await server.sql('show tables', name)).toEqual([['egg'], ['hen'], ['mine'], ['parts']]);
    expect((await server.sql('show triggers', name)).map(([trigger]) => trigger)).toEqual(['on_hen', 'on_hen_too']);
    expect(await failure(restore(name, { mode: 'empty', tables: ['hen'] }))).toMatchObject({ code: 'target-exists', message: expect.stringMatching(/holds table hen, wanted these names free/) });
    expect(await failure(restore(fresh(), { tables: ['no_such_table'] }))).toMatchObject({ code: 'not-found', message: expect.stringMatching(/None of the tables no_such_table/) });
  });

  it('of a table gives its foreign key the table of that name which is there and fits, or names the key that is left out', async () => {
    const keyOf = async (name: string) => (await server.sql('show create table egg', name))[0]?.[1] ?? '';
    const there = fresh();
    await server.sql(`create database ${there}; create table ${there}.hen (id int primary key); insert into ${there}.hen values (1)`);
    expect((await restore(there, { mode: 'empty', tables: ['egg'] })).report.warnings).toEqual([]);
    expect(await keyOf(there)).toMatch(/CONSTRAINT `from_hen` FOREIGN KEY \(`hen`\) REFERENCES `hen` \(`id`\) ON DELETE CASCADE/);
    await server.sql('insert into egg values (2, 1)', there);
    for (const hen of ['select 1', 'create table hen (id int primary key)', 'create table hen (id varchar(9) primary key)']) {
      const name = fresh();
      await server.sql(`create database ${name}`);
      await server.sql(hen, name);
      expect((await restore(name, { mode: 'empty', tables: ['egg'] })).report.warnings).toEqual([expect.stringMatching(/the foreign key from_hen of egg is left out: it refers to hen.*ERROR (1005|1452).*To add it later: alter table/s)]);
      expect(await keyOf(name)).not.toMatch(/FOREIGN KEY|holdfast_restore/);
      await server.sql('insert into egg values (2, 1)', name);
    }
  });

  it('of a table brings the sequence that it takes numbers from, and leaves one that is there', async () => {
    const name = fresh();
    await restore(name, { tables: ['numbered'] });
    expect(await server.sql("insert into numbered (w) values ('c'); select table_name from information_schema.tables where table_schema = database() order by 1", name)).toEqual([['numbered'], ['numbers']]);
    const there = fresh();
    await server.sql(`create database ${there}; create sequence ${there}.numbers start with 5`);
    expect((await restore(there, { mode: 'empty', tables: ['numbered'] })).report.warnings).toEqual([expect.stringMatching(/the sequence numbers was in .* already and stays as it is/)]);
    expect(await server.sql("insert into numbered (w) values ('c'); select min(id) from numbered", there)).toEqual([['5']]);
  });

  it('plans without changing anything', async () => {
    const before = await server.sql('show databases');
    const plan = await planDatabaseRestore(reader, loaderFor('planned'), { wanted: { mode: 'create', entry: 'second.sql' }, signal: new AbortController().signal });
    expect(plan.loads[0]).toMatchObject({ archive: { database: 'second', dumpedBy: expect.stringMatching(/^10\.11/) }, existing: { objects: 0 } });
    expect(await server.sql('show databases')).toEqual(before);
    expect(await failure(planDatabaseRestore(reader, loaderFor('planned'), { wanted: { mode: 'create' }, signal: new AbortController().signal }))).toMatchObject({ code: 'usage', message: expect.stringMatching(/more than one dump \(app\.sql, second\.sql\)/) });
    expect(await failure(planDatabaseRestore(reader, loaderFor('app'), { wanted: { mode: 'clean', entry: 'app.sql' }, signal: new AbortController().signal }))).toMatchObject({ code: 'usage', nextStep: expect.stringMatching(/--create/) });
  });

  it('without a name brings every database back under its own, and takes none that is there', async () => {
    const other = await startMariadb();
    try {
      const signal = new AbortController().signal;
      const all = () => planDatabaseRestore(reader, loaderFor('', { connection: connectionTo(other) }), { wanted: { mode: 'empty' }, signal });
      const reports = await executeDatabaseRestore(await all(), { clock: systemClock, signal });
      expect(reports.map(({ entry, mode }) => [entry, mode])).toEqual([['app.sql', 'create'], ['second.sql', 'create']]);
      expect(await other.sql('select i from second.only; select count(*) from app.types')).toEqual([['1'], ['4']]);
      expect(await failure(all())).toMatchObject({ code: 'target-exists' });
    } finally {
      await other.stop();
    }
  });

  it('leaves nothing behind when the program that loads is killed or fails half way, and says what it said', async () => {
    const binaries = mkdtempSync(join(folder, 'bin-'));
    shellProgram(join(binaries, 'mariadb-dump'), 'exec /usr/bin/mariadb-dump "$@"');
    // Fails in the tables: a line in the middle is no SQL. Fails in the rest: a view of what is not there.
    for (const [line, message] of [['s/^INSERT INTO .parts./no such statement /', /while tables and rows went into.*It said: .*ERROR 1064/], ['s/VIEW .a_third. AS select/VIEW `a_third` AS select nothing_of_it,/', /while views, triggers and routines went into.*ERROR 1054/]] as const) {
      shellProgram(join(binaries, 'mariadb'), `case "$*" in *--sandbox*) LC_ALL=C sed '${line}' | /usr/bin/mariadb "$@";; *) exec /usr/bin/mariadb "$@";; esac`);
      const name = fresh();
      expect(await failure(restore(name, {}, { binaries }))).toMatchObject({ code: 'target-failed', message: expect.stringMatching(message) });
      expect((await server.sql('show databases')).flat()).not.toContain(name);
      await server.sql(`create database ${name}; create table ${name}.mine (i int)`);
      expect(await failure(restore(name, { mode: 'empty', tables: ['parts', 'a_third'] }, { binaries }))).toMatchObject({ code: 'target-failed' });
      expect(await server.sql('show tables', name)).toEqual([['mine']]);
    }
  });

  it('that fails never takes away what somebody else made there meanwhile', async () => {
    const binaries = mkdtempSync(join(folder, 'bin-'));
    shellProgram(join(binaries, 'mariadb-dump'), 'exec /usr/bin/mariadb-dump "$@"');
    const root = `/usr/bin/mariadb --no-defaults --socket=${server.socket} --user=root`;
    const strange = (table: string, name: string) => `${root} -e "create table ${name}.${table} (mine int); insert into ${name}.${table} values (7)"`;
    for (const mode of ['empty', 'create'] as const) {
      const name = fresh();
      // Just before the tables are moved: one of the same name, and another one.
      shellProgram(join(binaries, 'mariadb'), `statement=$(mktemp -p ${folder}); case "$*" in *--sandbox*|*--version*|*--help*) rm "$statement"; exec /usr/bin/mariadb "$@";; esac\ncat > "$statement"; if grep -q '^rename table' "$statement"; then ${strange('parts', name)}; ${strange('other', name)}; fi\n/usr/bin/mariadb "$@" < "$statement"; code=$?; rm "$statement"; exit $code`);
      if (mode === 'empty') await server.sql(`create database ${name}`);
      expect(await failure(restore(name, { mode }, { binaries }))).toMatchObject({ message: expect.stringMatching(/parts.*already exists/s) });
      expect(await server.sql('show tables; select mine from parts; select mine from other', name)).toEqual([['other'], ['parts'], ['7'], ['7']]);
    }
  });

  it('under way is no database that a backup of all of them takes', async () => {
    await server.sql('create database holdfast_restore_0123456789ab; create database holdfast_restore_mine');
    const places = { environment: process.env, temporaryFolder: folder, clock: systemClock };
    const client = await findSqlClient('mariadb', places);
    const connection = connectionTo(server);
    const opened = await openSqlConnection(connection, client.version.flavour, places);
    const all = await databaseNames({ client, connection, opened });
    await opened.remove();
    await server.sql('drop database holdfast_restore_0123456789ab; drop database holdfast_restore_mine');
    expect(all).toEqual(expect.arrayContaining(['app', 'holdfast_restore_mine']));
    expect(all).not.toContain('holdfast_restore_0123456789ab');
  });

  it('that is stopped leaves nothing behind', async () => {
    const stop = new AbortController();
    const name = fresh();
    const plan = await planDatabaseRestore(reader, loaderFor(name), { wanted: { mode: 'create', entry: 'app.sql' }, signal: stop.signal });
    const stopped = failure(executeDatabaseRestore(plan, { clock: systemClock, signal: stop.signal, onProgress: () => stop.abort() }));
    expect((await stopped).code).toBe('interrupted');
    expect((await server.sql('show databases')).flat()).not.toContain(name);
  });

  it('needs no right but on its own databases when owners are left out', async () => {
    await server.sql("create user plain@'%' identified by 'plain-pw'; grant all on `holdfast\\_restore\\_%`.* to plain@'%'; grant all on `own\\_%`.* to plain@'%'");
    const connection = { ...connectionTo(server), user: 'plain', password: 'plain-pw' };
    expect(await failure(restore('own_1', {}, { connection }))).toMatchObject({ code: 'permission', nextStep: expect.stringMatching(/--no-owner/) });
    const { report } = await restore('own_1', { isWithoutOwners: true }, { connection });
    expect(report.warnings).toEqual([expect.stringMatching(/definers are not restored/)]);
    expect((await server.sql("select distinct definer from information_schema.views where table_schema = 'own_1' union select definer from information_schema.triggers where trigger_schema = 'own_1' union select definer from information_schema.routines where routine_schema = 'own_1' union select definer from information_schema.events where event_schema = 'own_1'"))).toEqual([['plain@%']]);
    expect(await failure(restore('forbidden', {}, { connection: { ...connection } }))).toMatchObject({ code: 'permission' });
  });

  it('where the server writes a binary log says that triggers and functions want SUPER or a setting, and works with it', async () => {
    const logging = await startMariadb({ settings: ['--log-bin=log', '--server-id=1'] });
    try {
      await logging.sql("create user plain@'%' identified by 'plain-pw'; grant all on `holdfast\\_restore\\_%`.* to plain@'%'; grant all on `own\\_%`.* to plain@'%'; grant set user on *.* to plain@'%'");
      const connection = { ...connectionTo(logging), user: 'plain', password: 'plain-pw' };
      for (const isWithoutOwners of [false, true]) expect(await failure(restore('own_1', { isWithoutOwners }, { connection }))).toMatchObject({ code: 'permission', message: expect.stringMatching(/ERROR 1419/), nextStep: expect.stringMatching(/SUPER.*SET GLOBAL log_bin_trust_function_creators = 1/) });
      await logging.sql('set global log_bin_trust_function_creators = 1');
      await restore('own_1', {}, { connection });
    } finally {
      await logging.stop();
    }
  });

  it('refuses what is no dump', async () => {
    const repository = testRepository();
    const file = join(folder, 'other.sql');
    writeFileSync(file, 'create table t (i int);\n');
    const { manifest } = await backUp(repository, file);
    rmSync(file);
    const other = await SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup));
    expect(await failure(planDatabaseRestore(other, loaderFor('x'), { wanted: { mode: 'create' }, signal: new AbortController().signal }))).toMatchObject({ code: 'refused', message: expect.stringMatching(/no dump of mariadb-dump or mysqldump/) });
  });
});
