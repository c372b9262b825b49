import { writeFileSync } from 'node:fs';
import { fingerprint, makeRich } from '../sources/postgres/rich-database.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import type { InstalledVersion, PostgresServer } from '../support/servers/postgres.ts';
import { Contained } from './contained.ts';
import type { ImageDesk } from './contained.ts';

/** What the table says of a round trip that was equal. */
export interface Outcome {
  readonly server: string;
  readonly client: string;
  readonly bytes: number;
  readonly compared: string;
}

export const ROWS = 20_000;
const SECOND = 'second One';
const ROLES = "select rolname, rolcanlogin, rolcreatedb, rolconnlimit, rolconfig::text, (select string_agg(g.rolname, ',' order by 1) from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid) as member_of from pg_roles r where rolname !~ '^pg_' order by 1";

/** In custom format, or with jobs in directory format: the database is dropped and comes back. */
export async function oneDatabase(desk: ImageDesk, version: InstalledVersion, more = ''): Promise<Outcome> {
  const server = await startPostgres({ version });
  try {
    const person = personFor(desk, server, `app: { source: { type: postgres, database: app${more}, ${placeOf(server)} } }`);
    await makeRich(server, 'app', ROWS);
    const made = await backUp(person, 'app');
    const wanted = await fingerprint(server, 'app');
    await server.sql('drop database app');
    await person.do(['restore', 'latest:app', '--to-database', urlOf(server, 'app'), '--create']);
    expect(await fingerprint(server, 'app')).toEqual(wanted);
    // So that the comparison can fail: one number in one of all rows.
    await server.sql('update person set price = price + 0.0001 where id = 5', { database: 'app' });
    expect(await fingerprint(server, 'app')).not.toEqual(wanted);
    return { ...made, compared: inWords(wanted) };
  } finally {
    await server.stop();
  }
}

/** Two tables are dropped, and they alone come back; what else is in the database was changed and stays changed. */
export async function chosenTables(desk: ImageDesk, version: InstalledVersion): Promise<Outcome> {
  const server = await startPostgres({ version });
  try {
    const person = personFor(desk, server, `app: { source: { type: postgres, database: app, ${placeOf(server)} } }`);
    await makeRich(server, 'app', ROWS);
    const made = await backUp(person, 'app');
    await server.sql("insert into person (name) values ('after the backup')", { database: 'app' });
    const wanted = await fingerprint(server, 'app');
    await server.sql('drop table event, empty_one', { database: 'app' });
    await person.do(['restore', 'latest:app', '--to-database', urlOf(server, 'app'), '--table', 'event', '--table', 'empty_one']);
    expect(await fingerprint(server, 'app')).toEqual(wanted);
    return { ...made, compared: `${inWords(wanted)}, of which 2 tables were restored` };
  } finally {
    await server.stop();
  }
}

/** Roles and databases; the server is gone, and all of it comes back in a new one. */
export async function wholeServer(desk: ImageDesk, version: InstalledVersion): Promise<Outcome> {
  const old = await startPostgres({ version });
  let fresh: PostgresServer | undefined;
  try {
    const person = personFor(desk, old, `server: { source: { type: postgres, databases: all, jobs: 2, ${placeOf(old)} } }`);
    await old.sql("create role clerk login createdb connection limit 7; create role \"Büro\"; grant \"Büro\" to clerk; alter role clerk set work_mem = '7MB'");
    await makeRich(old, 'app', ROWS);
    await old.sql(`create database "${SECOND}" owner clerk`);
    await old.sql('create table t as select i from generate_series(1, 1000) i; grant select on t to "Büro"', { database: SECOND });
    const made = await backUp(person, 'server');
    const wanted = await everythingIn(old);
    await old.stop();
    fresh = await startPostgres({ version });
    const { code, stderr } = await person.run(['restore', 'latest:server', '--to-database', urlOf(fresh, '')]);
    // 3: the role that restores is there already, and is told of.
    expect({ code, stderr: code === 3 ? '' : stderr }).toEqual({ code: 3, stderr: '' });
    expect(await everythingIn(fresh)).toEqual(wanted);
    expect(await fresh.sql('select has_table_privilege(\'clerk\', \'t\', \'select\') as may, pg_get_userbyid(datdba) as owner from pg_database where datname = current_database()', { database: SECOND })).toEqual([{ may: true, owner: 'clerk' }]);
    return { ...made, compared: `${wanted.roles.length} roles; ${inWords(wanted.app)}; ${wanted.second.length} rows in another database` };
  } finally {
    await old.stop();
    await fresh?.stop();
  }
}

async function everythingIn(server: PostgresServer) {
  return { roles: await server.sql(ROLES), app: await fingerprint(server, 'app'), second: await server.sql('select i from t order by 1', { database: SECOND }) };
}

/** `plans`: of the container's `holdfast.yaml`. The password of the server is in two variables, and nowhere else. */
export function personFor(desk: ImageDesk, { password }: { readonly password: string }, plans: string, options: Omit<ConstructorParameters<typeof Contained>[1], 'variables'> = {}): Contained {
  const person = new Contained(desk, { variables: { SERVER_PASSWORD: password, HOLDFAST_DATABASE_PASSWORD: password }, ...options });
  writeFileSync(person.path('work', 'holdfast.yaml'), `vaults: { v: { directory: ../vault, key-file: ../key } }\nplans: { ${plans} }\n`);
  person.own();
  return person;
}

export function placeOf({ port }: { readonly port: number }): string {
  return `host: 127.0.0.1, port: ${port}, user: holdfast, password: "\${env:SERVER_PASSWORD}"`;
}

function urlOf({ port }: PostgresServer, database: string): string {
  return `postgres://holdfast@127.0.0.1:${port}/${database}`;
}

/** The first one of a vault that is made for it. What server and programs it was, is said by the evidence that is kept with it. */
export async function backUp(person: Contained, plan: string): Promise<Omit<Outcome, 'compared'>> {
  await person.do(['init', '--no-yaml', '--vault', '../vault', '--key-file', '../key']);
  await person.do(['backup', plan]);
  const shown = (await person.do(['show', `latest:${plan}`, '--json'])).stdout;
  return { ...programsIn(shown), bytes: Number(/"bytes":(\d+)/.exec(shown)?.[1]) };
}

/** From the words of the evidence, such as `server 15.18; pg_dump 15.18 exit code 0`. */
function programsIn(shown: string): { readonly server: string; readonly client: string } {
  const [, server = 'unknown'] = /\bserver ((?:MariaDB )?\d+\.[\d.]*\d)/.exec(shown) ?? [];
  const [client = 'unknown'] = /\b(pg_dump|pg_basebackup|mariadb-dump) \d+\.[\d.]*\d/.exec(shown) ?? [];
  return { server, client };
}

export function inWords(print: Readonly<Record<string, string>>): string {
  const tables = Object.entries(print).filter(([name]) => /^[rm] /.test(name));
  return `${tables.length} tables with ${tables.reduce((sum, [, value]) => sum + Number(value.split(' ')[0]), 0)} rows, ${Object.keys(print).length} prints`;
}
