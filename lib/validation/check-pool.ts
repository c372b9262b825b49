import type { Worker } from 'node:worker_threads';
import { endThread } from '../model/end-thread.ts';
import { HoldfastError } from '../model/errors.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { Subkeys, VaultKeys } from '../repository/index.ts';
import { PackChecker } from './pack-check.ts';
import type { PackFindings, PackToCheck } from './pack-check.ts';

/** What a checking thread is started with. */
export interface CheckSettings {
  readonly repository: string;
  readonly keys: VaultKeys;
}

export type StartCheckThread = (settings: CheckSettings) => Worker;

export interface CheckJob {
  readonly job: number;
  readonly ref: PackToCheck;
  readonly bytes: Uint8Array;
}

export type CheckAnswer =
  | { readonly job: number; readonly findings: PackFindings }
  | { readonly job: number; readonly error: { readonly code: ErrorCode; readonly message: string; readonly nextStep: string | undefined } };

export interface CheckPool {
  /** Packs worth having in memory at once: one in each thread, and one that is being read. */
  readonly width: number;
  /** Takes the bytes over: they may not be used before the answer, and afterwards only when they lie in shared memory. */
  check(ref: PackToCheck, bytes: Uint8Array): Promise<PackFindings>;
  close(): Promise<void>;
}

/** Below this, starting threads takes longer than the work. */
const INLINE_BYTES = 16 << 20;

export interface PoolOptions {
  /** Threads that read packs; 2 when not given. Small vaults use none. */
  readonly threads?: number;
  /** Starts `lib/validation/worker.ts` or its bundle; without it everything runs on this thread. */
  readonly startThread?: StartCheckThread;
}

/** The pool that so many packs are worth. */
export function startCheckPool(keys: Subkeys, packs: readonly { readonly ref: PackToCheck }[], { threads = 2, startThread }: PoolOptions): CheckPool {
  const bytes = packs.reduce((sum, { ref }) => sum + ref.size, 0);
  if (!startThread || threads === 0 || bytes < INLINE_BYTES) return inlineCheckPool(keys);
  return threadCheckPool(keys, Math.min(threads, packs.length), startThread);
}

/** For small vaults and where no thread can be started. */
export function inlineCheckPool(keys: Subkeys): CheckPool {
  const checker = new PackChecker(keys);
  return { width: 1, check: async (ref, bytes) => checker.check(ref, bytes), close: async () => {} };
}

export function threadCheckPool(keys: Subkeys, threads: number, startThread: StartCheckThread): CheckPool {
  const settings = { repository: keys.repository, keys: keys.keys };
  const members = Array.from({ length: threads }, () => new Member(startThread(settings)));
  return {
    width: threads + 1,
    check: (ref, bytes) => members.reduce((best, member) => (member.load < best.load ? member : best)).check(ref, bytes),
    close: async () => void (await Promise.all(members.map((member) => member.close()))),
  };
}

interface Waiting {
  resolve(findings: PackFindings): void;
  reject(error: Error): void;
}

class Member {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextJob = 0;
  #failure: Error | undefined;
  #isClosing = false;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (answer: CheckAnswer) => this.#isClosing || this.#settle(answer));
    worker.on('error', (cause) => this.#fail(cause));
    worker.on('exit', (code) => this.#isClosing || this.#fail(new Error(`it ended with code ${code}`)));
  }

  get load(): number {
    return this.#waiting.size;
  }

  check(ref: PackToCheck, bytes: Uint8Array): Promise<PackFindings> {
    if (this.#failure) return Promise.reject(this.#failure);
    const job = this.#nextJob++;
    const isOwn = bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength;
    return new Promise((resolve, reject) => {
      this.#waiting.set(job, { resolve, reject });
      this.#worker.postMessage({ job, ref, bytes } satisfies CheckJob, isOwn ? [bytes.buffer as ArrayBuffer] : []);
    });
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await endThread(this.#worker);
  }

  #settle(answer: CheckAnswer): void {
    const waiting = this.#waiting.get(answer.job);
    this.#waiting.delete(answer.job);
    if ('findings' in answer) waiting?.resolve(answer.findings);
    else waiting?.reject(new HoldfastError(answer.error.code, answer.error.message, answer.error.nextStep === undefined ? {} : { nextStep: answer.error.nextStep }));
  }

  #fail(cause: unknown): void {
    this.#failure ??= new HoldfastError('broken-invariant', `A checking thread died: ${cause instanceof Error ? cause.message : String(cause)}. Nothing was recorded.`, { cause });
    for (const waiting of this.#waiting.values()) waiting.reject(this.#failure);
    this.#waiting.clear();
  }
}
