import { interruption, throwIfInterrupted } from './interruption.ts';

/** At most so many actions at once; the others wait in the order in which they came. */
export class Slots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** An abort while waiting gives the place in the queue up; it does not interrupt the action. */
  async use<T>(signal: AbortSignal | undefined, action: () => Promise<T>): Promise<T> {
    await this.#take(signal);
    try {
      return await action();
    } finally {
      this.#give();
    }
  }

  async #take(signal: AbortSignal | undefined): Promise<void> {
    throwIfInterrupted(signal);
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.delete(onTurn);
        reject(interruption(signal as AbortSignal));
      };
      const onTurn = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      this.#waiting.add(onTurn);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** A slot goes to the first who waits without becoming free in between, so nobody overtakes. */
  #give(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
