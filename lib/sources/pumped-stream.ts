import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isNativeError } from 'node:util/types';
import { HoldfastError } from '../model/errors.ts';
import { makePipe } from './pipe.ts';
import type { OpenStream, StreamProof, StreamSeen } from './source.ts';

export interface PumpOptions {
  /** For a pipe; never for data. */
  readonly temporaryFolder: string;
  readonly signal: AbortSignal;
  /** For messages: `partition 3 of topic orders`. */
  readonly what: string;
  /** Asked when all bytes were made and read. */
  readonly prove: (bytes: number) => StreamProof;
}

/** Bytes that this process makes, as a stream with a descriptor: through a pipe. */
export async function openPumped(body: AsyncIterable<Uint8Array>, options: PumpOptions): Promise<OpenStream> {
  const { readEnd, writeEnd } = await makePipe(options.temporaryFolder);
  return new PumpedStream(body, { fd: readEnd, out: new Socket({ fd: writeEnd, readable: false, writable: true }) }, options);
}

class PumpedStream implements OpenStream {
  readonly fd: number;
  readonly #out: Socket;
  readonly #options: PumpOptions;
  readonly #pumped: Promise<Error | undefined>;
  #made = 0;
  #isClosed = false;

  constructor(body: AsyncIterable<Uint8Array>, { fd, out }: { readonly fd: number; readonly out: Socket }, options: PumpOptions) {
    [this.fd, this.#out, this.#options] = [fd, out, options];
    out.on('error', () => undefined);
    // An error is kept for `finish`: what a reader sees is the end of the pipe.
    this.#pumped = pipeline(Readable.from(this.#counted(body)), out).then(() => undefined, (error: unknown) => (isNativeError(error) ? error : new Error('it was stopped')));
  }

  async finish({ bytes }: StreamSeen): Promise<StreamProof> {
    const failure = await this.#pumped;
    const { signal, what, prove } = this.#options;
    if (signal.aborted) throw new HoldfastError('interrupted', `Reading ${what} was stopped after ${bytes} bytes.`, { cause: signal.reason });
    if (failure !== undefined) throw failure;
    if (bytes !== this.#made) throw new HoldfastError('source-failed', `${bytes} bytes of ${what} were kept, ${this.#made} were made.`, { nextStep: 'Run it again; if it stays so, this is a bug in Holdfast.' });
    return prove(bytes);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // Closes the write end, so that a reader that still waits sees the end of the pipe.
    this.#out.destroy();
    await this.#pumped;
    closeSync(this.fd);
  }

  async *#counted(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of body) {
      this.#made += piece.length;
      yield piece;
    }
  }
}
