#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs';

// Nothing but Node's own modules is loaded before the version of Node is known: the rest would not even parse.
const root = new URL('../', import.meta.url);
const args = process.argv.slice(2);
const WANTED_NODE = 24;

/**
 * For glibc, which reads them once, when a process starts: buffers of a MiB and more go back to the system when they are
 * freed, instead of lying in pools of every thread. A dump's peak falls from 320 to 195 MiB at about the same CPU time (decision 0019).
 */
const ALLOCATOR: Readonly<Record<string, string>> = { MALLOC_MMAP_THRESHOLD_: '1048576', MALLOC_TRIM_THRESHOLD_: '4194304', MALLOC_ARENA_MAX: '2' };
/** Commands that fill such buffers; the others save the 30 ms of a second start. */
const FILLING: ReadonlySet<string> = new Set(['backup', 'restore', 'verify', 'cat', 'export']);

/** Of `wal-fetch` 1 is the end of WAL: whatever this process dies of must not be taken for it (lib/cli/command-table.ts). */
const FAILED = args.includes('wal-fetch') ? 200 : 1;
if (FAILED !== 1) {
  process.on('uncaughtException', (error) => {
    process.stderr.write(`holdfast: ${error.stack ?? String(error)}\n`);
    process.exit(FAILED);
  });
}

if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) process.stdout.write(`${version()}\n`);
else if (await isDoneAhead()) process.exitCode = 0;
else if (Number(process.versions.node.split('.')[0]) >= WANTED_NODE) await run();
else await runWithNewerNode();

/** PostgreSQL calls once for each file; what was done ahead needs no more than the start of Node (`--also-ready`, `--also-next`). */
async function isDoneAhead(): Promise<boolean> {
  const [command, first = '-', second = '-', ...words] = args;
  if (first.startsWith('-') || second.startsWith('-')) return false;
  const place = { words, environment: process.env, workingFolder: process.cwd() };
  if (command === 'wal-archive' && words.includes('--also-ready')) return (await import('../lib/backup/wal/acknowledged.ts')).takeAcknowledged(place, first, second);
  if (command === 'wal-fetch' && words.includes('--also-next')) return (await import('../lib/recovery/pitr/fetched-ahead.ts')).takeFetched({ ...place, now: Date.now() }, first, second);
  return false;
}

async function run(): Promise<void> {
  const isSet = 'MALLOC_MMAP_THRESHOLD_' in process.env;
  if (!isSet && FILLING.has(args[0] ?? '') && process.platform === 'linux' && process.execve) return startAgain();
  // Programs that are started from here choose for themselves.
  if (Object.entries(ALLOCATOR).every(([name, value]) => process.env[name] === value)) for (const name of Object.keys(ALLOCATOR)) delete process.env[name];
  const { main } = await import('./holdfast-main.ts');
  await main(args, version());
}

/** The same process, the same program, the allocator set. */
function startAgain(): void {
  // Node calls it experimental, which is no concern of whoever runs a backup.
  process.removeAllListeners('warning');
  process.execve?.(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], { ...process.env, ...ALLOCATOR });
}

/** The package brings its own Node for the scripts of older ones. */
async function runWithNewerNode(): Promise<void> {
  const node = new URL('node_modules/node/bin/node', root);
  if (!existsSync(node)) {
    process.stderr.write(`holdfast: Node ${process.versions.node} is too old, wanted ${WANTED_NODE} or newer.\nInstall it from https://nodejs.org, or run \`npm install\` in the directory of Holdfast, which brings one.\n`);
    process.exitCode = FAILED;
    return;
  }
  const { spawn } = await import('node:child_process');
  const { fileURLToPath } = await import('node:url');
  // The channel tells the child when this process dies, however it dies: what is killed here must stop there.
  const child = spawn(fileURLToPath(node), [...process.execArgv, fileURLToPath(import.meta.url), ...args], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], env: { ...process.env, ...ALLOCATOR, HOLDFAST_STARTED_BY: String(process.pid) } });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : FAILED);
  });
}

function version(): string {
  return (JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string }).version;
}
