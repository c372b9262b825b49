import { spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { limitsInControl } from '../../lib/sources/postgres/control-limits.ts';
import { readableBy, reachableProgram } from '../support/reachable-program.ts';
import { freePort } from '../support/servers/servers.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import type { PostgresServer, PostgresVersion } from '../support/servers/postgres.ts';
import { Person, ended } from './program.ts';

interface BackupLine {
  readonly backup: string;
  readonly statistics: { readonly bytes: number; readonly storedBytes: number; readonly newBytes: number };
  readonly evidence?: readonly string[];
}

interface RestoreLine {
  readonly type: string;
  readonly files: number;
  readonly server?: { readonly state: string; readonly pid?: number; readonly port: number; readonly stopped?: string; readonly lastLsn?: string; readonly timeline?: number };
}

const servers: PostgresServer[] = [];
const started: number[] = [];

afterEach(async () => {
  for (const pid of started.splice(0)) await endServer(pid);
});
afterAll(() => Promise.all(servers.map((server) => server.stop())));

async function start(version: PostgresVersion, settings: readonly string[] = []): Promise<{ readonly server: PostgresServer; readonly person: Person; readonly archive: string }> {
  const server = await startPostgres({ version, settings: ['archive_mode = on', "archive_command = 'false'", ...settings] });
  servers.push(server);
  const archive = join(dirname(server.data), 'archive');
  mkdirSync(archive);
  const { uid, gid } = statSync(server.data);
  chownSync(archive, uid, gid);
  await server.sql(`alter system set archive_command = 'test ! -f ${archive}/%f && cp %p ${archive}/%f'`);
  await server.sql('select pg_reload_conf()');
  const person = new Person({ HOLDFAST_POSTGRES_BIN: server.binaries, APP_PASSWORD: server.password });
  writeFileSync(person.path('work', 'holdfast.yaml'), `vaults:\n  v: { directory: ../vault, key-file: ../key }\nplans:\n  cluster: { vault: v, source: { type: postgres, mode: physical, host: ${server.host}, port: ${server.port}, user: ${server.user}, password: "\${env:APP_PASSWORD}" } }\n`);
  await person.do(['init', '--no-yaml', '--vault', '../vault', '--key-file', '../key']);
  return { server, person, archive };
}

async function backUp(person: Person): Promise<BackupLine> {
  const [line] = await person.json<BackupLine>(['backup', 'cluster']);
  return line as BackupLine;
}

/** Commits numbered rows, one after another, until it is stopped. */
class Writer {
  readonly #client: Client;
  last = 0;
  #isStopped = false;
  #running: Promise<void> = Promise.resolve();

  private constructor(client: Client) {
    this.#client = client;
  }

  static async connect({ host, port, user, password }: PostgresServer): Promise<Writer> {
    const client = new Client({ host, port, user, password, database: 'postgres' });
    await client.connect();
    await client.query('create table if not exists tick (n bigint primary key)');
    return new Writer(client);
  }

  start(): void {
    this.#isStopped = false;
    this.#running = (async () => {
      while (!this.#isStopped) await this.write(1);
    })();
  }

  async pause(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async write(rows: number): Promise<void> {
    for (let row = 0; row < rows; row++) await this.#client.query('insert into tick values ($1)', [++this.last]);
  }

  async ask(text: string): Promise<string> {
    return String(Object.values((await this.#client.query(text)).rows[0] as object)[0]);
  }

  async end(): Promise<void> {
    await this.pause();
    await this.#client.end();
  }
}

interface Restored {
  readonly directory: string;
  readonly line: RestoreLine;
  ask(text: string): Promise<string>;
}

async function restore(server: PostgresServer, person: Person, name: string, options: readonly string[]): Promise<Restored> {
  const port = await freePort();
  const directory = join(dirname(server.data), name);
  const [line] = await person.json<RestoreLine>(['restore', 'latest:cluster', '--to-data-directory', directory, '--start', String(port), ...options]);
  if (line?.server?.pid !== undefined) started.push(line.server.pid);
  return { directory, line: line as RestoreLine, ask: (text) => askAt(server, port, text) };
}

async function askAt({ user, password }: PostgresServer, port: number, text: string, host = '127.0.0.1'): Promise<string> {
  const client = new Client({ host, port, user, password, database: 'postgres' });
  await client.connect();
  try {
    return String(Object.values((await client.query(text)).rows[0] as object)[0]);
  } finally {
    await client.end();
  }
}

const ROWS = "select count(*) || ' to ' || coalesce(max(n), 0) from tick";

describe.each([15, 18] as const)('PostgreSQL %i as a whole cluster', (version) => {
  it('is backed up under a writer, restored by itself, and recovered through an archive to a time, an LSN, a named point and the latest (S2, R4)', async () => {
    const { server, person, archive } = await start(version, ['max_connections = 57', 'max_worker_processes = 13', 'max_prepared_transactions = 3', 'max_locks_per_transaction = 71', 'max_wal_senders = 6']);
    const writer = await Writer.connect(server);
    await server.sql("create table big as select i as id, repeat(md5(i::text), 8) as filler from generate_series(1, 10000) i; create unique index on big (id)");
    writer.start();
    const before = writer.last;
    const { backup } = await backUp(person);
    await writer.pause();
    expect(writer.last).toBeGreaterThan(before);
    const shown = (await person.do(['show', backup, '--json'])).stdout;
    expect(shown).toContain('postgres-physical');

    const time = { rows: writer.last, at: await writer.ask('select clock_timestamp()::text') };
    await writer.write(20);
    const lsn = { rows: writer.last, at: await writer.ask('select pg_current_wal_insert_lsn()') };
    await writer.write(20);
    await writer.ask("select pg_create_restore_point('before the drop')");
    await writer.write(20);
    const latest = { rows: writer.last };
    const segment = await writer.ask('select pg_walfile_name(pg_switch_wal())');
    while (!existsSync(join(archive, segment))) await new Promise((resolve) => setTimeout(resolve, 20));
    await writer.end();
    const command = ['--restore-command', `cp ${archive}/%f %p`];

    // By itself: what the backup holds, on the same timeline, without any archive.
    // Also into a directory that was made before, and that others may read.
    mkdirSync(join(dirname(server.data), 'alone'), { mode: 0o755 });
    const alone = await restore(server, person, 'alone', []);
    expect(alone.line.server).toMatchObject({ state: 'running' });
    const [count, , most] = (await alone.ask(ROWS)).split(' ').map(Number) as [number, number, number];
    // Every row up to the last that was committed when the backup ended, and no hole.
    expect(count).toBe(most);
    expect(most).toBeGreaterThanOrEqual(before);
    expect(most).toBeLessThanOrEqual(time.rows);
    expect(await alone.ask('select count(distinct filler) from big')).toBe('10000');
    expect(await alone.ask('select pg_is_in_recovery()')).toBe('false');
    expect(await alone.ask('show archive_mode')).toBe('off');
    // Also over the socket in its directory, for whom pg_hba.conf lets in without a password over TCP.
    const { host: socket, port: at } = { host: alone.directory, port: alone.line.server?.port ?? 0 };
    expect(alone.line.server).toMatchObject({ socket });
    expect(await askAt(server, at, 'select 1', socket)).toBe('1');
    // What a restore writes where there is no postgresql.conf: as the server itself keeps it, in each version.
    const limits = limitsInControl(readFileSync(join(alone.directory, 'global', 'pg_control'))) ?? {};
    expect(Object.keys(limits)).toHaveLength(5);
    for (const [name, value] of Object.entries(limits)) expect([name, await alone.ask(`show ${name}`)]).toEqual([name, String(value)]);
    // Nobody but the owner reads a data directory.
    for (const path of ['', 'base', 'PG_VERSION', 'global/pg_control']) expect(statSync(join(alone.directory, path)).mode & 0o077).toBe(0);

    const toTime = await restore(server, person, 'time', ['--to-time', time.at.replace(' ', 'T'), ...command]);
    expect(await toTime.ask(ROWS)).toBe(`${time.rows} to ${time.rows}`);
    expect(toTime.line.server).toMatchObject({ state: 'running', timeline: 2, stopped: expect.stringMatching(/^before commit of transaction \d+/), lastLsn: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/) });
    expect(await toTime.ask('select pg_is_in_recovery()')).toBe('false');

    // What follows is the same in all versions; failing recoveries are not: 18 answers for a while first.
    await wrongTargets(server, person, { command, archive });
    if (version === 18) return;

    const toLsn = await restore(server, person, 'lsn', ['--to-lsn', lsn.at, '--target-action', 'pause', ...command]);
    expect(toLsn.line.server).toMatchObject({ state: 'paused', stopped: expect.stringMatching(/WAL location \(LSN\)/) });
    expect(await toLsn.ask(ROWS)).toBe(`${lsn.rows} to ${lsn.rows}`);
    expect(await toLsn.ask('select pg_is_in_recovery()')).toBe('true');

    const toName = await restore(server, person, 'name', ['--to-name', 'before the drop', '--target-action', 'shutdown', ...command]);
    expect(toName.line.server).toEqual(expect.objectContaining({ state: 'shut-down', stopped: expect.stringMatching(/at restore point "before the drop"/) }));
    expect(toName.line.server).not.toHaveProperty('pid');
    expect(existsSync(join(toName.directory, 'postmaster.pid'))).toBe(false);

    const toLatest = await restore(server, person, 'latest', ['--to-latest', ...command]);
    expect(await toLatest.ask(ROWS)).toBe(`${latest.rows} to ${latest.rows}`);
    // Nothing of the restored ones went into the archive of the server that they are copies of.
    expect(readdirSync(archive).filter((file) => !file.startsWith('00000001'))).toEqual([]);
  }, 120_000);
});

async function wrongTargets(server: PostgresServer, person: Person, { command, archive }: { readonly command: readonly string[]; readonly archive: string }): Promise<void> {
  const to = (name: string) => ['restore', 'latest:cluster', '--to-data-directory', join(dirname(server.data), name)];
  const rows: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ['a name that nobody made', ['--to-name', 'no such point', ...command, '--start', String(await freePort())], 1, /ended with exit code 1 before recovery was over\. It said: .*recovery ended before configured recovery target was reached[^]*No restore point of that name was met/],
    ['a time before the backup', ['--to-time', '2020-01-01T00:00:00Z', ...command], 1, /lies before the end of the base backup[^]*No base backup in this vault is older than the target/],
    ['a time to come', ['--to-time', '2199-01-01T00:00:00Z', ...command], 1, /lies in the future/],
    ['an LSN before the backup', ['--to-lsn', '0/1', ...command], 1, /lies before the end of the base backup/],
    ['an LSN that is none', ['--to-lsn', 'yesterday', ...command], 2, /is no WAL position/],
    ['no archive', ['--to-latest'], 2, /needs an archive of WAL: the vault has none of this server/],
    ['two targets', ['--to-latest', '--immediate', ...command], 2, /wanted one target at most/],
    ['a timeline without a target', ['--timeline', '2'], 2, /no target was given/],
    ['a part', ['base/1/*'], 2, /restored whole/],
    ['an option of databases', ['--create'], 2, /--create means nothing with --to-data-directory/],
  ];
  for (const [what, options, code, said] of rows) {
    const [ran, where] = [await person.run([...to(`wrong ${what}`.replaceAll(' ', '-')), ...options]), join(dirname(server.data), `wrong ${what}`.replaceAll(' ', '-'))];
    expect({ what, code: ran.code, said: ran.stderr }).toEqual({ what, code, said: expect.stringMatching(said) });
    // What fails before the server is started leaves nothing.
    expect(existsSync(where)).toBe(options.includes('--start'));
  }
  expect((await person.run(['restore', 'latest:cluster', '--to-data-directory', join(dirname(server.data), 'alone')])).stderr).toMatch(/is not empty .* Nothing was done/);
  const planned = await person.do([...to('planned'), '--to-name', 'x', ...command, '--dry-run']);
  expect(planned.stdout).toMatch(/Nothing was done\.[^]*recover to restore point "x"[^]*recovery_target_name = x/);
  expect(existsSync(join(dirname(server.data), 'planned'))).toBe(false);
  expect(readFileSync(join(archive, readdirSync(archive).sort()[0] as string)).length).toBeGreaterThan(0);
}

/** As pg_ctl stop -m immediate; a postmaster that is not our child. */
async function endServer(pid: number): Promise<void> {
  process.kill(pid, 'SIGQUIT');
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

it('WAL comes from the vault when no archive is named; a target in a gap is refused with the windows, and so is a server that may not read the vault (R4)', async () => {
  const { server, person, archive } = await start(15);
  const writer = await Writer.connect(server);
  const first = await backUp(person);
  const moments: { readonly rows: number; readonly at: string }[] = [];
  const segments: string[] = [];
  const bases = [first.backup];
  for (let part = 0; part < 5; part++) {
    const second = part === 4 ? await backUp(person) : undefined;
    if (second) bases.push(second.backup);
    await writer.write(10);
    moments.push({ rows: writer.last, at: (await writer.ask('select clock_timestamp()::text')).replace(' ', 'T') });
    await writer.write(10);
    segments.push(await writer.ask('select pg_walfile_name(pg_switch_wal())'));
  }
  while (!existsSync(join(archive, segments.at(-1) as string))) await new Promise((resolve) => setTimeout(resolve, 20));
  await writer.end();
  for (const name of readdirSync(archive).filter((file) => file.length === 24 && file !== segments[1])) await person.do(['wal-archive', join(archive, name), name, '--plan', 'cluster']);
  const to = (name: string, moment: number) => ['restore', first.backup, '--to-data-directory', join(dirname(server.data), name), '--to-time', moments[moment]?.at ?? ''];

  const gap = await person.run(to('gap', 2));
  expect({ code: gap.code, said: gap.stderr }).toEqual({ code: 1, said: expect.stringMatching(/is in a gap: WAL behind it is missing[^]*There is: timeline 1: .* to .*, times from .* to before/) });
  const beyond = await person.run(to('beyond', 4));
  expect({ code: beyond.code, said: beyond.stderr }).toEqual({ code: 1, said: expect.stringContaining(`Restore ${bases[1]}, which leads there`) });
  const late = await person.run(['restore', 'latest:cluster', '--to-data-directory', join(dirname(server.data), 'late'), '--to-lsn', 'F/0']);
  expect({ code: late.code, said: late.stderr }).toEqual({ code: 1, said: expect.stringMatching(/not before the end of the last WAL/) });

  const { node, script } = reachableProgram(person);
  const restoreBy = async (args: readonly string[]) => ended(spawn(node, [script, ...args], { cwd: person.path('work'), env: person.environment, stdio: ['ignore', 'pipe', 'pipe'] }));
  if (process.getuid?.() === 0) {
    const unreadable = await restoreBy([...to('unreadable', 0), '--start', String(await freePort())]);
    expect({ code: unreadable.code, said: unreadable.stderr }).toEqual({ code: 1, said: expect.stringMatching(/WAL cannot be fetched from the vault by postgres[^]*Nothing was restored/) });
  }
  for (const name of ['gap', 'beyond', 'late', 'unreadable']) expect(existsSync(join(dirname(server.data), name))).toBe(false);

  readableBy(server.data, person);
  const port = await freePort();
  const restored = await restoreBy([...to('fetched', 0), '--start', String(port), '--json']);
  expect(restored).toMatchObject({ code: 0 });
  const line = JSON.parse(restored.stdout) as RestoreLine;
  started.push(line.server?.pid ?? 0);
  expect(await askAt(server, port, ROWS)).toBe(`${moments[0]?.rows} to ${moments[0]?.rows}`);
}, 120_000);

it('a copy that archives into the plan of its origin is told, and a restore must say which of the two to follow (R4)', async () => {
  const { server, person, archive } = await start(15);
  const archived = async (segment: string) => {
    while (!existsSync(join(archive, segment))) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const intoVault = async () => {
    for (const name of readdirSync(archive).filter((file) => /^[0-9A-F]{24}$|history$/.test(file))) await person.do(['wal-archive', join(archive, name), name, '--plan', 'cluster', '--system-id', await systemId(server)]);
    readableBy(server.data, person);
  };
  const writer = await Writer.connect(server);
  await backUp(person);
  await writer.write(10);
  await archived(await writer.ask('select pg_walfile_name(pg_switch_wal())'));
  await intoVault();
  const { node, script } = reachableProgram(person);
  const restoreTo = async (name: string, ...options: readonly string[]) => {
    const port = await freePort();
    const ran = await ended(spawn(node, [script, 'restore', 'latest:cluster', '--to-data-directory', join(dirname(server.data), name), '--start', String(port), '--json', '--to-latest', ...options], { cwd: person.path('work'), env: person.environment, stdio: ['ignore', 'pipe', 'pipe'] }));
    if (ran.code === 0) started.push((JSON.parse(ran.stdout) as RestoreLine).server?.pid ?? 0);
    return { ...ran, ask: (text: string) => askAt(server, port, text) };
  };

  const copy = await restoreTo('copy', '--keep-archiving');
  expect({ code: copy.code, said: copy.stderr }).toEqual({ code: 0, said: '' });
  expect(await copy.ask(ROWS)).toBe('10 to 10');
  await copy.ask('insert into tick values (1000) returning n');
  await archived(await copy.ask('select pg_walfile_name(pg_switch_wal())'));
  await intoVault();
  // So far only the copy went on, as after a failover.
  expect((await person.run(['pitr', 'windows', 'cluster'])).stdout).not.toMatch(/DIVERGED/);
  await writer.write(3);
  await archived(await writer.ask('select pg_walfile_name(pg_switch_wal())'));
  await writer.end();
  await intoVault();

  const shown = await person.run(['pitr', 'windows', 'cluster']);
  expect({ code: shown.code, said: shown.stdout }).toEqual({ code: 3, said: expect.stringMatching(/DIVERGED {2}Timelines 1 and 2 both went on behind [^]*--timeline 1 or --timeline 2/) });
  for (const options of [[], ['--restore-command', `${node} ${script} wal-fetch %f %p --plan cluster --config ${person.path('work', 'holdfast.yaml')}`]]) {
    const refused = await restoreTo('refused', ...options);
    expect({ code: refused.code, said: refused.stderr }).toEqual({ code: 1, said: expect.stringMatching(/nothing was restored\. There is: timeline 2: .*; timeline 1: [^]*`--timeline 1` or `--timeline 2`/) });
  }
  expect(existsSync(join(dirname(server.data), 'refused'))).toBe(false);
  const [origin, other] = [await restoreTo('origin', '--timeline', '1'), await restoreTo('other', '--timeline', '2')];
  expect([origin, other].map(({ code, stderr }) => ({ code, said: stderr }))).toEqual([{ code: 0, said: '' }, { code: 0, said: '' }]);
  expect([await origin.ask(ROWS), await other.ask(ROWS)]).toEqual(['13 to 13', '11 to 1000']);
}, 120_000);

async function systemId(server: PostgresServer): Promise<string> {
  return (await server.sql<{ id: string }>('select system_identifier::text as id from pg_control_system()'))[0]?.id ?? '';
}

it('a second base backup after 1 % of the rows have changed adds little (S2, K3)', async () => {
  const { server, person } = await start(15);
  // On a machine that is slow it begins between the two backups and changes pages that the test did not.
  await server.sql('alter system set autovacuum = off');
  // A segment that is used again holds WAL of before behind its end: of which one, is up to checkpoints.
  await server.sql('alter system set wal_recycle = off');
  await server.sql('select pg_reload_conf()');
  await server.sql('create table big as select i as id, repeat(md5(i::text), 8) as filler, 0 as version from generate_series(1, 200000) i; create unique index on big (id); checkpoint');
  const first = await backUp(person);
  await server.sql('update big set version = 1 where id between 100001 and 102000');
  const second = await backUp(person);
  if (process.env['HOLDFAST_FIGURES']) process.stderr.write(`${JSON.stringify([first.statistics, second.statistics])}\n`);
  // 6 to 8 % mostly; where chunks end is another lot in every vault.
  expect(second.statistics.storedBytes).toBeLessThan(first.statistics.storedBytes * 0.15);
  await person.do(['verify', '--level', 'structure']);
}, 120_000);
