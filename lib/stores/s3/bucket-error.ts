import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { ErrorCode } from '../../model/errors.ts';
import { s3Error } from './s3-error.ts';

/** What to do about somebody's bucket; the words of a vault would mislead. `allow`: the permissions that the call needs. */
const NEXT_STEPS: Readonly<Partial<Record<ErrorCode, (allow: string) => string>>> = {
  permission: (allow) => `Check the credentials, and allow them ${allow} (docs/sources/s3.md has the policy).`,
  unavailable: () => 'Check the network and the endpoint, then run the same command again.',
  'vault-not-found': () => 'Check `bucket`, `region` and `endpoint`.',
  unsupported: () => 'Look in docs/sources/s3.md for what a store must be able to do.',
};

/** An error of the SDK with the server's own words. Errors of ours pass. `failsAs`: for what says that there is no such bucket. */
export function bucketError(error: unknown, what: string, { allow, failsAs = 'source-failed' }: { readonly allow: string; readonly failsAs?: ErrorCode | undefined }): unknown {
  if (isHoldfastError(error)) return error;
  const translated = s3Error(error, what);
  if (!isHoldfastError(translated)) return translated;
  const { code, message, retryable, data } = translated;
  const said = serverWords(error);
  return new HoldfastError(code === 'vault-not-found' ? failsAs : code, `${message}${said}.`, { retryable, data, cause: error, nextStep: (isAboutKeys(translated) ? undefined : NEXT_STEPS[code]?.(allow)) ?? translated.nextStep ?? 'Run `holdfast doctor`.' });
}

/** Missing, unknown or expired credentials: what helps there is no policy. */
function isAboutKeys({ code, message }: HoldfastError): boolean {
  return code === 'permission' && !message.includes('denied access');
}

/** Only of answers of the server: other errors may carry more than their message should show. */
function serverWords(error: unknown): string {
  const { message, $metadata } = error as { readonly message?: unknown; readonly $metadata?: { readonly httpStatusCode?: number } };
  if ($metadata?.httpStatusCode === undefined || typeof message !== 'string' || message === '' || /^(?:Unknown|UnknownError|Forbidden|NotFound)$/.test(message)) return '';
  // oxlint-disable-next-line no-control-regex -- a terminal must not be steered
  return `: ${JSON.stringify(message.replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ').slice(0, 300))}`;
}
