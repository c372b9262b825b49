import type { ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Client } from 'pg';
import { Person } from '../e2e/program.ts';
import { startPostgres } from './servers/postgres.ts';
import type { PostgresServer, PostgresVersion } from './servers/postgres.ts';

/** Somebody who protects a cluster to the moment: a server, a vault, a plan `cluster`. */
export async function protectedCluster(version: PostgresVersion, { settings = [], wal = 'fetch' }: { readonly settings?: readonly string[]; readonly wal?: 'fetch' | 'none' } = {}): Promise<{ readonly server: PostgresServer; readonly person: Person }> {
  const server = await startPostgres({ version, settings: ['track_commit_timestamp = on', 'max_wal_size = 256MB', 'synchronous_commit = on', ...settings] });
  const person = new Person({ HOLDFAST_POSTGRES_BIN: server.binaries, APP_PASSWORD: server.password });
  writeFileSync(person.path('work', 'holdfast.yaml'), `vaults:\n  v: { directory: ../vault, key-file: ../key }\nplans:\n  cluster: { vault: v, source: { type: postgres, mode: physical, wal: ${wal}, host: ${server.host}, port: ${server.port}, user: ${server.user}, password: "\${env:APP_PASSWORD}" } }\n`);
  await person.do(['init', '--no-yaml', '--vault', '../vault', '--key-file', '../key']);
  return { server, person };
}

/** `holdfast wal-receive` under way. */
export class Receiving {
  readonly child: ChildProcess;
  said = '';

  constructor(person: Person, ...options: readonly string[]) {
    this.child = person.start(['wal-receive', 'cluster', '--json', ...options]);
    for (const stream of [this.child.stdout, this.child.stderr]) stream?.on('data', (bytes: Buffer) => (this.said += bytes.toString()));
  }

  /** Fails with everything that was said when it ends before, or after a minute. */
  async until(isSeen: (said: string) => boolean): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (!isSeen(this.said)) {
      if (this.child.exitCode !== null || Date.now() > deadline) throw new Error(`wal-receive (${this.child.exitCode ?? 'running'}) said: ${this.said}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async stop(): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    const ended = new Promise<number | null>((resolve) => this.child.once('close', (code) => resolve(code)));
    this.child.kill('SIGTERM');
    return ended;
  }
}

/** Commits numbered rows, one after another, and goes on when the server comes back. Rows are numbered by the server alone. */
export class Ticker {
  readonly #server: PostgresServer;
  readonly #pauseMs: number;
  #isStopped = false;
  #running: Promise<void> = Promise.resolve();
  committed = 0;

  constructor(server: PostgresServer, pauseMs: number) {
    this.#server = server;
    this.#pauseMs = pauseMs;
  }

  async start(): Promise<void> {
    await this.#server.sql('create table if not exists tick (n bigint generated always as identity primary key, filler text)');
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const { host, port, user, password } = this.#server;
    while (!this.#isStopped) {
      const client = new Client({ host, port, user, password, database: 'postgres' });
      client.on('error', () => undefined);
      try {
        await client.connect();
        for (; !this.#isStopped; await pause(this.#pauseMs)) {
          await client.query('insert into tick (filler) values (repeat(md5(random()::text), 4))');
          this.committed += 1;
        }
      } catch {
        await pause(100); // The server is down, or coming up.
      } finally {
        await client.end().catch(() => undefined);
      }
    }
  }
}

export interface Commit {
  readonly n: number;
  /** By the server's clock. */
  readonly microseconds: number;
}

/** What was committed when, as the server itself recorded it. */
export async function commitsOf(server: PostgresServer): Promise<Commit[]> {
  const rows = await server.sql<{ n: string; at: string }>('select n, (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000000)::bigint as at from tick order by 2, 1');
  return rows.map(({ n, at }) => ({ n: Number(n), microseconds: Number(at) }));
}

/** As PostgreSQL reads it. */
export function instant(microseconds: number): string {
  return `${new Date(Math.floor(microseconds / 1000)).toISOString().slice(0, 19)}.${String(microseconds % 1_000_000).padStart(6, '0')}Z`;
}

/** SIGKILL to the processes of that name that write below `folder`; answers how many there were. */
export function killReceivers(folder: string): number {
  const found = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry)).filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return basename(words[0] ?? '') === 'pg_receivewal' && words.some((word) => word.startsWith(folder));
    } catch {
      return false; // It has ended meanwhile.
    }
  });
  for (const pid of found) process.kill(Number(pid), 'SIGKILL');
  return found.length;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
