import { homedir, tmpdir, userInfo } from 'node:os';
import { runCli } from '../lib/cli/main.ts';
import type { Runtime } from '../lib/cli/runtime.ts';
import { systemClock } from '../lib/model/clock.ts';
import { HoldfastError } from '../lib/model/errors.ts';

const isSource = import.meta.url.endsWith('.ts');

/** Puts the command line on the local runtime: the only place where both are known. */
export async function main(args: readonly string[], version: string): Promise<void> {
  quietExperimentalWarnings();
  dieWithStarter();
  const environment = { variables: process.env, home: homedir(), workingFolder: process.cwd(), temporaryFolder: tmpdir() };
  const loadRuntime = async (stackName?: string): Promise<Runtime> => {
    const options = { environment, clock: systemClock, workers: workerEntries(), ...(!isSource && { kit: { script: new URL('./kit.mjs', import.meta.url), page: new URL('./kit-README.txt', import.meta.url) } }) };
    if (stackName !== undefined) return new (await import('../lib/local/stack-runtime.ts')).StackRuntime(options, stackName);
    return new (await import('../lib/local/runtime.ts')).LocalRuntime(options);
  };
  const { stdout, stderr } = process;
  const exitCode = await runCli(args, {
    version, stdout, stderr, clock: systemClock, environment: process.env, commandLine: args, workingFolder: environment.workingFolder, userName: userInfo().username, signal: stopSignal(), loadRuntime,
    // Only for a prompt: merely looking at `process.stdin` makes a pipe non-blocking, and reading a dump from it many times slower.
    get stdin() {
      return process.stdin;
    },
  });
  // A pipe takes what its reader has room for; the rest waits in this process, and `exit` would drop it.
  await Promise.all([stdout, stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))));
  process.exit(exitCode);
}

/** A terminal signals all its processes, and those that started us pass theirs on: within this time it is the same signal. */
const SAME_SIGNAL_MILLISECONDS = 500;

/** The first signal asks for a clean stop, the second ends the process at once. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  let firstAt = 0;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted && Date.now() - firstAt < SAME_SIGNAL_MILLISECONDS) return;
      if (controller.signal.aborted) process.exit(130);
      firstAt = Date.now();
      controller.abort(new HoldfastError('interrupted', `Stopped by ${name}.`, { nextStep: 'Run the same command again: it goes on from what is done.' }));
    });
  }
  // Whoever reads our output may have seen enough (`holdfast ls | head`).
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  return controller.signal;
}

/** Started by `bin/holdfast.ts` of an older Node: when that is killed, this run is what somebody wanted to kill. */
function dieWithStarter(): void {
  if (process.env['HOLDFAST_STARTED_BY'] === undefined) return;
  delete process.env['HOLDFAST_STARTED_BY'];
  const die = () => process.kill(process.pid, 'SIGKILL');
  // It may have been killed while this process was still loading: no event tells of that any more.
  if (!process.connected) die();
  process.on('disconnect', die);
  process.channel?.unref();
}

/** In the bundle workers lie beside this file, in the sources where they are written. */
function workerEntries() {
  const entry = (bundle: string, source: string) => new URL(isSource ? `../lib/${source}` : `./${bundle}`, import.meta.url);
  return { crunch: entry('worker.mjs', 'engine/worker.ts'), restore: entry('restore-worker.mjs', 'recovery/worker.ts'), verify: entry('verify-worker.mjs', 'validation/worker.ts') };
}

/** node:sqlite and type stripping say that they are experimental; a person who makes a backup cannot act on it. */
function quietExperimentalWarnings(): void {
  const listeners = process.listeners('warning');
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (warning.name !== 'ExperimentalWarning') for (const listener of listeners) listener(warning);
  });
}
