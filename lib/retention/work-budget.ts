import type { Clock } from '../model/clock.ts';
import { HoldfastError } from '../model/errors.ts';

/** How long a piece of work may go on, by this machine's clock: a limit for patience, never a ground to delete. */
export interface WorkBudget {
  readonly clock: Pick<Clock, 'now'>;
  readonly maxDurationMs?: number;
  /** Calls to the store at once; default 8. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
}

/** Runs `work` over lists of steps, several at once, until the budget is used up. Steps that began are finished. */
export class BudgetedWork {
  readonly #budget: WorkBudget;
  readonly #end: number;
  #isComplete = true;

  constructor(budget: WorkBudget) {
    this.#budget = budget;
    this.#end = budget.clock.now() + (budget.maxDurationMs ?? Infinity);
  }

  /** False once a step was left out because time was up. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Fails as `interrupted` when the signal asks to stop; what was done stays done. */
  async each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    let next = 0;
    const lane = async () => {
      while (next < items.length && this.#mayGoOn()) await work(items[next++] as T);
    };
    const lanes = Math.min(this.#budget.concurrency ?? 8, items.length);
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  #mayGoOn(): boolean {
    if (this.#budget.signal?.aborted) {
      throw new HoldfastError('interrupted', 'A signal asked to stop; what was done so far is kept.', { nextStep: 'Run the same command again: it goes on from here.' });
    }
    if (this.#budget.clock.now() < this.#end) return true;
    this.#isComplete = false;
    return false;
  }
}
