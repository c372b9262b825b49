import { unsteered } from '../model/byte-string.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { Context } from './context.ts';

/** Facts about one object; every other error is about the store, the key or the run, and ends a verification. */
const ABOUT_THE_OBJECT: readonly ErrorCode[] = ['damaged', 'not-found', 'unsupported-version', 'wrong-key'];

/**
 * What was seen in an object, in words; rethrows what says nothing about it. A key number that nobody has a slot for is
 * damage; one that was only not given is not.
 */
export function problemOf(error: unknown, { hasAllKeys }: Pick<Context, 'hasAllKeys'>): string {
  if (!isHoldfastError(error) || !ABOUT_THE_OBJECT.includes(error.code)) throw error;
  if (error.code === 'wrong-key' && !hasAllKeys) throw error;
  return error.code === 'not-found' ? 'it is missing' : unsteered(error.message);
}

export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new HoldfastError('interrupted', 'The verification was interrupted before it was complete; no verdict was recorded.', { nextStep: 'Run it again.' });
}
