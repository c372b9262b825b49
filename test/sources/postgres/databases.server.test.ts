import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { PostgresOptions } from '../../../lib/sources/postgres.ts';
import { repeating } from '../../support/repeating.ts';
import { startBothPostgres, stopBothPostgres } from '../../support/servers/postgres.ts';
import type { BothPostgres } from '../../support/servers/postgres.ts';
import { failure } from '../reading.ts';
import { descendants, dumpAll, sourceFor } from './dumps.ts';
import type { Dumped } from './dumps.ts';

const ONE = 'Ünusual "name"/50%';
let folder: string;
let servers: BothPostgres;

beforeAll(async () => {
  servers = await startBothPostgres();
  for (const server of Object.values(servers)) {
    await server.sql(`create role shop_owner login password 'hash-me'; create role readers; grant readers to shop_owner; alter role shop_owner set work_mem = '7MB'`);
    await server.sql('create database shop owner shop_owner');
    await server.sql(`create database "${ONE.replaceAll('"', '""')}"`);
    await server.sql('create database closed');
    await server.sql('alter database closed allow_connections false');
    await server.sql(`create table orders as select i as nr, repeat(md5(i::text), 20) as words from generate_series(1, 3000) i; create table empty_one (i int);
      create schema audit; create table audit.log as select 1 as i; create schema "Other One"; create table "Other One"."Täble" as select 1 as i union select 2;
      create view seen as select * from orders; select lo_from_bytea(7, 'large')`, { database: 'shop' });
  }
});
afterAll(() => stopBothPostgres(servers));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-databases-'));
});
afterEach(() => {
  expect(readdirSync(folder).filter((name) => name !== 'scratch')).toEqual([]);
  expect(scratch()).toEqual([]);
  expect(descendants().filter(({ name }) => ['pg_dump', 'pg_restore', 'psql', 'tee'].includes(name))).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

describe.each([15, 18] as const)('a PostgreSQL %i source of several databases (S1)', (version) => {
  const dump = (options: Partial<PostgresOptions>) => dumpAll(sourceFor(servers[version], folder, options));

  it('keeps each database that is named as an entry of its own, whatever it is called', async () => {
    const dumped = await dump({ databases: ['shop', ONE] });
    expect(dumped.map(({ name }) => name)).toEqual(['shop.dump', 'Ünusual "name"%2F50%25.dump']);
    expect(dumped.map(({ bytes }) => bytes.subarray(0, 5).toString())).toEqual(['PGDMP', 'PGDMP']);
  });

  it('with `all` finds every database that takes connections, and says which one the user may not enter', async () => {
    await servers[version].sql('create database private');
    await servers[version].sql('revoke connect on database private from public; drop role if exists visitor');
    await servers[version].sql("create role visitor login password 'visitor'; grant pg_read_all_data to visitor");
    const all = await dump({ databases: 'all' });
    // pg_read_all_data does not reach large objects.
    const visitor = { databases: 'all', connection: { user: 'visitor', password: 'visitor' } } as const;
    expect(await failure(dumpAll(sourceFor(servers[version], folder, visitor)))).toMatchObject({ code: 'permission', message: expect.stringMatching(/may not read the large objects of database shop/), nextStep: expect.stringMatching(/GRANT SELECT ON LARGE OBJECT/) });
    await servers[version].sql('grant select on large object 7 to visitor', { database: 'shop' });
    expect(all.map(({ name }) => name)).toEqual(['postgres.dump', 'private.dump', 'shop.dump', 'Ünusual "name"%2F50%25.dump']);
    const seen = await dumpAll(sourceFor(servers[version], folder, visitor));
    expect(seen.map(({ name }) => name)).not.toContain('private.dump');
    expect(seen.flatMap(({ proof }) => proof.warnings ?? [])).toEqual(['the database private is not in the backup: user visitor may not connect to it (GRANT CONNECT)']);
    await servers[version].sql('drop database private');
    await servers[version].sql('revoke select on large object 7 from visitor', { database: 'shop' });
  });

  it('a database that is not there is named before anything is dumped', async () => {
    const source = sourceFor(servers[version], folder, { databases: ['shop', 'missing'] });
    expect(await failure(source.check())).toMatchObject({ message: expect.stringMatching(/has no database missing/) });
  });

  it('keeps roles without their passwords, and with them only when asked', async () => {
    const [globals] = await dump({ databases: ['shop'], globals: 'without-passwords' });
    expect(globals).toMatchObject({ name: 'globals.sql', proof: { evidence: [expect.stringMatching(/^pg_dumpall \d+\.\d+ wrote roles without passwords to its last line, exit code 0$/)] } });
    const text = globals?.bytes.toString() ?? '';
    expect(text).toMatch(/CREATE ROLE shop_owner;/);
    expect(text).toMatch(/GRANT readers TO shop_owner/);
    expect(text).toMatch(/ALTER ROLE shop_owner SET work_mem TO '7MB'/);
    expect(text).not.toMatch(/SCRAM-SHA-256|PASSWORD/);
    const [secret] = await dump({ databases: ['shop'], globals: 'with-passwords' });
    expect(secret?.bytes.toString()).toMatch(/ALTER ROLE shop_owner WITH .* PASSWORD 'SCRAM-SHA-256\$/);
  });

  it('says that only a superuser can keep passwords', async () => {
    await servers[version].sql("drop role if exists plain; create role plain login password 'plain'");
    const source = sourceFor(servers[version], folder, { globals: 'with-passwords', connection: { user: 'plain', password: 'plain' } });
    expect(await failure(dumpAll(source))).toMatchObject({ code: 'permission', message: expect.stringMatching(/may not read the passwords of roles/), nextStep: expect.stringMatching(/role-passwords/) });
  });

  it('keeps chosen schemas, definitions alone, or rows alone, and counts exactly what it keeps', async () => {
    const [chosen] = await dump({ connection: { ...connectionOf(version), database: 'shop' }, schemas: ['"Other One"', 'aud*'], excludeTables: ['"Other One".t*'] });
    expect(tablesIn(version, chosen)).toEqual(['Other One Täble', 'audit log']);
    expect(chosen?.proof.tables).toEqual([{ schema: 'Other One', table: 'Täble', rows: 2 }, { schema: 'audit', table: 'log', rows: 1 }]);
    const [definitions] = await dump({ connection: { ...connectionOf(version), database: 'shop' }, content: 'schema' });
    expect(tablesIn(version, definitions)).toEqual([]);
    expect(definitions?.proof.tables).toBeUndefined();
    expect(definitions?.bytes.includes('CREATE TABLE')).toBe(true);
    const [rows] = await dump({ connection: { ...connectionOf(version), database: 'shop' }, content: 'data' });
    expect(rows?.proof.tables).toContainEqual({ schema: 'public', table: 'orders', rows: 3000 });
    expect(list(version, rows)).not.toMatch(/ TABLE public orders/);
  });

  it('excluded tables are not counted: patterns mean to psql what they mean to pg_dump', async () => {
    const patterns = ['ord*', '"Other One"."Täble"', 'audit.l?g'];
    const [dumped] = await dump({ connection: { ...connectionOf(version), database: 'shop' }, excludeTables: patterns });
    expect(tablesIn(version, dumped)).toEqual(['public empty_one']);
    expect(dumped?.proof.tables).toEqual([{ schema: 'public', table: 'empty_one', rows: 0 }]);
  });

  it('rows are counted in the snapshot of the dump while others write (S1)', async () => {
    await servers[version].sql('create database busy');
    await servers[version].sql('create table numbers (i bigint generated always as identity, filler text); insert into numbers (filler) select repeat(md5(i::text), 30) from generate_series(1, 20000) i', { database: 'busy' });
    const logged = servers[version].output().length;
    const writer = repeating(() => servers[version].sql("insert into numbers (filler) values ('new')", { database: 'busy' }));
    const [dumped] = await dump({ connection: { ...connectionOf(version), database: 'busy' } });
    const written = await writer.stop();
    const [counted] = dumped?.proof.tables ?? [];
    expect(counted?.rows).toBe(rowsIn(version, dumped, 'numbers'));
    expect(written).toBeGreaterThan(0);
    expect(counted?.rows).toBeLessThan(20_000 + written);
    expect(dumped?.proof.evidence.at(-1)).toBe('rows of 1 tables counted in the same snapshot');
    expect(servers[version].output().slice(logged)).not.toContain('unexpected EOF');
    await servers[version].sql('drop database busy with (force)');
  });

  it.each([['custom', 1], ['directory', 3]] as const)('a session that loses the snapshot fails the %s dump', async (_format, jobs) => {
    const source = sourceFor(servers[version], folder, { connection: { ...connectionOf(version), database: 'shop' }, jobs });
    // It waits for this lock, holding the snapshot.
    const blocker = blocking(version, 'lock table orders in access exclusive mode');
    await blocker.ready;
    const failing = failure(dumpAll(source));
    while ((await servers[version].sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'holdfast snapshot' and wait_event_type = 'Lock'")).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await blocker.release();
    expect(await failing).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/broke: .*terminating connection|snapshot/) });
  });
});

describe.each([15, 18] as const)('a PostgreSQL %i source in directory format (S1)', (version) => {
  const dump = (options: Partial<PostgresOptions>) => dumpAll(sourceFor(servers[version], folder, { connection: { ...connectionOf(version), database: 'shop' }, jobs: 3, ...options }));

  it('gives every file as an entry, dumped in parallel from one snapshot and proved by pg_restore', async () => {
    const dumped = await dump({});
    expect(dumped.at(-1)?.name).toBe('shop/toc.dat');
    expect(dumped.every(({ name }) => /^shop\/[\w.]+$/.test(name))).toBe(true);
    expect(dumped.some(({ bytes }) => bytes.includes('\t6'))).toBe(true);
    expect(dumped.at(-1)?.proof.evidence).toEqual([expect.stringMatching(/^server /), expect.stringMatching(/with 3 jobs exit code 0/), expect.stringMatching(/read every file to its end, exit code 0/), 'rows of 4 tables counted in the same snapshot']);
    expect(dumped.at(-1)?.proof.tables).toContainEqual({ schema: 'public', table: 'orders', rows: 3000 });
    for (const { name, bytes } of dumped) {
      mkdirSync(dirname(join(folder, 'scratch', 'again', name)), { recursive: true });
      writeFileSync(join(folder, 'scratch', 'again', name), bytes);
    }
    const listed = spawnSync(join(servers[version].binaries, 'pg_restore'), ['--list', join(folder, 'scratch', 'again', 'shop')], { encoding: 'utf8' });
    expect(listed.stdout).toMatch(/TABLE DATA Other One Täble/);
    rmSync(join(folder, 'scratch', 'again'), { recursive: true });
  });

  it('is refused before anything is dumped when the scratch folder has no room, with the bytes it needs', async () => {
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', mkdir('small')]).status !== 0) throw new Error('tmpfs cannot be mounted: these tests run as root');
    try {
      expect(await failure(dump({ scratchFolder: join(folder, 'small') }))).toMatchObject({ code: 'no-space', message: expect.stringMatching(/in directory format needs \d{6,} bytes below .*small.*, \d+ are free/) });
    } finally {
      spawnSync('umount', [join(folder, 'small')]);
      rmSync(join(folder, 'small'), { recursive: true });
    }
  });

  it('fails when a file of it was changed after pg_dump had ended well', async () => {
    const source = sourceFor(servers[version], folder, { connection: { ...connectionOf(version), database: 'shop' }, jobs: 2, binaries: lyingBinaries(version) });
    expect(await failure(dumpAll(source))).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/Reading every byte, to prove it whole, .* failed: pg_restore ended with exit code 1/) });
    rmSync(join(folder, 'bin'), { recursive: true });
  });

  it('stops when it is told to, and leaves nothing in the scratch folder', async () => {
    const stop = new AbortController();
    const source = sourceFor(servers[version], folder, { connection: { ...connectionOf(version), database: 'shop' }, jobs: 2 });
    const blocker = blocking(version, 'lock table orders in access exclusive mode');
    await blocker.ready;
    const failing = failure(dumpAll(source, stop.signal));
    while ((await servers[version].sql("select 1 from pg_stat_activity where wait_event_type = 'Lock'")).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    stop.abort();
    expect(await failing).toMatchObject({ code: 'interrupted' });
    await blocker.release();
  });
});

it('of more tables than may be counted the larger ones are estimated, or left out when nobody knows', async () => {
  const { countRows } = await import('../../../lib/sources/postgres/row-counts.ts');
  const tables = [{ schema: 's', table: 'small', bytes: 10, estimatedRows: 7 }, { schema: 's', table: 'large', bytes: 100, estimatedRows: 1000 }, { schema: 's', table: 'unknown', bytes: 200, estimatedRows: undefined }];
  const locked: string[] = [];
  const snapshot = { tables: () => Promise.resolve(tables), lock: (some: typeof tables) => Promise.resolve(void locked.push(...some.map(({ table }) => table))), rowsOf: () => Promise.resolve(8) };
  expect(await countRows(snapshot as never, 'auto', 50)).toEqual([{ schema: 's', table: 'large', rows: 1000, isEstimate: true }, { schema: 's', table: 'small', rows: 8 }]);
  expect(locked).toEqual(['small']);
  expect((await countRows(snapshot as never, 'exact', 50)).map(({ rows, isEstimate }) => [rows, isEstimate])).toEqual([[8, undefined], [8, undefined], [8, undefined]]);
});

function connectionOf(version: 15 | 18) {
  const { host, port, user, password } = servers[version];
  return { host, port, user, password };
}

function mkdir(name: string): string {
  mkdirSync(join(folder, name));
  return join(folder, name);
}

function scratch(): string[] {
  try {
    return readdirSync(join(folder, 'scratch'));
  } catch {
    return [];
  }
}

function list(version: 15 | 18, dumped: Dumped | undefined): string {
  return spawnSync(join(servers[version].binaries, 'pg_restore'), ['--list'], { input: dumped?.bytes ?? '', encoding: 'utf8' }).stdout;
}

function tablesIn(version: 15 | 18, dumped: Dumped | undefined): string[] {
  return [...list(version, dumped).matchAll(/ TABLE DATA (.*) holdfast$/gm)].map(([, name = '']) => name).sort();
}

function rowsIn(version: 15 | 18, dumped: Dumped | undefined, table: string): number {
  const script = spawnSync(join(servers[version].binaries, 'pg_restore'), ['--file=-', '--data-only', `--table=${table}`], { input: dumped?.bytes ?? '', encoding: 'utf8', maxBuffer: 1 << 28 }).stdout;
  return (/^COPY [^\n]* FROM stdin;\n(.*?)^\\\.$/ms.exec(script)?.[1] ?? '').split('\n').length - 1;
}

/** Holds a lock in database shop until it is released. */
function blocking(version: 15 | 18, statement: string): { readonly ready: Promise<void>; release(): Promise<void> } {
  const name = `blocker ${Math.random()}`;
  const held = servers[version].sql(`set application_name = '${name}'; begin; ${statement}; select pg_sleep(60); commit`, { database: 'shop' }).catch(() => undefined);
  const find = () => servers[version].sql<{ pid: number }>('select pid from pg_stat_activity where application_name = $1 and query like \'%pg_sleep%\' and wait_event = \'PgSleep\'', { values: [name] });
  const ready = (async () => {
    while ((await find()).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  })();
  return {
    ready,
    release: async () => {
      await servers[version].sql('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', { values: [name] });
      await held;
    },
  };
}

/** A pg_dump that ends well, and a table of its directory that is short of its last bytes. */
function lyingBinaries(version: 15 | 18): string {
  const bin = mkdir('bin');
  const real = servers[version].binaries;
  for (const name of ['pg_restore', 'psql']) writeFileSync(join(bin, name), `#!/bin/sh\nexec ${real}/${name} "$@"\n`, { mode: 0o755 });
  writeFileSync(join(bin, 'pg_dump'), `#!/bin/sh\n${real}/pg_dump "$@" || exit\nfor word in "$@"; do case "$word" in --file=*) truncate -s -100 "\${word#--file=}/toc.dat";; esac; done\nexit 0\n`, { mode: 0o755 });
  return bin;
}
