import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { installed } from '../support/servers/servers.ts';

export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** One entry as `entries` prints it; paths and targets are base64. */
export interface ReadEntry {
  readonly path: string;
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: string;
  readonly flags: number;
  readonly size?: number;
  readonly sha256?: string;
  readonly target?: string;
  readonly link?: number;
  readonly device?: readonly number[];
  readonly sparse?: true;
  readonly unreadable?: true;
  readonly xattrs?: readonly { readonly name: string; readonly value: string }[];
}

/** `test/independent-reader/reader.py` as one process that takes a command a line; it shares no line with the product. */
export class PythonReader {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  #complaints = '';

  constructor() {
    this.#child = spawn(installed('py', 'bin', 'python'), ['-B', join(__dirname, 'reader.py'), '-', '-'], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr?.on('data', (data: Buffer) => (this.#complaints += data.toString()));
    // A reader that died does not take its next command; the answer that is missing tells why.
    this.#child.stdin?.on('error', () => undefined);
    this.#answers = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  }

  /** Everything that it printed before it refused or came to the end. */
  async ask<T>(args: readonly string[]): Promise<{ readonly lines: readonly T[]; readonly refusal: Refusal | null }> {
    this.#child.stdin?.write(`${JSON.stringify(args)}\n`);
    const lines: T[] = [];
    for (;;) {
      const { value, done } = await this.#answers.next();
      if (done) throw new Error(`the reader died over ${args.join(' ')}: ${this.#complaints}`);
      const line = JSON.parse(value) as T & { readonly ended?: Refusal | null };
      if (line.ended !== undefined) return { lines, refusal: line.ended };
      lines.push(line);
    }
  }

  /** For what must succeed. */
  async read<T>(args: readonly string[]): Promise<readonly T[]> {
    const { lines, refusal } = await this.ask<T>(args);
    if (refusal) throw new Error(`the reader refused ${args.join(' ')}: ${refusal.code}: ${refusal.message}`);
    return lines;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin?.end();
    await ended;
  }
}
