import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { runCli } from '../../lib/cli/main.ts';
import { LocalRuntime } from '../../lib/local/runtime.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line on the local runtime, inside of this process: for commands that start no threads. */
export class Desk {
  readonly folder = temporaryFolder();
  readonly #home = join(this.folder, 'home');
  readonly #variables: Readonly<Record<string, string>>;

  constructor(variables: Readonly<Record<string, string>> = {}) {
    this.#variables = variables;
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
    const workers = { crunch: new URL('file:///none'), restore: new URL('file:///none'), verify: new URL('file:///none') };
    const code = await runCli(args, {
      version: '0', clock: systemClock, environment: this.#variables, workingFolder: this.folder, userName: 'u', stdout, stderr, stdin, signal: new AbortController().signal,
      loadRuntime: async () => new LocalRuntime({ environment, clock: systemClock, workers }),
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
