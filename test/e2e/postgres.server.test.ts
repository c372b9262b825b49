import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { descendants } from '../sources/postgres/dumps.ts';
import { fingerprint, makeRich } from '../sources/postgres/rich-database.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import type { PostgresServer, PostgresVersion } from '../support/servers/postgres.ts';
import { Person, ended } from './program.ts';

interface BackupLine {
  readonly type: string;
  readonly backup: string;
  readonly statistics: { readonly storedBytes: number };
}

interface RestoreLine {
  readonly type: string;
  readonly tables: readonly { readonly schema: string; readonly table: string; readonly rows: number }[];
}

/** The larger one shows that little is added; enough of it for chunks of 256 KiB. */
const ROWS: Readonly<Record<PostgresVersion, number>> = { 15: 200_000, 18: 20_000 };
const servers: PostgresServer[] = [];
const people: Person[] = [];

afterAll(() => Promise.all(servers.map((server) => server.stop())));
// Everything that anybody ever saw of the program.
afterEach(() => {
  for (const { said } of people) expect(said).not.toMatch(/7f3a/);
});

async function start(version: PostgresVersion): Promise<{ readonly server: PostgresServer; readonly person: Person }> {
  const server = await startPostgres({ version });
  servers.push(server);
  const person = new Person({ HOLDFAST_POSTGRES_BIN: server.binaries, APP_PASSWORD: server.password });
  people.push(person);
  const place = `host: ${server.host}, port: ${server.port}, user: ${server.user}, password: "\${env:APP_PASSWORD}"`;
  writeFileSync(person.path('work', 'holdfast.yaml'), [
    'vaults:', '  v: { directory: ../vault, key-file: ../key }',
    'plans:', `  app: { vault: v, source: { type: postgres, database: app, ${place} } }`, `  missing: { vault: v, source: { type: postgres, database: missing, ${place} } }`,
    'restore-targets:', `  fresh: { type: postgres, database: fresh, create-database: true, ${place} }`, `  app: { type: postgres, database: app, ${place} }`, '',
  ].join('\n'));
  return { server, person };
}

it.each([15, 18] as const)('PostgreSQL %i: backed up, changed, backed up, dropped and restored, every table equal (S1, R1)', async (version) => {
  const { server, person } = await start(version);
  await makeRich(server, 'app', ROWS[version]);
  await person.do(['init', '--no-yaml', '--vault', '../vault', '--key-file', '../key']);
  const first = await backUp(person);
  // 1 % of the rows, beside each other as recent ones are: scattered evenly, they would touch every chunk of 256 KiB.
  await server.sql(`update person set data = data || '{"changed": true}' where id between 10001 and 10000 + ${ROWS[version] / 100}; insert into person (name) select 'new ' || i from generate_series(1, 500) i; delete from event where amount % 100 = 7; select nextval('ticket'); refresh materialized view moods`, { database: 'app' });
  const second = await backUp(person);
  const wanted = await fingerprint(server, 'app');
  expect(second.statistics.storedBytes).toBeLessThan(first.statistics.storedBytes * (ROWS[version] > 100_000 ? 0.08 : 0.6));

  // Its export is an archive for pg_restore, with nothing of ours (K9).
  await person.do(['export', 'latest:app', '--to', '.']);
  expect(execFileSync('sha256sum', ['-c', 'app.dump.sha256'], { cwd: person.path('work'), encoding: 'utf8' })).toBe('app.dump: OK\n');
  expect(execFileSync(join(server.binaries, 'pg_restore'), ['--list', person.path('work', 'app.dump')], { encoding: 'utf8' })).toContain('TABLE DATA public person');

  await server.sql('drop database app');
  if (process.env['HOLDFAST_FIGURES']) process.stderr.write(`PostgreSQL ${version}: ${JSON.stringify([first.statistics, second.statistics])}\n`);
  const url = `postgres://${server.user}@${server.host}:${server.port}`;
  writeFileSync(person.path('password'), `${server.password}\n`, { mode: 0o600 });
  const planned = await person.do(['restore', 'latest:app', '--to-database', `${url}/app`, '--create', '--password-file', '../password', '--dry-run']);
  expect(planned.stdout).toMatch(/Nothing was done\. app\.dump .* would go into a new database app at 127/);
  const [restored] = await person.json<RestoreLine>(['restore', 'latest:app', '--to-database', `${url}/app`, '--create', '--password-file', '../password']);
  expect(restored).toMatchObject({ type: 'database-restore', tables: expect.arrayContaining([{ schema: 'public', table: 'person', rows: ROWS[version] + 502 }]) });
  expect(await fingerprint(server, 'app')).toEqual(wanted);

  if (version === 18) await restoreIntoTargets(server, person, wanted);
}, 240_000);

it('a whole server: roles and databases in parallel, into another server, and a single table back into where it was (S1, R1)', async () => {
  const { server, person } = await start(18);
  const place = `host: ${server.host}, port: ${server.port}, user: ${server.user}, password: "\${env:APP_PASSWORD}"`;
  writeFileSync(person.path('work', 'holdfast.yaml'), `vaults: { v: { directory: ../vault, key-file: ../key } }\nplans: { server: { source: { type: postgres, databases: all, jobs: 2, ${place} } } }\n`);
  await server.sql('create role clerk');
  await makeRich(server, 'app', 500);
  await server.sql('create database "second One"');
  await server.sql('create table t as select i from generate_series(1, 10) i; grant select on t to clerk', { database: 'second One' });
  const wanted = await fingerprint(server, 'app');
  await person.do(['init', '--no-yaml', '--vault', '../vault', '--key-file', '../key']);
  await person.do(['backup', 'server']);
  const shown = await person.do(['show', 'latest:server']);
  expect(shown.stdout).toMatch(/pg_dumpall 18\.\d+ wrote roles without passwords[^]*app\/toc\.dat: .*rows of \d+ tables counted in the same snapshot[^]*public\.person {2}502 rows/);

  // As files it is what pg_dump writes, with its folders.
  await person.do(['verify', 'latest:server', '--level', 'full']);
  await person.do(['restore', 'latest:server', '--to', 'files']);
  expect(execFileSync(join(server.binaries, 'pg_restore'), ['--file=-', person.path('work', 'files', 'second One')], { encoding: 'utf8' })).toMatch(/COPY public\.t \(i\) FROM stdin;\n1\n2\n/);
  expect(readFileSync(person.path('work', 'files', 'globals.sql'), 'utf8')).toContain('CREATE ROLE clerk;');

  const other = await startPostgres({ version: 18 });
  servers.push(other);
  writeFileSync(person.path('password'), `${other.password}\n`, { mode: 0o600 });
  const to = (database: string) => ['--to-database', `postgres://${other.user}@${other.host}:${other.port}/${database}`, '--password-file', '../password'];
  const planned = await person.do(['restore', 'latest:server', ...to(''), '--dry-run']);
  expect(planned.stdout).toMatch(/globals\.sql .* would go into the roles of [^]*app\/ .* would go into a new database app at [^]*postgres\/ .* would go into the empty database postgres at [^]*second One\/ /);
  const restored = await person.run(['restore', 'latest:server', ...to(''), '--json']);
  // A warning: the user who restores is one of the roles.
  expect(restored).toMatchObject({ code: 3, stdout: expect.stringMatching(/roles that are there already were left as they are: holdfast/) });
  expect(await fingerprint(other, 'app')).toEqual(wanted);
  expect(await other.sql("select has_table_privilege('clerk', 't', 'select') as may, (select count(*)::int from t) as rows", { database: 'second One' })).toEqual([{ may: true, rows: 10 }]);

  await other.sql('drop table event', { database: 'app' });
  const back = await person.json<RestoreLine>(['restore', 'latest:server', 'app', ...to('app'), '--table', 'event']);
  expect(back[0]?.tables.map(({ table }) => table)).toEqual(['event_2025', 'event_rest']);
  expect(await fingerprint(other, 'app')).toEqual(wanted);
  expect(await person.run(['restore', 'latest:server', ...to('app')])).toMatchObject({ code: 2, stderr: expect.stringMatching(/has 3 archives \(app\/, postgres\/, second One\/\), wanted one name/) });
}, 120_000);

async function restoreIntoTargets(server: PostgresServer, person: Person, wanted: Record<string, string>): Promise<void> {
  await person.do(['restore', 'latest:app', '--to-target', 'fresh']);
  expect(await fingerprint(server, 'fresh')).toEqual(wanted);
  await refusals(person, `postgres://${server.user}@${server.host}:${server.port}`);
  await server.sql('delete from person', { database: 'app' });
  expect((await person.run(['restore', 'latest:app', '--to-target', 'app', '--clean'])).stderr).toMatch(/objects of the database app at .* will be dropped[^]*needs a yes/);
  // Of chosen tables those alone are named.
  const { stderr: asked } = await person.run(['restore', 'latest:app', '--to-target', 'app', '--clean', '--table', 'person']);
  expect(asked).toMatch(/1 object of the database app at .* will be dropped[^]*\n +public\.person\n[^]*needs a yes/);
  expect(asked).not.toContain('padding');
  await person.do(['restore', 'latest:app', '--to-target', 'app', '--clean', '--yes']);
  expect(await fingerprint(server, 'app')).toEqual(wanted);
}

it('a server that goes away in the middle of a backup: the run fails with the reason, nothing is kept, the password is nowhere (S1)', async () => {
  const { server, person } = await start(15);
  // More than the packs in flight hold: pg_dump waits for the slow line with rows to go.
  await makeRich(server, 'app', 200_000);
  await person.do(['init', '--no-yaml', '--vault', '../vault', '--key-file', '../key']);
  const child = person.start(['backup', 'app', '--json', '--threads', '1', '--limit-upload', '500000']);
  const done = ended(child);
  // The question for its version comes first and ends before anything is asked of the server: wait until rows are under way.
  let isCopying = false;
  while (!isCopying && child.exitCode === null) {
    isCopying = (await server.sql("select 1 from pg_stat_activity where datname = 'app' and query like 'COPY %'")).length > 0;
  }
  expect(isCopying).toBe(true);
  const seen = descendants(child.pid);
  expect(seen.map(({ name }) => name)).toContain('pg_dump');
  // The variable that the person set for the program itself is all there is.
  for (const { argumentsAndEnvironment } of seen) expect(argumentsAndEnvironment).not.toMatch(/7f3a/);
  await server.crash();
  const { code, stdout, stderr } = await done;
  expect({ code, all: stdout + stderr }).toMatchObject({ code: 1, all: expect.stringMatching(/source-failed/) });
  expect(stdout + stderr).toMatch(/broke: |closed the connection|terminating connection/);
  expect(stdout + stderr).not.toMatch(/7f3a/);
  expect((await person.do(['list'])).stdout).not.toMatch(/app {2}/);
  expect(await person.run(['backup', 'app'])).toMatchObject({ code: 1, stderr: expect.stringMatching(/cannot be reached: connection refused/) });
}, 120_000);

async function refusals(person: Person, url: string): Promise<void> {
  const rows: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['backup', 'missing'], 1, /has no database missing/],
    [['restore', 'latest:app', '--to-target', 'nowhere'], 1, /No restore target is called nowhere.*\n?.*fresh, app|app, fresh/],
    [['restore', 'latest:app', '--to-target', 'app'], 1, /holds \d+ objects .* wanted an empty one\. Nothing was done/],
    [['restore', 'latest:app', '--to-target', 'fresh'], 1, /is there already, wanted a new one/],
    [['restore', 'latest:app', '--to-database', `${url.replace('@', ':s3cret-in-url@')}/app`], 2, /holds a password, and every user of this machine can see it/],
    [['restore', 'latest:app', '--to-database', 'oracle://x@y/z'], 2, /wanted .*postgres:\/\/USER@HOST:PORT\/DATABASE/],
    [['restore', 'latest:app', '--to-database', 'mysql://x@y/z'], 1, /has no entry that ends in \.sql, wanted a dump of mariadb-dump or mysqldump/],
    [['restore', 'latest:app', '--to', 'x', '--create'], 2, /--create means nothing with --to/],
    [['restore', 'latest:app', '--to', 'x', '--to-target', 'app'], 2, /--to and --to-target were given, wanted one of/],
    [['restore', 'latest:app'], 2, /No target was given, wanted one of --to, --to-bucket, --to-aws, --to-database, --to-target/],
    [['restore', 'latest:app', '--to-database', `${url}/other`, '--create', '--clean'], 2, /Both --create and --clean/],
    [['restore', 'latest:app', '--to-database', `${url}/app`], 1, /wants a password for user holdfast, and none was given/],
  ];
  for (const [args, code, message] of rows) expect({ args, ...(await person.run(args)) }).toMatchObject({ code, stderr: expect.stringMatching(message) });
  expect(person.said).not.toContain('s3cret-in-url');
}

async function backUp(person: Person): Promise<BackupLine> {
  const line = (await person.json<BackupLine>(['backup', 'app'])).find(({ type }) => type === 'backup');
  if (line === undefined) throw new Error('no backup was reported');
  return line;
}
