import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { awsErrorName, fromAwsError } from './aws-error.ts';

/**
 * An error of a service that is a source or the target of a restore, in the house's words and the service's own. `allow`: the
 * permission that the call needs. The SDK's error is no cause here: it carries the request and answer, which may hold a secret.
 */
export function serviceError(error: unknown, what: string, { allow, failsAs = 'source-failed' }: { readonly allow: string; readonly failsAs?: 'source-failed' | 'target-failed' }): HoldfastError {
  if (isHoldfastError(error)) return error;
  const { code, retryable } = fromAwsError(error, what);
  if (code === 'permission') return new HoldfastError(code, `${what}: ${awsErrorName(error)}${words(error)}.`, { nextStep: `Check the credentials, and allow them ${allow}.` });
  if (code === 'unavailable') return new HoldfastError(code, `${what}: ${awsErrorName(error)}${words(error)}.`, { retryable, nextStep: 'Check the network, `region` and `endpoint`, then run the same command again.' });
  return new HoldfastError(failsAs, `${what}: ${awsErrorName(error)}${words(error)}.`, { nextStep: 'Check the name, `region` and `endpoint`.' });
}

/** Services repeat what they were sent in some of their messages (a value against a pattern): of refusals of a request nothing is told. */
function words(error: unknown): string {
  const { message, name } = error as { readonly message?: unknown; readonly name?: unknown };
  if (typeof message !== 'string' || message === '' || message === name) return '';
  if (typeof name === 'string' && /Validation|PatternMismatch|Malformed|SerializationException|SyntaxError|InvalidPolicy/.test(name)) return ' (its words are left out: they may repeat the value)';
  // oxlint-disable-next-line no-control-regex -- a terminal must not be steered
  return `: ${message.replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ').slice(0, 300).replace(/\.$/, '')}`;
}

/** One call; ends at an abort as `interrupted`. */
export async function ask<T>(signal: AbortSignal, send: () => Promise<T>, translate: (error: unknown) => HoldfastError): Promise<T> {
  try {
    return await send();
  } catch (error) {
    if (signal.aborted) throw new HoldfastError('interrupted', 'The run was stopped.', { cause: signal.reason });
    throw translate(error);
  }
}
