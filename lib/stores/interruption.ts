import { HoldfastError, isHoldfastError } from '../model/errors.ts';

/** Throws the reason of an aborted signal when it is one of ours, else `interrupted` with that reason as its cause. */
export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw interruption(signal);
}

export function interruption(signal: AbortSignal): HoldfastError {
  if (isHoldfastError(signal.reason)) return signal.reason;
  return new HoldfastError('interrupted', 'writing to the store was interrupted: a signal asked to stop', { cause: signal.reason });
}
