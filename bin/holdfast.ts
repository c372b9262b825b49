#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs';

// Nothing but Node's own modules is loaded before the version of Node is known: the rest would not even parse.
const root = new URL('../', import.meta.url);
const args = process.argv.slice(2);
const WANTED_NODE = 24;

if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) process.stdout.write(`${version()}\n`);
else if (Number(process.versions.node.split('.')[0]) >= WANTED_NODE) await run();
else await runWithNewerNode();

async function run(): Promise<void> {
  const { main } = await import('./holdfast-main.ts');
  await main(args, version());
}

/** The package brings its own Node for the scripts of older ones. */
async function runWithNewerNode(): Promise<void> {
  const node = new URL('node_modules/node/bin/node', root);
  if (!existsSync(node)) {
    process.stderr.write(`holdfast: Node ${process.versions.node} is too old, wanted ${WANTED_NODE} or newer.\nInstall it from https://nodejs.org, or run \`npm install\` in the directory of Holdfast, which brings one.\n`);
    process.exitCode = 1;
    return;
  }
  const { spawn } = await import('node:child_process');
  const { fileURLToPath } = await import('node:url');
  // The channel tells the child when this process dies, however it dies: what is killed here must stop there.
  const child = spawn(fileURLToPath(node), [...process.execArgv, fileURLToPath(import.meta.url), ...args], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], env: { ...process.env, HOLDFAST_STARTED_BY: String(process.pid) } });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
  });
}

function version(): string {
  return (JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string }).version;
}
