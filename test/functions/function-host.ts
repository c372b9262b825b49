import { execFile, spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const SCRIPT = join(__dirname, '..', '..', 'scripts', 'build-functions.mjs');

export interface BuiltFunction {
  readonly name: string;
  readonly folder: string;
  readonly bytes: number;
}

/** Builds into a folder of the caller's, as the stack does at synth. In a process of its own: esbuild's types stay outside. */
export async function buildFunctions(folder: string): Promise<readonly BuiltFunction[]> {
  const code = `const { buildFunctions } = await import(${JSON.stringify(pathToFileURL(SCRIPT).href)}); process.stdout.write(JSON.stringify(await buildFunctions(${JSON.stringify(folder)})));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code]);
  return JSON.parse(stdout) as BuiltFunction[];
}

export type Invoked = { readonly result: unknown } | { readonly error: { readonly name: string; readonly message: string } };

/** Loads each bundle once, as a warm Lambda does; what is not an answer is log. */
const PROGRAM = `
import { createInterface } from 'node:readline';
for await (const line of createInterface({ input: process.stdin })) {
  const { name, event } = JSON.parse(line);
  let answer;
  try {
    const { handler } = await import(process.env.FUNCTIONS_FOLDER + '/' + name + '/index.mjs');
    answer = { result: (await handler(event)) ?? null };
  } catch (error) {
    answer = { error: { name: error.name, message: error.message } };
  }
  process.stdout.write('@answer ' + JSON.stringify(answer) + '\\n');
}
`;

/** The bundles of the functions in one process of their own, called with events. */
export class FunctionHost {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: ((answer: Invoked) => void)[] = [];
  readonly log: string[] = [];

  constructor(folder: string, environment: Readonly<Record<string, string>>) {
    const { PATH = '', NODE_EXTRA_CA_CERTS } = process.env;
    const env = { PATH, ...(NODE_EXTRA_CA_CERTS !== undefined && { NODE_EXTRA_CA_CERTS }), FUNCTIONS_FOLDER: pathToFileURL(join(folder)).href, ...environment };
    this.#child = spawn(process.execPath, ['--enable-source-maps', '--input-type=module', '-e', PROGRAM], { env, stdio: ['pipe', 'pipe', 'pipe'] });
    createInterface({ input: this.#child.stdout }).on('line', (line) => (line.startsWith('@answer ') ? this.#waiting.shift()?.(JSON.parse(line.slice(8)) as Invoked) : this.log.push(line)));
    createInterface({ input: this.#child.stderr }).on('line', (line) => this.log.push(line));
    this.#child.on('exit', () => {
      for (const answer of this.#waiting.splice(0)) answer({ error: { name: 'exit', message: this.log.slice(-20).join('\n') } });
    });
  }

  /** One call at a time and in order, as one Lambda environment. */
  invoke(name: string, event: unknown): Promise<Invoked> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#child.stdin.write(`${JSON.stringify({ name, event })}\n`);
    });
  }

  /** The answer of a call that must succeed. */
  async call(name: string, event: unknown): Promise<unknown> {
    const answer = await this.invoke(name, event);
    if ('error' in answer) throw new Error(`${name}: ${answer.error.message}\n${this.log.slice(-5).join('\n')}`);
    return answer.result;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin.end();
    await ended;
  }
}
