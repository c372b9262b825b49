import { existsSync } from 'node:fs';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';

/** Where `scripts/servers.sh` puts what tests run for real; never skipped in silence. */
export const SERVERS = join(__dirname, '..', '..', '..', '.servers');

export interface RunningServer {
  readonly port: number;
  readonly pid: number;
  /** Everything it printed so far. */
  output(): string;
  stop(): Promise<void>;
}

/** The path of something that the test command installs. */
export function installed(...parts: readonly string[]): string {
  const path = join(SERVERS, ...parts);
  if (!existsSync(path)) throw new Error(`${parts.join('/')} is not installed below .servers/: run scripts/servers.sh (npm test does)`);
  return path;
}

/** Below the range from which clients get theirs, so that nobody takes it between asking and using. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port between 20000 and 32000');
}

/** Starts a server in a process group of its own and waits until `isUp` says so. */
export async function startServer(command: string, args: readonly string[], options: { readonly port: number; readonly env?: Readonly<Record<string, string>>; readonly folder?: string; readonly isUp: () => Promise<boolean>; readonly patienceMs?: number }): Promise<RunningServer> {
  const child = spawn(command, args, { cwd: options.folder, env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-200_000)));
  const deadline = Date.now() + (options.patienceMs ?? 30_000);
  while (!(await options.isUp().catch(() => false))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop(child);
      throw new Error(`${command} did not come up on port ${options.port}: ${output.slice(-2000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { port: options.port, pid: child.pid as number, output: () => output, stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    try {
      process.kill(-(child.pid as number), signal);
    } catch {
      return;
    }
    if (await Promise.race([ended.then(() => true), new Promise<false>((resolve) => setTimeout(() => resolve(false), 5000).unref())])) return;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
