import type { Worker } from 'node:worker_threads';
import { HoldfastError } from '../model/errors.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { PackRef, Subkeys, VaultKeys } from '../repository/index.ts';
import { PackChecker } from './pack-check.ts';
import type { PackFindings } from './pack-check.ts';

/** What a checking thread is started with. */
export interface CheckSettings {
  readonly repository: string;
  readonly keys: VaultKeys;
}

export type StartCheckThread = (settings: CheckSettings) => Worker;

export interface CheckJob {
  readonly job: number;
  readonly ref: PackRef;
  readonly bytes: Uint8Array;
}

export type CheckAnswer =
  | { readonly job: number; readonly findings: PackFindings }
  | { readonly job: number; readonly error: { readonly code: ErrorCode; readonly message: string; readonly nextStep: string | undefined } };

export interface CheckPool {
  /** Packs worth having in memory at once: one in each thread, and one that is being read. */
  readonly width: number;
  /** Takes the bytes over: they may not be used afterwards. */
  check(ref: PackRef, bytes: Uint8Array): Promise<PackFindings>;
  close(): Promise<void>;
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
    worker.on('message', (answer: CheckAnswer) => this.#settle(answer));
    worker.on('error', (cause) => this.#fail(cause));
    worker.on('exit', (code) => this.#isClosing || this.#fail(new Error(`it ended with code ${code}`)));
  }

  get load(): number {
    return this.#waiting.size;
  }

  check(ref: PackRef, bytes: Uint8Array): Promise<PackFindings> {
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
    await this.#worker.terminate();
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
