import type { ByteString } from '../../model/byte-string.ts';
import { comparePaths } from '../../repository/index.ts';

/** Entries in the order of their paths, a batch at a time. */
export type Batches<T> = AsyncIterable<Iterable<T>>;

export interface Pair<L, R> {
  readonly left: L | undefined;
  readonly right: R | undefined;
}

/** Walks two sorted sequences side by side; each path once, with what each side has there. */
export async function* mergeEntries<L extends { readonly path: ByteString }, R extends { readonly path: ByteString }>(lefts: Batches<L>, rights: Batches<R>): AsyncGenerator<Pair<L, R>[]> {
  const [left, right] = [new Cursor(lefts), new Cursor(rights)];
  try {
    while ((await left.fill()) || (await right.fill())) {
      const pairs: Pair<L, R>[] = [];
      // Until a side that is not at its end has to be waited for.
      while (left.isReady && right.isReady) {
        const order = left.current === undefined ? 1 : right.current === undefined ? -1 : comparePaths(left.current.path, right.current.path);
        if (left.current === undefined && right.current === undefined) break;
        pairs.push({ left: order <= 0 ? left.current : undefined, right: order >= 0 ? right.current : undefined });
        if (order <= 0) left.step();
        if (order >= 0) right.step();
      }
      yield pairs;
      await left.fill();
      await right.fill();
    }
  } finally {
    await left.close();
    await right.close();
  }
}

class Cursor<T> {
  readonly #source: AsyncIterator<Iterable<T>>;
  #batch: Iterator<T> | undefined;
  #isAtEnd = false;
  current: T | undefined;

  constructor(source: Batches<T>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Whether `current` says what comes next; undefined is the end then. */
  get isReady(): boolean {
    return this.current !== undefined || this.#isAtEnd;
  }

  step(): void {
    const next = this.#batch?.next();
    this.current = next === undefined || next.done ? undefined : next.value;
  }

  /** False at the end. */
  async fill(): Promise<boolean> {
    while (this.current === undefined && !this.#isAtEnd) {
      const next = await this.#source.next();
      if (next.done) this.#isAtEnd = true;
      else {
        this.#batch = next.value[Symbol.iterator]();
        this.step();
      }
    }
    return !this.#isAtEnd;
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}
