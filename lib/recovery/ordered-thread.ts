import { Worker } from 'node:worker_threads';
import { endThread } from '../model/end-thread.ts';
import { HoldfastError } from '../model/errors.ts';

interface Waiting<Answer> {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** Nearly all bytes of a thread lie outside its heap. */
const YOUNG_GENERATION_MB = 2;

/** A restoring thread: answers its messages one by one, in their order. One that dies fails all that it owes. */
export class OrderedThread<Answer> {
  readonly #worker: Worker;
  readonly #waiting: Waiting<Answer>[] = [];
  #failure: Error | undefined;
  #isClosing = false;

  constructor(workerUrl: URL | string, settings: unknown) {
    this.#worker = new Worker(workerUrl, { workerData: settings, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB } });
    this.#worker.on('message', (answer: Answer) => this.#isClosing || this.#waiting.shift()?.resolve(answer));
    this.#worker.on('error', (cause) => this.#fail(cause));
    this.#worker.on('exit', (code) => {
      if (!this.#isClosing) this.#fail(new Error(`it ended with code ${code}`));
    });
  }

  /** Answers that are still owed. */
  get load(): number {
    return this.#waiting.length;
  }

  /** Buffers that are handed over may not be used afterwards. */
  ask(message: unknown, handedOver: readonly ArrayBuffer[]): Promise<Answer> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(message, [...handedOver]);
    });
  }

  /** Nobody gets an answer any more; the thread ends when it is done with what it was asked. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await endThread(this.#worker);
  }

  #fail(cause: unknown): void {
    this.#failure ??= new HoldfastError('broken-invariant', `A restoring thread stopped: ${cause instanceof Error ? cause.message : String(cause)}. What was restored so far stays in the target.`, { cause });
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#failure);
  }
}

export function idlest<Answer>(threads: readonly OrderedThread<Answer>[]): OrderedThread<Answer> {
  return threads.reduce((best, thread) => (thread.load < best.load ? thread : best));
}

/** Others may hold views of a buffer that is larger than these bytes (a pool, a store's cache). */
export function ownedBuffers(bytes: Uint8Array): ArrayBuffer[] {
  return bytes.byteLength > 0 && bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer ? [bytes.buffer] : [];
}
