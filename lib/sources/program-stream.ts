import { closeSync } from 'node:fs';
import { HoldfastError } from '../model/errors.ts';
import { nudgeReaders } from './nudge.ts';
import type { ProcessEnd } from './process-group.ts';
import type { Program } from './program.ts';

export interface ProgramStreamOptions {
  /** In the order of their pipe. */
  readonly programs: readonly Program[];
  /** Where the last of them can be read; closed with the stream. */
  readonly fd: number;
  /** Begins the message of a stream that was stopped: `The dump of database app at …`. */
  readonly what: string;
  readonly signal: AbortSignal;
  /** Removes what the programs needed. Callable twice. */
  readonly release?: () => Promise<void>;
}

/**
 * A stream that programs write, until its proof: they end when the run is stopped or the stream is closed too early, and a
 * reader that waits for them goes on. Whether what they wrote is whole is for others to judge.
 */
export class ProgramStream {
  readonly fd: number;
  readonly #options: ProgramStreamOptions;
  readonly #onAbort = () => void this.#end();
  #isProved = false;
  #isClosed = false;

  constructor(options: ProgramStreamOptions) {
    const { fd, signal } = options;
    this.fd = fd;
    this.#options = options;
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Of all of them. Never rejects. */
  ends(): Promise<ProcessEnd[]> {
    return Promise.all(this.#options.programs.map(({ group }) => group.ended));
  }

  /** Fails as `interrupted` when the run was stopped; `bytes` were read until then. */
  throwIfStopped(bytes: number): void {
    const { signal, what } = this.#options;
    if (signal.aborted) throw new HoldfastError('interrupted', `${what} was stopped after ${bytes} bytes.`, { cause: signal.reason });
  }

  /** Nothing needs to be ended any more. */
  markProved(): void {
    this.#isProved = true;
  }

  /** Callable twice. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { signal, release } = this.#options;
    signal.removeEventListener('abort', this.#onAbort);
    if (!this.#isProved) await this.#end();
    closeSync(this.fd);
    await release?.();
  }

  /** The end of a group is the end of its pipe, unless one of it went into a group of its own. */
  async #end(): Promise<void> {
    await Promise.all(this.#options.programs.map(({ group }) => group.kill()));
    nudgeReaders(this.fd);
  }
}
