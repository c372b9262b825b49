import type { Clock } from '../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';

/** Throws the reason of an aborted signal when it is one of ours, else `interrupted` with that reason as its cause. */
export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw interruption(signal);
}

export function interruption(signal: AbortSignal): HoldfastError {
  if (isHoldfastError(signal.reason)) return signal.reason;
  return new HoldfastError('interrupted', 'writing to the store was interrupted: a signal asked to stop', { cause: signal.reason });
}

/** Sleeps for a call of the store; an abort ends it as `throwIfInterrupted` would. */
export async function pause(clock: Pick<Clock, 'sleep'>, milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  throwIfInterrupted(signal);
  try {
    await clock.sleep(milliseconds, signal);
  } catch (error) {
    throw signal?.aborted ? interruption(signal) : error;
  }
}
