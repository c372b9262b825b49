import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startServer } from './servers.ts';
import type { RunningServer } from './servers.ts';

export interface MariadbServer extends RunningServer {
  readonly host: '127.0.0.1';
  /** May do everything, over TCP with its password. */
  readonly user: 'holdfast';
  readonly password: string;
  readonly socket: string;
  /** Runs statements as the administrator and answers the rows of all of them as columns of text, as the program prints them. */
  sql(text: string, database?: string): Promise<string[][]>;
  /** As if the power went: nothing is said goodbye to. */
  kill(): Promise<void>;
}

export interface MariadbStart {
  readonly port?: number;
  /** Arguments of mariadbd. */
  readonly settings?: readonly string[];
}

const PASSWORD = 'tést "pass#w\\rd-9e2c\'';
const SERVER = '/usr/sbin/mariadbd';

/** A MariaDB server of its own in a temporary folder; loopback and a socket, never a system service. */
export async function startMariadb({ port, settings = [] }: MariadbStart = {}): Promise<MariadbServer> {
  if (!existsSync(SERVER)) throw new Error(`${SERVER} is not there: install mariadb-server-core (scripts/servers.sh does on Debian as root)`);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-mariadb-'));
  try {
    return await startIn(folder, port ?? (await freePort()), settings);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

async function startIn(folder: string, port: number, settings: readonly string[]): Promise<MariadbServer> {
  const [data, socket] = [join(folder, 'data'), join(folder, 'socket')];
  const account = process.getuid?.() === 0 ? ['--user=root'] : [];
  mkdirSync(data);
  const made = spawnSync('mariadb-install-db', ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db', ...account], { encoding: 'utf8', cwd: folder });
  if (made.status !== 0) throw new Error(`mariadb-install-db ended with ${made.status}: ${made.stdout}${made.stderr}`);
  const owner = join(folder, 'owner.cnf');
  writeFileSync(owner, `[client]\nprotocol=socket\nsocket=${socket}\nuser=root\ndefault-character-set=utf8mb4\n`, { mode: 0o600 });
  const sql = (text: string, database?: string) => ask(owner, text, database);
  const server = await startServer(
    SERVER,
    ['--no-defaults', `--datadir=${data}`, `--socket=${socket}`, `--port=${port}`, '--bind-address=127.0.0.1', '--skip-name-resolve', '--character-set-server=utf8mb4', '--innodb-flush-log-at-trx-commit=0', '--innodb-buffer-pool-size=64M', '--event-scheduler=OFF', ...account, ...settings],
    { port, folder, isUp: async () => (await sql('select 1')).length === 1 },
  );
  await sql(`create user holdfast@'%' identified by ${literal(PASSWORD)}; grant all on *.* to holdfast@'%' with grant option`);
  const end = async (signal: NodeJS.Signals) => {
    try {
      process.kill(server.pid, signal);
    } catch {
      // ESRCH: it has ended.
    }
    await server.stop();
  };
  return {
    ...server, host: '127.0.0.1', user: 'holdfast', password: PASSWORD, socket, sql,
    kill: () => end('SIGKILL'),
    stop: async () => {
      await end('SIGTERM');
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}

function ask(options: string, text: string, database?: string): Promise<string[][]> {
  return new Promise((resolve, reject) => {
    const child = execFile('mariadb', [`--defaults-file=${options}`, '--batch', '--skip-column-names', '--max-allowed-packet=1G', ...(database === undefined ? [] : [database])], { maxBuffer: 1 << 29, env: { PATH: process.env['PATH'], LC_ALL: 'C' } }, (error, stdout, stderr) => {
      if (error) return reject(new Error(`mariadb ended with ${error.code}: ${stderr}`));
      resolve(stdout === '' ? [] : stdout.replace(/\n$/, '').split('\n').map((row) => row.split('\t')));
    });
    child.stdin?.on('error', () => undefined); // It ended early; its exit code says why.
    child.stdin?.end(text);
  });
}

export function literal(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`;
}
