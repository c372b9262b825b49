import { Worker } from 'node:worker_threads';
import { HoldfastError } from '../model/errors.ts';
import { runWriteJob } from './write-files.ts';
import type { WriteSettings } from './write-files.ts';
import { packJob } from './write-job.ts';
import type { WriteJob, WriteResult } from './write-job.ts';

export interface WritePool {
  /** Jobs worth having under way at once: one being written and one ready for each thread. */
  readonly capacity: number;
  run(job: WriteJob): Promise<WriteResult>;
  close(): Promise<void>;
}

/** Without threads: for small restores, and where no worker file is at hand. */
export function inlinePool(settings: WriteSettings): WritePool {
  return { capacity: 1, run: async (job) => runWriteJob(job, settings), close: async () => {} };
}

/** Nearly all bytes of a thread lie outside its heap. */
const YOUNG_GENERATION_MB = 8;

export function threadPool(workerUrl: URL | string, threads: number, settings: WriteSettings): WritePool {
  const members = Array.from({ length: threads }, () => new Member(workerUrl, settings));
  return {
    capacity: threads * 2,
    run: (job) => members.reduce((best, member) => (member.load < best.load ? member : best)).run(job),
    close: async () => void (await Promise.all(members.map((member) => member.close()))),
  };
}

interface Waiting {
  resolve(result: WriteResult): void;
  reject(error: Error): void;
}

class Member {
  readonly #worker: Worker;
  /** Answers come in the order of the jobs. */
  readonly #waiting: Waiting[] = [];
  #failure: Error | undefined;
  #isClosing = false;

  constructor(workerUrl: URL | string, settings: WriteSettings) {
    this.#worker = new Worker(workerUrl, { workerData: settings, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB } });
    this.#worker.on('message', (result: WriteResult) => this.#waiting.shift()?.resolve(result));
    this.#worker.on('error', (cause) => this.#fail(cause));
    this.#worker.on('exit', (code) => {
      if (!this.#isClosing) this.#fail(new Error(`it ended with code ${code}`));
    });
  }

  get load(): number {
    return this.#waiting.length;
  }

  run(job: WriteJob): Promise<WriteResult> {
    if (this.#failure) return Promise.reject(this.#failure);
    const packed = packJob(job);
    const owned = [packed.frames.buffer, packed.digests.buffer, packed.chunkLengths.buffer, packed.writes.buffer] as ArrayBuffer[];
    if (ownsBuffer(job.bytes)) owned.push(job.bytes.buffer as ArrayBuffer);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(packed, owned);
    });
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#worker.terminate();
  }

  #fail(cause: unknown): void {
    this.#failure ??= new HoldfastError('broken-invariant', `A restoring thread stopped: ${cause instanceof Error ? cause.message : String(cause)}. What was restored so far stays in the target.`, { cause });
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#failure);
  }
}

/** Others may hold views of a buffer that is larger than these bytes (a pool, a store's cache). */
function ownsBuffer(bytes: Uint8Array): boolean {
  return bytes.byteLength > 0 && bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer;
}
