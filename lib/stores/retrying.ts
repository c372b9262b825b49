import type { Clock } from '../model/clock.ts';
import { isHoldfastError, type HoldfastError } from '../model/errors.ts';
import { pause, throwIfInterrupted } from './interruption.ts';
import type { ObjectInfo, Store } from './store.ts';
import { wrapStore, type Operation, type StoreCall } from './wrapping.ts';

export interface RetryingOptions {
  readonly clock: Clock;
  /** Evenly from [0, 1). */
  readonly random: () => number;
  /** Upper bound of the first pause; it doubles with every attempt. */
  readonly baseDelayMs?: number;
  readonly maxDelayMs?: number;
  /** How long one call may go on failing, from its first failure, before the error is given to the caller. */
  readonly budgetMs?: number;
  readonly onRetry?: (retry: Retry) => void;
}

export interface Retry {
  readonly operation: Operation;
  readonly name: string;
  /** 1 for the first failure. */
  readonly attempt: number;
  readonly delayMs: number;
  readonly error: HoldfastError;
}

const DEFAULTS = { baseDelayMs: 200, maxDelayMs: 30_000, budgetMs: 10 * 60_000 };

/**
 * Repeats calls that failed with a retryable error, which the port allows for every method. Pauses are random between
 * nothing and a doubling bound ("full jitter"), so that many clients of one tired server do not come back together.
 * A `put` whose first answer was lost ends as `created: false`. A listing goes on after the last name it gave.
 */
export function retrying(store: Store, options: RetryingOptions): Store {
  return wrapStore(store, {
    async call(call, run) {
      const giveUpOrWait = givingUpOrWaiting(call, options);
      for (;;) {
        throwIfInterrupted(call.signal);
        try {
          return await run();
        } catch (error) {
          await giveUpOrWait(error);
        }
      }
    },
    list: (call, run) => retryingList(run, () => givingUpOrWaiting(call, options)),
  });
}

async function* retryingList(run: (after?: string) => AsyncIterable<ObjectInfo>, newBudget: () => (error: unknown) => Promise<void>): AsyncIterable<ObjectInfo> {
  let last = '';
  let giveUpOrWait = newBudget();
  for (;;) {
    try {
      // A long listing over a bad line would never end if it began anew each time.
      for await (const object of run(last === '' ? undefined : last)) {
        if (object.name <= last) continue;
        last = object.name;
        // Progress renews the budget: only a listing that stands still gives up.
        giveUpOrWait = newBudget();
        yield object;
      }
      return;
    } catch (error) {
      await giveUpOrWait(error);
    }
  }
}

function givingUpOrWaiting(call: StoreCall, { onRetry, ...settings }: PatienceOptions & Pick<RetryingOptions, 'onRetry'>): (error: unknown) => Promise<void> {
  return patience(settings, call.signal, (retry) => onRetry?.({ operation: call.operation, name: call.name, ...retry }));
}

export type PatienceOptions = Omit<RetryingOptions, 'onRetry'>;

/**
 * For one call: waits before the next attempt, or throws the error when it is not retryable or the budget is spent.
 * Make a new one for each call, and whenever one that goes on for long got somewhere.
 */
export function patience(options: PatienceOptions, signal?: AbortSignal, onRetry?: (retry: Pick<Retry, 'attempt' | 'delayMs' | 'error'>) => void): (error: unknown) => Promise<void> {
  const { clock, random, baseDelayMs, maxDelayMs, budgetMs } = { ...DEFAULTS, ...options };
  let attempt = 0;
  let deadline = Number.POSITIVE_INFINITY;
  return async (error) => {
    if (!isHoldfastError(error) || !error.retryable) throw error;
    if (attempt === 0) deadline = clock.now() + budgetMs;
    const delayMs = random() * Math.min(maxDelayMs, baseDelayMs * 2 ** attempt);
    attempt += 1;
    if (clock.now() + delayMs > deadline) throw error;
    onRetry?.({ attempt, delayMs, error });
    await pause(clock, delayMs, signal);
  };
}
