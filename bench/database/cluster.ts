import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export const PG_15 = '/usr/lib/postgresql/15/bin';

/** PostgreSQL refuses root, and every tool works as its user: what one of them writes, the server can read. */
export function asPostgres(program: string, args: readonly string[]): [string, string[]] {
  return ['setpriv', ['--reuid', 'postgres', '--regid', 'postgres', '--init-groups', program, ...args]];
}

export function folderOfPostgres(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { uid, gid } = statSync('/var/lib/postgresql');
  chownSync(path, uid, gid);
  return path;
}

/** A PostgreSQL 15 server on 127.0.0.1 and a socket in its folder, without flushing: every tool is measured on the same. */
export class Cluster {
  readonly data: string;
  readonly port: number;
  readonly socket: string;
  #isRunning = false;

  constructor(place: { readonly data: string; readonly socket: string; readonly port: number }) {
    this.data = place.data;
    this.socket = folderOfPostgres(place.socket);
    this.port = place.port;
  }

  static isInstalled(): boolean {
    return existsSync(join(PG_15, 'postgres'));
  }

  make(): void {
    run('initdb', ['-D', this.data, '-A', 'trust', '--no-sync', '-E', 'UTF8', '--no-locale']);
  }

  /** Waits until it takes connections, and, where the directory was restored, until recovery is over. */
  start(settings: readonly string[]): void {
    const all = [`port=${this.port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${this.socket}`, 'fsync=off', 'shared_buffers=512MB', 'autovacuum=off', ...settings];
    run('pg_ctl', ['-D', this.data, '-w', '-t', '600', '-l', join(this.data, 'bench.log'), '-o', all.map((setting) => `-c ${setting}`).join(' '), 'start']);
    this.#isRunning = true;
    // pg_ctl answers as soon as the server can be asked, which with hot standby is before recovery is over.
    for (let waited = 0; this.sql('select pg_is_in_recovery()', 'postgres') === 't'; waited++) {
      if (waited > 600) throw new Error(`the server in ${this.data} is still in recovery after 60 s: see bench.log there`);
      spawnSync('sleep', ['0.1']);
    }
  }

  stop(): void {
    if (!this.#isRunning) return;
    run('pg_ctl', ['-D', this.data, '-w', '-m', 'fast', 'stop']);
    this.#isRunning = false;
  }

  /** What the last statement answers, as text without a heading. */
  sql(text: string, database = 'bench'): string {
    return run('psql', ['-X', '-At', '-q', '-v', 'ON_ERROR_STOP=1', '-h', this.socket, '-p', String(this.port), '-d', database, '-c', text]).trim();
  }

  /** Rows in the text format of COPY. */
  async copy(table: string, rows: Iterable<string>): Promise<void> {
    const [command, args] = asPostgres(join(PG_15, 'psql'), ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', this.socket, '-p', String(this.port), '-d', 'bench', '-c', `copy ${table} from stdin`]);
    const child = spawn(command, args, { cwd: '/', stdio: ['pipe', 'inherit', 'inherit'] });
    const ended = once(child, 'close');
    await pipeline(Readable.from(rows), child.stdin);
    const [exitCode] = (await ended) as [number | null];
    if (exitCode !== 0) throw new Error(`psql ended with ${exitCode} while it filled ${table}`);
  }

  /** A count and a digest of all rows, whatever their order, and the definitions: of each table one line. */
  digests(database: string): string {
    const tables = this.sql(`select quote_ident(relname) from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`, database).split('\n').filter(Boolean);
    const rows = tables.map((table) => `${table} ${this.sql(`select count(*), sum(hashtextextended(t::text, 0)), sum(hashtextextended(t::text, 1)) from ${table} t`, database)}`);
    return [...rows, this.sql(`select string_agg(indexdef, E'\\n' order by indexdef) from pg_indexes where schemaname = 'public'`, database)].join('\n');
  }
}

function run(program: string, args: readonly string[]): string {
  const [command, all] = asPostgres(join(PG_15, program), args);
  // The server keeps what it gets for standard error: a pipe would never end.
  const isServer = program === 'pg_ctl';
  const done = spawnSync(command, all, { encoding: 'utf8', cwd: '/', stdio: ['ignore', isServer ? 'ignore' : 'pipe', isServer ? 'ignore' : 'pipe'], maxBuffer: 1 << 26 });
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${done.status}: ${done.stderr ?? 'see bench.log in the data directory'}`);
  return done.stdout ?? '';
}
