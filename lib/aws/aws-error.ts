import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { ErrorCode } from '../model/errors.ts';

type Meaning = readonly [names: RegExp, code: ErrorCode, nextStep: string];

const UNAVAILABLE: Meaning = [/Throttl|TooManyRequests|LimitExceeded|RequestLimit|SlowDown|ServiceUnavailable|Internal|ServerException|Timeout|ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|Network|socket/i, 'unavailable', 'It is tried again by itself where that can help; else try again in a few minutes.'];
const UNFIT = [undefined, 'config-invalid', 'Compare the values in the message with what the service takes.'] as const;

/** Names of services' errors, by what they mean here; the first row that fits counts. */
const MEANINGS: readonly Meaning[] = [
  [/^(Expired|Invalid)Token|UnrecognizedClient|InvalidClientTokenId|CredentialsProviderError/, 'permission', 'Give this process valid AWS credentials: the role of its function or task, or a profile.'],
  [/AccessDenied|Unauthorized|NotAuthorized|Forbidden|DecryptionFailure|KMSAccessDenied|KmsAccessDenied|BlockedException/, 'permission', 'Check the policies of the role that this ran under; deploying the stack again restores what Holdfast gave it.'],
  [/NotFound|NoSuch|DoesNotExist|TaskTimedOut/, 'not-found', 'Check that it was not deleted; deploying the stack again makes what belongs to the stack.'],
  UNAVAILABLE,
];

/**
 * An SDK error in the house's words: `permission`, `not-found`, `unavailable` (retryable, also for every 5xx), and
 * `config-invalid` for a request that AWS will never take. `what` begins the sentence: "The alert could not be sent".
 */
export function fromAwsError(cause: unknown, what: string): HoldfastError {
  if (isHoldfastError(cause)) return cause;
  const name = awsErrorName(cause);
  const [, code, nextStep] = (isNoAnswer(cause) ? UNAVAILABLE : MEANINGS.find(([names]) => names.test(name))) ?? UNFIT;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new HoldfastError(code, `${what}: ${name}${message === '' || message === name ? '' : `, ${message}`}.`, { nextStep, cause });
}

/** A 5xx, or a request that was sent and never answered: the SDK may have wrapped what the network said. */
function isNoAnswer(cause: unknown): boolean {
  const { name, $metadata } = (cause ?? {}) as { name?: unknown; $metadata?: { httpStatusCode?: number } };
  if ($metadata === undefined) return false;
  return $metadata.httpStatusCode === undefined ? name === 'Error' : $metadata.httpStatusCode >= 500;
}

/** `name` of services' exceptions, `code` of Node's own for the network. */
export function awsErrorName(cause: unknown): string {
  const { name, code } = (cause ?? {}) as { name?: unknown; code?: unknown };
  if (typeof code === 'string' && /^E[A-Z_]+$/.test(code)) return code;
  return typeof name === 'string' ? name : 'an unknown error';
}
