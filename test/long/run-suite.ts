import { Worker } from 'node:worker_threads';
import type { CaseFailure, LongSuite, SeedRange } from './long-suite.ts';
import type { ThreadAnswer, ThreadSettings } from './serve-cases.ts';

export interface SuiteSettings {
  readonly seed: number;
  readonly size: number;
  /** Threads. */
  readonly jobs: number;
  /** Path of `thread.ts`: Node loads it as it is, also below jest. */
  readonly thread: string;
  /** Ends the suite early, without failure. */
  readonly isTimeUp?: () => boolean;
  readonly onProgress?: (told: number) => void;
}

export interface SuiteOutcome {
  /** Cases that were told to their end. */
  readonly told: number;
  readonly failures: readonly CaseFailure[];
  /** What threads said of what they told. */
  readonly notes: readonly string[];
}

const DEFAULT_PATIENCE_SECONDS = 120;
const DEFAULT_HEAP_MIB = 1024;
/** Short enough that a range ends soon after the time is up, long enough that nobody waits for the next one. */
const RANGES_PER_THREAD = 200;
const MAX_RANGE = 50;

/** Tells cases of a suite in threads. A thread that dies, or a case that does not end, is a failure with its seed. */
export async function runSuite(suite: LongSuite, settings: SuiteSettings): Promise<SuiteOutcome> {
  const jobs = suite.isAlone || suite.isSoak ? 1 : Math.min(settings.jobs, settings.size);
  const ranges = new Ranges(settings, Math.min(MAX_RANGE, Math.ceil(settings.size / (jobs * RANGES_PER_THREAD))));
  const threads = Array.from({ length: jobs }, () => new CaseThread(suite, settings.thread, ranges));
  const told = () => threads.reduce((sum, thread) => sum + thread.told, 0);
  const watch = setInterval(() => {
    settings.onProgress?.(told());
    for (const thread of threads) thread.watch();
  }, 1000);
  const failures = await Promise.all(threads.map((thread) => thread.ended));
  clearInterval(watch);
  return { told: told(), failures: failures.filter((failure) => failure !== undefined), notes: threads.flatMap(({ note }) => note ?? []) };
}

/** Hands out the cases; nothing any more after a failure, or when the time is up. */
class Ranges {
  readonly #settings: SuiteSettings;
  readonly #length: number;
  #given = 0;
  isStopped = false;

  constructor(settings: SuiteSettings, length: number) {
    this.#settings = settings;
    this.#length = length;
  }

  next(): SeedRange {
    const { seed, size, isTimeUp } = this.#settings;
    const first = seed + this.#given;
    const count = this.isStopped || isTimeUp?.() ? 0 : Math.min(this.#length, size - this.#given);
    this.#given += count;
    return { first, count };
  }
}

class CaseThread {
  /** When it has told all that there is to tell: the failure that it met. */
  readonly ended: Promise<CaseFailure | undefined>;
  note: string | undefined;
  readonly #suite: LongSuite;
  readonly #ranges: Ranges;
  readonly #worker: Worker;
  readonly #cells: Float64Array<SharedArrayBuffer>;
  #failure: CaseFailure | undefined;
  #isClosed = false;
  #seen = -1;
  /** Looks, a second apart, since a case ended: when the whole process was stopped for a while, nobody looked either. */
  #looks = 0;

  constructor(suite: LongSuite, entry: string, ranges: Ranges) {
    this.#suite = suite;
    this.#ranges = ranges;
    const state = new SharedArrayBuffer(16);
    this.#cells = new Float64Array(state);
    const workerData: ThreadSettings = { suite: suite.name, state };
    this.#worker = new Worker(entry, { workerData, resourceLimits: { maxOldGenerationSizeMb: suite.heapMiB ?? DEFAULT_HEAP_MIB } });
    this.#worker.on('message', (answer: ThreadAnswer) => this.#hear(answer));
    this.#worker.on('error', (error) => this.#fail(`The thread died: ${error.stack ?? error.message}`));
    this.ended = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        if (!this.#isClosed) this.#fail(`The thread ended by itself with code ${code}`);
        resolve(this.#failure);
      });
    });
  }

  get told(): number {
    return this.#cells[1] ?? 0;
  }

  /** Called now and then: a case that never ends would be waited for for ever. */
  watch(): void {
    const patience = this.#suite.patienceSeconds ?? DEFAULT_PATIENCE_SECONDS;
    if (this.told !== this.#seen) {
      this.#seen = this.told;
      this.#looks = 0;
    } else if (++this.#looks > patience) {
      this.#fail(`It has not ended within ${patience} seconds`);
      void this.#worker.terminate();
    }
  }

  #hear(answer: ThreadAnswer): void {
    if (answer.kind === 'closed') {
      this.#isClosed = true;
      this.note = answer.note;
    } else {
      if (answer.kind === 'failed') this.#fail(answer.failure.message, answer.failure.seed);
      this.#worker.postMessage(this.#ranges.next());
    }
  }

  #fail(message: string, seed = this.#cells[0] ?? 0): void {
    this.#failure ??= { seed, message };
    this.#ranges.isStopped = true;
  }
}
