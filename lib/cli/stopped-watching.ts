import { HoldfastError, isHoldfastError } from '../model/errors.ts';

/**
 * What an interruption means to somebody who only watches: the work goes on elsewhere, and repeating the command would
 * start it a second time. Every other error as it is. `seenBy`: the command that shows how far it is.
 */
export function stoppedWatching(error: unknown, what: string, seenBy: string): unknown {
  if (!isHoldfastError(error, 'interrupted')) return error;
  return new HoldfastError('interrupted', `You stopped watching; ${what} goes on.`, { nextStep: `\`${seenBy}\` shows how far it is.`, cause: error });
}
