import { writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { AWKWARD } from '../sources/mariadb/awkward.ts';
import { startMariadb } from '../support/servers/mariadb.ts';
import type { MariadbServer } from '../support/servers/mariadb.ts';
import { startTimescale } from '../support/servers/timescale-pglite.ts';
import type { TimescaleServer } from '../support/servers/timescale-pglite.ts';
import { Contained } from './contained.ts';
import type { ImageDesk } from './contained.ts';
import { backUp, personFor, placeOf } from './round-trips.ts';
import type { Outcome } from './round-trips.ts';

/** The whole database is dropped and comes back; then two of its tables are, and they alone come back. */
export async function mariadb(desk: ImageDesk): Promise<Outcome> {
  const server = await startMariadb();
  try {
    // Programs from 11.4 on want TLS by themselves, and this server has none.
    const person = personFor(desk, server, `shop: { source: { type: mariadb, database: shop, ssl-mode: disable, ${placeOf(server)} } }`);
    await server.sql("create database shop collate utf8mb4_unicode_ci; use shop; create table item (id int primary key, name varchar(50), price decimal(10, 4)); insert into item select seq, concat('item ', seq, ' ü'), seq / 7 from seq_1_to_20000");
    await server.sql(AWKWARD, 'shop');
    const made = await backUp(person, 'shop');
    const wanted = await contentOf(server);
    const restore = (...more: string[]) => person.do(['restore', 'latest:shop', '--to-database', `mysql://holdfast@127.0.0.1:${server.port}/shop?ssl-mode=disable`, ...more]);
    await server.sql('drop database shop');
    await restore('--create');
    expect(await contentOf(server)).toEqual(wanted);
    await server.sql('drop table item, parts', 'shop');
    await restore('--table', 'item', '--table', 'parts');
    expect(await contentOf(server)).toEqual(wanted);
    // So that the comparison can fail.
    await server.sql('update item set price = price + 0.0001 where id = 5', 'shop');
    expect(await contentOf(server)).not.toEqual(wanted);
    const rows = Object.values(wanted.rows).reduce((sum, { length }) => sum + length, 0);
    return { ...made, compared: `${Object.keys(wanted.rows).length} tables with ${rows} rows, ${wanted.structure.split('\n').length} lines of definitions; twice, the second time after 2 tables were restored` };
  } finally {
    await server.stop();
  }
}

/** Rows of every table as text, and everything else as the server itself says it. */
async function contentOf(server: MariadbServer): Promise<{ readonly rows: Readonly<Record<string, string[][]>>; readonly structure: string }> {
  const tables = (await server.sql("select table_name from information_schema.tables where table_schema = 'shop' and table_type in ('BASE TABLE', 'SYSTEM VERSIONED') order by 1")).map(([name = '']) => name);
  const rows = Object.fromEntries(await Promise.all(tables.map(async (name) => [name, await server.sql(`select * from \`${name}\` order by 1`, 'shop')] as const)));
  const structure = execFileSync('mariadb-dump', ['--no-defaults', `--socket=${server.socket}`, '--user=root', '--no-data', '--routines', '--events', '--triggers', '--skip-comments', '--skip-dump-date', 'shop'], { encoding: 'utf8' });
  return { rows, structure: structure.replace(/ AUTO_INCREMENT=\d+/g, '') };
}

/** As a command, because COPY crashes the TimescaleDB that runs here: the hypertable comes back with its chunks into a server of its own. */
export async function timescale(desk: ImageDesk): Promise<Outcome> {
  const source = await startTimescale();
  let target: TimescaleServer | undefined;
  try {
    const { host, port, user, password, database } = source.connection;
    const person = new Contained(desk, { variables: { PGPASSWORD: password, PGSSLMODE: 'disable', HOLDFAST_DATABASE_PASSWORD: password } });
    const command = ['pg_dump', '--format=custom', '--compress=0', '--rows-per-insert=10000', `--host=${host}`, `--port=${port}`, `--username=${user}`, database];
    writeFileSync(person.path('work', 'holdfast.yaml'), `vaults: { v: { directory: ../vault, key-file: ../key } }\nplans: { metrics: { source: { type: command, command: ${JSON.stringify(command)}, stdin-name: metrics.dump } } }\n`);
    person.own();
    await source.sql('create extension timescaledb; create table m (t timestamptz not null, v float)');
    await source.sql("select create_hypertable('m', 't', chunk_time_interval => interval '1 day'); insert into m select '2026-01-01'::timestamptz + i * interval '1 hour', i from generate_series(1, 200) i");
    const made = await backUp(person, 'metrics');
    const wanted = await hypertable(source);
    const { server_version: server } = (await source.sql<{ server_version: string }>('show server_version'))[0] ?? { server_version: 'unknown' };
    await source.stop();
    target = await startTimescale();
    const { code, stderr } = await person.run(['restore', 'latest:metrics', '--to-database', `postgres://${user}@127.0.0.1:${target.port}/${database}?sslmode=disable`]);
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('does not say which version of TimescaleDB it is of') as string });
    expect(await hypertable(target)).toEqual(wanted);
    await target.sql("set search_path = public; insert into m values ('2027-01-01', 1)");
    expect(await hypertable(target)).toMatchObject({ chunks: wanted.chunks + 1 });
    return { ...made, server: `TimescaleDB on ${server}`, client: 'pg_dump', compared: `${wanted.rows.length} rows in ${wanted.chunks} chunks of a hypertable` };
  } finally {
    await source.stop();
    await target?.stop();
  }
}

async function hypertable(server: TimescaleServer): Promise<{ readonly rows: readonly object[]; readonly chunks: number }> {
  const [{ chunks } = { chunks: 0 }] = await server.sql<{ chunks: number }>("set search_path = public; select count(*)::int as chunks from show_chunks('m')");
  return { rows: await server.sql('select t::text, v from public.m order by 1'), chunks };
}
