import { closeSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { HoldfastError } from '../model/errors.ts';
import { makePipe } from './pipe.ts';
import type { OpenStream, StreamProof, StreamSeen } from './source.ts';

export interface WrittenStreamOptions {
  /** For people: `index logs at https://…`. */
  readonly what: string;
  /** Of the stream, once; ends only when all was given. It is told of an abort by whoever made it. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Asked for when `bytes` has ended and all of it was read. */
  readonly proof: (bytes: number) => Omit<StreamProof, 'bytes'>;
  readonly temporaryFolder: string;
  readonly signal: AbortSignal;
}

const writeOnce = promisify(write);

/** A stream that this process makes itself: bytes from an iterable, through a pipe, to whoever reads it. */
export async function openWrittenStream(options: WrittenStreamOptions): Promise<OpenStream> {
  const { readEnd, writeEnd } = await makePipe(options.temporaryFolder);
  return new WrittenStream(options, readEnd, writeEnd);
}

class WrittenStream implements OpenStream {
  readonly fd: number;
  readonly #options: WrittenStreamOptions;
  readonly #written: Promise<number | { readonly failure: unknown }>;
  readonly #onAbort = () => this.#stop();
  #isStopped = false;
  #isProved = false;
  #isClosed = false;

  constructor(options: WrittenStreamOptions, readEnd: number, writeEnd: number) {
    this.fd = readEnd;
    this.#options = options;
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
    // A failure is kept for `finish`: what a reader sees is the end of the pipe.
    this.#written = this.#pour(writeEnd).catch((failure: unknown) => ({ failure })).finally(() => closeSync(writeEnd));
    if (options.signal.aborted) this.#stop();
  }

  async finish({ bytes }: StreamSeen): Promise<StreamProof> {
    const { what, signal, proof } = this.#options;
    const written = await this.#written;
    if (signal.aborted) throw new HoldfastError('interrupted', `The backup of ${what} was stopped after ${bytes} bytes.`, { cause: signal.reason });
    if (typeof written !== 'number') throw written.failure;
    if (written !== bytes) throw new HoldfastError('source-failed', `${bytes} bytes of ${what} were read, ${written} were written.`, { nextStep: 'Nothing of this run is kept; start the backup again.' });
    this.#isProved = true;
    return { bytes, ...proof(bytes) };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    if (!this.#isProved) this.#stop();
    // A write that waits for a reader fails once there is none.
    closeSync(this.fd);
    await this.#written;
  }

  async #pour(fd: number): Promise<number> {
    let total = 0;
    for await (const part of this.#options.bytes) {
      for (let at = 0; at < part.length; ) {
        if (this.#isStopped) throw new Error('stopped');
        at += (await writeOnce(fd, part, at, part.length - at)).bytesWritten;
      }
      total += part.length;
    }
    return total;
  }

  /** A reader that waits sees the end of the pipe as soon as `bytes` has failed. */
  #stop(): void {
    this.#isStopped = true;
  }
}
