import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../model/clock.ts';

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The program could not even be started. */
  readonly startError?: NodeJS.ErrnoException;
}

export interface StartOptions {
  /** Descriptor that becomes the child's standard output. */
  readonly stdout: number | 'ignore' | 'pipe';
  /** Descriptor that becomes its standard input; none by default. */
  readonly stdin?: number | 'pipe';
  /** Descriptor that becomes its descriptor 3. */
  readonly third?: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly folder: string | undefined;
  readonly onStderr: (bytes: Uint8Array) => void;
}

const GRACE_MILLISECONDS = 5000;
const POLL_MILLISECONDS = 20;
/** Left to a child's last words when something that it started keeps its standard error open. */
const LAST_WORDS_MILLISECONDS = 500;

/** A second Ctrl-C ends this process at once; being groups of their own, children would not hear of it. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const { pid } of running) if (pid !== undefined) trySignal(pid, 'SIGKILL');
});

/** A child in a process group of its own, so that a shell's children end with it; without a terminal to ask at. */
export class ProcessGroup {
  /** Never rejects. */
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  #killing: Promise<void> | undefined;

  constructor(program: readonly string[], options: StartOptions, clock: Clock) {
    const [name = '', ...words] = program;
    this.#clock = clock;
    this.#child = spawn(name, words, {
      stdio: [options.stdin ?? 'ignore', options.stdout, 'pipe', ...(options.third === undefined ? [] : [options.third])],
      detached: true,
      env: options.environment,
      ...(options.folder !== undefined && { cwd: options.folder }),
    });
    this.#child.stderr?.on('data', options.onStderr);
    this.ended = this.#watch();
    running.add(this.#child);
    void this.ended.then(() => running.delete(this.#child));
  }

  /** With `stdin: 'pipe'`. */
  get input(): Writable {
    return this.#child.stdin as Writable;
  }

  /** With `stdout: 'pipe'`. */
  get output(): Readable {
    return this.#child.stdout as Readable;
  }

  /** SIGTERM to the whole group, SIGKILL to what is left of it after a grace; returns when the child has ended. */
  kill(): Promise<void> {
    this.#killing ??= this.#kill();
    return this.#killing;
  }

  async #kill(): Promise<void> {
    this.#send('SIGTERM');
    for (let waited = 0; this.#send(0) && waited < GRACE_MILLISECONDS; waited += POLL_MILLISECONDS) await this.#clock.sleep(POLL_MILLISECONDS);
    this.#send('SIGKILL');
    await this.ended;
  }

  /** Signal 0 only asks. False when nothing of the group is left. */
  #send(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.#child;
    return pid !== undefined && trySignal(pid, signal);
  }

  #watch(): Promise<ProcessEnd> {
    const child = this.#child;
    const exited = new Promise<ProcessEnd>((resolve) => {
      child.once('error', (startError: NodeJS.ErrnoException) => resolve({ code: null, signal: null, startError }));
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    const said = new Promise<void>((resolve) => (child.stderr ? child.stderr.once('close', () => resolve()) : resolve()));
    return exited.then(async (end) => {
      const stop = new AbortController();
      await Promise.race([said, this.#clock.sleep(LAST_WORDS_MILLISECONDS, stop.signal).catch(() => undefined)]);
      stop.abort();
      child.stderr?.destroy();
      return end;
    });
  }
}

function trySignal(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false; // ESRCH: all of them have ended.
  }
}
