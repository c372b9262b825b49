import { fstatSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { ByteString } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError } from '../model/errors.ts';
import { attributesAt } from './attributes.ts';
import { nudgeReaders } from './nudge.ts';
import type { OpenStream, SourceStream, StreamProof, StreamSeen, StreamSource } from './source.ts';

export interface StdinOptions {
  /** Name of the entry. */
  readonly name: ByteString;
  /** Bytes; less input fails the run. Standard input cannot tell a cut stream from a whole one: this is all there is. */
  readonly minimumBytes: number;
  readonly clock: Clock;
  /** 0; another descriptor in tests. */
  readonly fd?: number;
}

/** Standard input as one entry. Its producer's exit code is not seen: a command source (S12) is safer. */
export class StdinSource implements StreamSource {
  readonly shape = 'streams';
  readonly type = 'stdin';
  readonly description = 'standard input';
  readonly #options: StdinOptions;
  readonly #fd: number;

  constructor(options: StdinOptions) {
    this.#options = options;
    this.#fd = options.fd ?? 0;
  }

  async check(): Promise<void> {
    if (isatty(this.#fd)) {
      throw new HoldfastError('usage', 'Standard input is a terminal, wanted a pipe or a file.', { nextStep: 'Pipe a program into it: `pg_dump mydb | holdfast backup - --stdin-name mydb.sql`.' });
    }
    if (!isOpen(this.#fd)) throw new HoldfastError('usage', 'Standard input is closed or a folder, wanted a pipe or a file.', { nextStep: 'Pipe a program or a file into it.' });
  }

  async *streams(signal: AbortSignal): AsyncIterable<SourceStream> {
    await this.check();
    const status = fstatSync(this.#fd);
    const { name, clock } = this.#options;
    yield { name, attributes: attributesAt(clock.now()), ...(status.isFile() && { sizeHint: status.size }), open: async () => this.#open(signal) };
  }

  #open(signal: AbortSignal): OpenStream {
    signal.throwIfAborted();
    // A blocked reader cannot be asked to stop, and the producer is not ours to kill.
    const onAbort = () => nudgeReaders(this.#fd);
    signal.addEventListener('abort', onAbort, { once: true });
    let isFinished = false;
    return {
      fd: this.#fd,
      finish: async (seen) => {
        const proof = this.#judge(seen, signal);
        isFinished = true;
        return proof;
      },
      close: async () => {
        signal.removeEventListener('abort', onAbort);
        if (!isFinished && !signal.aborted) onAbort();
      },
    };
  }

  #judge({ bytes }: StreamSeen, signal: AbortSignal): StreamProof {
    if (signal.aborted) throw new HoldfastError('interrupted', `Reading standard input was stopped after ${bytes} bytes.`, { cause: signal.reason });
    const { minimumBytes } = this.#options;
    if (bytes >= minimumBytes) return { bytes, evidence: ['end of input'] };
    throw new HoldfastError('source-failed', `Standard input ended after ${bytes} bytes, wanted at least ${minimumBytes}.`, { nextStep: 'Nothing of this run is kept. Check the program that writes into the pipe.' });
  }
}

function isOpen(fd: number): boolean {
  try {
    return !fstatSync(fd).isDirectory();
  } catch {
    return false;
  }
}
