import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { runCli } from '../../lib/cli/main.ts';
import type { WorkerEntries } from '../../lib/engine/start-thread.ts';
import { LocalRuntime } from '../../lib/local/runtime.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const NO_WORKERS: WorkerEntries = { crunch: new URL('file:///none'), restore: new URL('file:///none'), verify: new URL('file:///none') };
const entry = (path: string) => pathToFileURL(join(__dirname, '..', '..', 'lib', path));
/** The threads of the product, for the few tests that back up. */
export const REAL_WORKERS: WorkerEntries = { crunch: entry('engine/worker.ts'), restore: entry('recovery/worker.ts'), verify: entry('validation/worker.ts') };

/** The command line on the local runtime, inside of this process: for commands that start no threads, unless told which. */
export class Desk {
  readonly folder = temporaryFolder();
  readonly #home = join(this.folder, 'home');
  readonly #variables: Readonly<Record<string, string>>;

  readonly #workers: WorkerEntries;

  constructor(variables: Readonly<Record<string, string>> = {}, workers = NO_WORKERS) {
    this.#variables = variables;
    this.#workers = workers;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** What a person types on a terminal. */
  typed: string | undefined;

  async run(...args: readonly string[]): Promise<Ran> {
    mkdirSync(this.#home, { recursive: true });
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const stdin = Object.assign(new PassThrough(), this.typed === undefined ? {} : { isTTY: true });
    if (this.typed !== undefined) stdin.end(this.typed);
    const environment = { variables: this.#variables, home: this.#home, workingFolder: this.folder, temporaryFolder: this.folder };
    const code = await runCli(args, {
      version: '0', clock: systemClock, environment: this.#variables, commandLine: args, workingFolder: this.folder, userName: 'u', stdout, stderr, stdin, signal: new AbortController().signal,
      loadRuntime: async () => new LocalRuntime({ environment, clock: systemClock, workers: this.#workers }),
    });
    return { code, stdout: textOf(stdout), stderr: textOf(stderr) };
  }

  /** For steps that must succeed. */
  async do(...args: readonly string[]): Promise<string> {
    const ran = await this.run(...args);
    if (ran.code !== 0) throw new Error(`holdfast ${args.join(' ')} ended with ${ran.code}: ${ran.stderr}`);
    return ran.stdout;
  }

  async json<T>(...args: readonly string[]): Promise<T[]> {
    return (await this.do(...args, '--json')).trim().split('\n').filter(Boolean).map((line) => JSON.parse(line) as T);
  }
}

function textOf(stream: PassThrough): string {
  return (stream.read() as Buffer | null)?.toString() ?? '';
}
