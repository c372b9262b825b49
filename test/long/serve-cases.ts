import { parentPort, workerData } from 'node:worker_threads';
import type { CaseFailure, LongSuite, OpenSuite, SeedRange } from './long-suite.ts';

export interface ThreadSettings {
  readonly suite: string;
  /** Seed of the case begun last, number of cases ended: read by the one who watches while this thread cannot answer. */
  readonly state: SharedArrayBuffer;
}

export type ThreadAnswer = { readonly kind: 'ready' } | { readonly kind: 'failed'; readonly failure: CaseFailure } | { readonly kind: 'closed'; readonly note?: string };

/** The life of a thread: asks for a range of cases, tells it, asks for the next; an empty one ends it. */
export async function serveCases(suites: readonly LongSuite[]): Promise<void> {
  const { suite, state } = workerData as ThreadSettings;
  const say = (answer: ThreadAnswer) => parentPort?.postMessage(answer);
  const row = suites.find(({ name }) => name === suite);
  if (!row) throw new Error(`There is no long suite ${suite}`);
  const open = await row.open();
  const teller = new Teller(open, new Float64Array(state));
  parentPort?.on('message', (range: SeedRange) => {
    const answer = range.count > 0 ? teller.tell(range) : close(open);
    void answer.then(say);
  });
  say({ kind: 'ready' });
}

async function close(open: OpenSuite): Promise<ThreadAnswer> {
  const note = await open.close?.();
  parentPort?.unref();
  return { kind: 'closed', ...(typeof note === 'string' && { note }) };
}

class Teller {
  readonly #open: OpenSuite;
  readonly #cells: Float64Array;
  #failure: CaseFailure | undefined;

  constructor(open: OpenSuite, cells: Float64Array) {
    this.#open = open;
    this.#cells = cells;
  }

  async tell({ first, count }: SeedRange): Promise<ThreadAnswer> {
    let next = first;
    const lane = async () => {
      while (next < first + count && !this.#failure) await this.#tellOne(next++);
    };
    await Promise.all(Array.from({ length: this.#open.lanes ?? 1 }, lane));
    return this.#failure ? { kind: 'failed', failure: this.#failure } : { kind: 'ready' };
  }

  async #tellOne(seed: number): Promise<void> {
    this.#cells[0] = seed;
    try {
      const telling = this.#open.tell(seed);
      if (telling) await telling;
    } catch (error) {
      this.#failure ??= { seed, message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    this.#cells[1]! += 1;
  }
}
