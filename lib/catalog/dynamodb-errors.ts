import { DynamoDBToolboxError } from 'dynamodb-toolbox';
import { HoldfastError } from '../model/errors.ts';
import type { ErrorCode } from '../model/errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly what: string;
  readonly nextStep?: string;
}

/** Passes by itself: asked again inside. */
const PASSING: Readonly<Record<string, Meaning>> = {
  ProvisionedThroughputExceededException: { code: 'busy', what: 'is throttled' },
  ThrottlingException: { code: 'busy', what: 'is throttled' },
  RequestLimitExceeded: { code: 'busy', what: 'is throttled' },
  LimitExceededException: { code: 'busy', what: 'is throttled' },
  TransactionConflictException: { code: 'busy', what: 'is being changed by somebody else' },
  TransactionInProgressException: { code: 'busy', what: 'is still working on the same request' },
  InternalServerError: { code: 'unavailable', what: 'failed inside' },
  ServiceUnavailable: { code: 'unavailable', what: 'does not answer' },
  TimeoutError: { code: 'unavailable', what: 'did not answer in time' },
};

const LASTING: Readonly<Record<string, Meaning>> = {
  AccessDeniedException: { code: 'permission', what: 'refused this role', nextStep: 'Check the policy of the role and the policy of the key that encrypts the table; `cdk deploy` sets both.' },
  UnrecognizedClientException: { code: 'permission', what: 'does not know these credentials', nextStep: 'Check account, region and credentials.' },
  CredentialsProviderError: { code: 'permission', what: 'cannot be asked without credentials', nextStep: 'Set a profile, environment variables or a role for the AWS SDK.' },
  ExpiredTokenException: { code: 'permission', what: 'says that these credentials have expired', nextStep: 'Get new credentials.' },
  ResourceNotFoundException: { code: 'not-found', what: 'is not there', nextStep: 'Check the name of the stack, the region and the account; `cdk deploy` makes the table.' },
  ItemTooLarge: { code: 'refused', what: 'takes no row above 400 KB', nextStep: 'Shorten what the row carries: fewer paths or commands in one plan, so that its order becomes smaller.' },
};

const NETWORK = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN', 'NetworkingError']);
const PASSING_REASONS = new Set(['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded', 'RequestLimitExceeded']);

interface SdkError {
  readonly name?: string;
  readonly code?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly CancellationReasons?: readonly { readonly Code?: string; readonly Message?: string }[];
}

/** Index of the first row whose condition did not hold; undefined when that is not why the call failed. */
export function refusedRow(error: unknown): number | undefined {
  const { name, CancellationReasons } = error as SdkError;
  if (name === 'ConditionalCheckFailedException') return 0;
  const row = name === 'TransactionCanceledException' ? (CancellationReasons ?? []).findIndex(({ Code }) => Code === 'ConditionalCheckFailed') : -1;
  return row < 0 ? undefined : row;
}

/** An error of the SDK as one of Holdfast's, at once; `retryable` when the same call may succeed later. */
export function dynamodbError(table: string, cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError) return cause;
  if (cause instanceof DynamoDBToolboxError) return recordError(table, cause);
  const error = cause as SdkError;
  const passing = passingMeaning(error);
  const meaning = passing ?? LASTING[isTooLarge(error) ? 'ItemTooLarge' : (error.name ?? '')];
  if (meaning === undefined) return new HoldfastError('broken-invariant', `The catalog table ${table} refused a request: ${error.name}: ${reasonsOf(error)}. This is a bug in Holdfast; the vault is not affected.`, { cause });
  return new HoldfastError(meaning.code, `The catalog table ${table} ${meaning.what} (DynamoDB: ${error.name ?? error.code ?? 'no name'}).`, {
    cause, retryable: passing !== undefined, nextStep: meaning.nextStep ?? 'Try again in a minute.',
  });
}

/** Written: a record that breaks its type. Read: a row that no Holdfast of this version wrote. */
function recordError(table: string, cause: DynamoDBToolboxError): HoldfastError {
  const where = `${cause.message}${cause.path === undefined ? '' : ` (${cause.path})`}`;
  if (!cause.code.startsWith('formatter')) return new HoldfastError('broken-invariant', `A record cannot be written to the catalog table ${table}: ${where}. This is a bug in Holdfast; nothing was written.`, { cause });
  return new HoldfastError('damaged', `A row of the catalog table ${table} cannot be read: ${where}.`, { cause, nextStep: 'Run `holdfast catalog rebuild`: backups and plans are read again from the vault.' });
}

function reasonsOf({ message, CancellationReasons = [] }: SdkError): string {
  return [message, ...CancellationReasons.map((reason) => reason.Message)].filter((text) => text !== undefined).join('; ');
}

function passingMeaning(error: SdkError): Meaning | undefined {
  if (error.name === 'TransactionCanceledException') {
    const codes = (error.CancellationReasons ?? []).map(({ Code }) => Code ?? 'None').filter((code) => code !== 'None');
    return codes.length > 0 && codes.every((code) => PASSING_REASONS.has(code)) ? PASSING.TransactionConflictException : undefined;
  }
  const known = PASSING[error.name ?? ''];
  if (known !== undefined) return known;
  const isServer = (error.$metadata?.httpStatusCode ?? 0) >= 500 || NETWORK.has(error.code ?? '') || NETWORK.has(error.name ?? '');
  return isServer ? PASSING.ServiceUnavailable : undefined;
}

function isTooLarge({ name, message, CancellationReasons }: SdkError): boolean {
  const texts = [message, ...(CancellationReasons ?? []).map((reason) => reason.Message)];
  return (name === 'ValidationException' || name === 'TransactionCanceledException') && texts.some((text) => /item size.*exceeded|exceeded.*item size/i.test(text ?? ''));
}
