import type { Worker } from 'node:worker_threads';
import type { ByteString } from '../model/byte-string.ts';
import { endThread } from '../model/end-thread.ts';
import { HoldfastError } from '../model/errors.ts';
import type { Inspection } from '../sources/stream-inspection.ts';
import type { ChunkTables } from './chunk-table.ts';
import type { BlockResult, CrunchSettings, CrunchedPack, FilesResult } from './crunch-settings.ts';
import type { CutBlock, StreamEnd } from './cutter.ts';
import type { FromThread, ToThread } from './messages.ts';
import { SharedBuffers } from './shared-buffers.ts';

/** Another thread means another small pack at the end: small runs stay with one. */
const PATIENT_JOBS = 3;
/** A stream this long has a pack to fill for each thread: then every thread that can be busy is started. */
const SHORT_STREAM_BLOCKS = 6;

/** A stream that is to be read. */
export interface ReadStream {
  readonly fd: number;
  /** As what it is cut. */
  readonly sizes: 'files' | 'streams';
  readonly inspection?: Inspection | undefined;
}

/** The slice of the engine that a backup uses; one implementation with threads, one inline (simulations, tiny runs). */
export interface CrunchPool {
  /** How many jobs may usefully be under way. */
  readonly width: number;
  files(paths: readonly ByteString[]): Promise<FilesResult>;
  /** Cuts a descriptor's stream to its end and crunches it; results in order. */
  stream(stream: ReadStream, onBlock: (result: BlockResult) => void): Promise<StreamEnd>;
  /** Bytes that `chunks` takes at once. */
  readonly blockBytes: number;
  /** Crunches chunks that are cut already, at most a block of them: a ref for each, in order. Copied before it answers to anything. */
  chunks(chunks: readonly Uint8Array[]): Promise<BlockResult>;
  /** Seals all open frames and closes all open packs; those arrive at `onPack` before this is over. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface PoolOptions {
  readonly threads: number;
  readonly startThread: (settings: CrunchSettings) => Worker;
  readonly settings: CrunchSettings;
  readonly tables: ChunkTables;
  readonly onPack: (pack: CrunchedPack) => void;
  /** Ends the reading of streams; what was read is crunched. */
  readonly signal: AbortSignal;
}

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
  readonly onCut?: (block: CutBlock) => void;
}

interface Thread {
  readonly worker: Worker;
  jobs: number;
}

export class ThreadPool implements CrunchPool {
  readonly #options: PoolOptions;
  readonly #threads: Thread[] = [];
  readonly #pending = new Map<number, Pending>();
  readonly #blocks: SharedBuffers;
  readonly #packs: SharedBuffers;
  #feeder: Thread | undefined;
  #nextJob = 0;
  #failure: unknown;
  #isClosing = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#blocks = new SharedBuffers(options.settings.blocks);
    this.#packs = new SharedBuffers(options.settings.packs);
  }

  get width(): number {
    return this.#options.threads * 3;
  }

  files(paths: readonly ByteString[]): Promise<FilesResult> {
    this.#growTables();
    return this.#ask(this.#idlest(PATIENT_JOBS), (job) => ({ type: 'files', job, paths }));
  }

  async stream({ fd, sizes, inspection }: ReadStream, onBlock: (result: BlockResult) => void): Promise<StreamEnd> {
    this.#feeder ??= this.#start();
    const results: Promise<void>[] = [];
    let previous = Promise.resolve();
    const onCut = ({ buffer, lengths }: CutBlock) => {
      this.#growTables();
      const result = this.#ask<BlockResult>(this.#idlest(results.length < SHORT_STREAM_BLOCKS ? PATIENT_JOBS : 1), (job) => ({ type: 'block', job, buffer, lengths }));
      previous = Promise.all([result, previous]).then(([block]) => onBlock(block));
      // The block's buffer is lost with it: the feeder must not wait for one for ever.
      previous.catch((error: unknown) => this.fail(error));
      results.push(previous);
    };
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const { signal } = this.#options;
    const onAbort = () => void Atomics.store(stop, 0, 1);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      const end = await this.#ask<StreamEnd>(this.#feeder, (job) => ({ type: 'cut', job, fd, sizes, stop: stop.buffer, inspection }), onCut);
      await Promise.all(results);
      return end;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  get blockBytes(): number {
    return this.#blocks.view(0).length;
  }

  async chunks(chunks: readonly Uint8Array[]): Promise<BlockResult> {
    const buffer = await this.#blocks.takeAsync();
    const view = this.#blocks.view(buffer);
    let end = 0;
    for (const chunk of chunks) {
      view.set(chunk, end);
      end += chunk.length;
    }
    this.#growTables();
    return this.#ask<BlockResult>(this.#idlest(1), (job) => ({ type: 'block', job, buffer, lengths: chunks.map(({ length }) => length) }));
  }

  async flush(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => this.#ask<undefined>(thread, (job) => ({ type: 'flush', job }))));
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    // The feeder compresses nothing, and may wait for a pipe that says nothing.
    await Promise.all([...this.#threads.map((thread) => endThread(thread.worker)), this.#feeder?.worker.terminate()]);
  }

  /** Starts another thread when all that run have that many jobs. */
  #idlest(patientJobs: number): Thread {
    if (this.#threads.length === 0 || (this.#threads.length < this.#options.threads && this.#threads.every((thread) => thread.jobs >= patientJobs))) {
      const thread = this.#start();
      this.#threads.push(thread);
      return thread;
    }
    return this.#threads.reduce((best, thread) => (thread.jobs < best.jobs ? thread : best));
  }

  #start(): Thread {
    const worker = this.#options.startThread({ ...this.#options.settings, tables: this.#options.tables.buffers });
    const thread: Thread = { worker, jobs: 0 };
    worker.on('message', (message: FromThread) => this.#receive(thread, message));
    worker.on('error', (error) => this.fail(error));
    worker.on('exit', (code) => {
      if (!this.#isClosing) this.fail(new HoldfastError('broken-invariant', `A thread of the backup ended by itself with code ${code}.`));
    });
    return thread;
  }

  #ask<T>(thread: Thread, message: (job: number) => ToThread, onCut?: (block: CutBlock) => void): Promise<T> {
    if (this.#failure) return Promise.reject(this.#failure);
    const job = this.#nextJob++;
    thread.jobs++;
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(job, { resolve: resolve as (result: never) => void, reject, ...(onCut && { onCut }) });
      thread.worker.postMessage(message(job));
    });
  }

  #receive(thread: Thread, message: FromThread): void {
    if (this.#isClosing) return this.#pass(message);
    if (message.type === 'pack') return this.#options.onPack(message.pack);
    const pending = this.#pending.get(message.job);
    if (message.type === 'cut-block') return pending?.onCut?.(message.block);
    this.#pending.delete(message.job);
    thread.jobs--;
    if (message.type === 'done') pending?.resolve(message.result as never);
    else pending?.reject(new HoldfastError(message.error.code, message.error.message));
  }

  /** Nobody waits for what a thread finishes while it ends: a pack would be stored behind the back of a run that is over. */
  #pass(message: FromThread): void {
    if (message.type === 'pack') this.#packs.give(message.pack.buffer);
  }

  /** A thread that died or a pack that could not be stored ends the run: nothing that was claimed may be relied on. */
  fail(error: unknown): void {
    this.#failure ??= error;
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }

  #growTables(): void {
    if (!this.#options.tables.growIfCrowded()) return;
    const tables = this.#options.tables.buffers;
    for (const thread of this.#threads) thread.worker.postMessage({ type: 'tables', tables } satisfies ToThread);
  }
}
