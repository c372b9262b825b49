import { HoldfastError, isHoldfastError, type ErrorCode } from '../../model/errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly says: string;
  readonly nextStep: string;
  /** As the code has it when absent: `unavailable` is. */
  readonly retryable?: boolean;
}

/** What callers look for by a word of their own; the text is never shown. */
export type S3Outcome = 'absent' | 'exists' | 'conflict' | 'beyond-end' | 'other';

const NO_BUCKET: Meaning = { code: 'vault-not-found', says: 'there is no such bucket', nextStep: 'Check the name of the bucket, its region and the endpoint.' };
const DENIED: Meaning = { code: 'permission', says: 'the store denied access', nextStep: 'Check the policies of these credentials and of the bucket: s3:GetObject, s3:PutObject and s3:ListBucket are needed, s3:DeleteObject for `remove` and `prune`, and the KMS key of the bucket where it has one.' };
const EXPIRED: Meaning = { code: 'permission', says: 'the credentials have expired', nextStep: 'Get new ones (for example `aws sso login`), then run the same command again: nothing that was stored is lost.' };
const UNKNOWN_KEY: Meaning = { code: 'permission', says: 'the store does not know these credentials', nextStep: 'Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or AWS_PROFILE, and that they belong to this endpoint.' };
const NO_CREDENTIALS: Meaning = { code: 'permission', says: 'no credentials were found', nextStep: 'Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is attached.' };
const BUSY: Meaning = { code: 'unavailable', says: 'the store asks for fewer requests', nextStep: 'Run the same command again later: nothing that was stored is lost.' };
const AWAY: Meaning = { code: 'unavailable', says: 'the store does not answer', nextStep: 'Check the network and the endpoint, then run the same command again: nothing that was stored is lost.' };
const NO_HOST: Meaning = { ...AWAY, says: 'the name of the endpoint is not known' };
const NO_TRUST: Meaning = { code: 'unavailable', says: 'the certificate of the endpoint is not trusted', nextStep: 'Name the file with its authority: `ca-file` of the vault, or AWS_CA_BUNDLE.', retryable: false };
const ELSEWHERE: Meaning = { code: 'vault-not-found', says: 'the bucket is in another region', nextStep: 'Name the region of the bucket: `region` of the vault, or AWS_REGION.' };
const FULL: Meaning = { code: 'no-space', says: 'the disk or the quota of the store is full', nextStep: 'Free space or raise the quota, then run the same command again: nothing that was stored is lost.' };
const ARCHIVED: Meaning = { code: 'unsupported', says: 'the object lies in an archive class and cannot be read at once', nextStep: 'Thaw it first. A lifecycle rule must never move objects of a vault to Glacier Flexible Retrieval or Deep Archive.' };
const NO_CLASS: Meaning = { code: 'unsupported', says: 'the store does not have that storage class', nextStep: 'Use the class hot for this vault.' };
const UNABLE: Meaning = { code: 'unsupported', says: 'the store lacks an ability that a vault needs', nextStep: 'Run `holdfast doctor` against it to see what it keeps.' };
const GARBLED: Meaning = { code: 'unavailable', says: 'the bytes did not arrive as they were sent', nextStep: AWAY.nextStep };
/** Retryable: the client has taken the store's time over with that answer. */
const SKEWED: Meaning = { code: 'unavailable', says: 'the clock of this machine differs too much from that of the store', nextStep: 'Set the clock of this machine (NTP).' };
const NO_KMS: Meaning = { code: 'permission', says: 'the KMS key of the bucket cannot be used', nextStep: 'Check that the key is enabled and that these credentials may use it.' };

const NO_REGION: Meaning = { code: 'usage', says: 'no region is named', nextStep: 'Set AWS_REGION, or name the region of the vault.' };

/** By the name of the answer or of the system call's error; the names are those of the S3 API reference. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  NoSuchBucket: NO_BUCKET,
  InvalidBucketName: NO_BUCKET,
  AccessDenied: DENIED,
  AllAccessDisabled: DENIED,
  AccountProblem: DENIED,
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  RequestExpired: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  InvalidAccessKeyId: UNKNOWN_KEY,
  InvalidClientTokenId: UNKNOWN_KEY,
  InvalidToken: UNKNOWN_KEY,
  SignatureDoesNotMatch: UNKNOWN_KEY,
  CredentialsProviderError: NO_CREDENTIALS,
  TokenProviderError: EXPIRED,
  SlowDown: BUSY,
  Throttling: BUSY,
  ThrottlingException: BUSY,
  TooManyRequests: BUSY,
  RequestLimitExceeded: BUSY,
  OperationAborted: BUSY,
  RequestTimeout: AWAY,
  RequestTimeTooSkewed: SKEWED,
  PermanentRedirect: ELSEWHERE,
  AuthorizationHeaderMalformed: ELSEWHERE,
  IllegalLocationConstraintException: ELSEWHERE,
  QuotaExceeded: FULL,
  XMinioStorageFull: FULL,
  InvalidObjectState: ARCHIVED,
  InvalidStorageClass: NO_CLASS,
  NotImplemented: UNABLE,
  MethodNotAllowed: UNABLE,
  BadDigest: GARBLED,
  XAmzContentSHA256Mismatch: GARBLED,
  XAmzContentChecksumMismatch: GARBLED,
  IncompleteBody: GARBLED,
  'KMS.DisabledException': NO_KMS,
  'KMS.NotFoundException': NO_KMS,
  'KMS.KMSInvalidStateException': NO_KMS,
  'KMS.AccessDeniedException': NO_KMS,
  TimeoutError: AWAY,
  ECONNRESET: AWAY,
  ECONNREFUSED: AWAY,
  ECONNABORTED: AWAY,
  ETIMEDOUT: AWAY,
  EPIPE: AWAY,
  EHOSTUNREACH: AWAY,
  ENETUNREACH: AWAY,
  EPROTO: AWAY,
  ERR_STREAM_PREMATURE_CLOSE: AWAY,
  ENOTFOUND: NO_HOST,
  EAI_AGAIN: NO_HOST,
  SELF_SIGNED_CERT_IN_CHAIN: NO_TRUST,
  DEPTH_ZERO_SELF_SIGNED_CERT: NO_TRUST,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: NO_TRUST,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: NO_TRUST,
  CERT_HAS_EXPIRED: NO_TRUST,
  ERR_TLS_CERT_ALTNAME_INVALID: NO_TRUST,
};

/** Answers without a body, such as those to HEAD, have a status alone. */
const MEANINGS_OF_STATUS: Readonly<Record<number, Meaning>> = { 301: ELSEWHERE, 403: DENIED, 405: UNABLE, 408: AWAY, 429: BUSY, 501: UNABLE, 507: FULL };
const UNKNOWN: Meaning = { code: 'unavailable', says: 'the store answered in an unexpected way', nextStep: 'Run `holdfast doctor` to see what this store can do.', retryable: false };

interface SdkError {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly errors?: readonly unknown[];
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

/** What the store said about an object, for callers that act on it. */
export function outcomeOf(error: unknown): S3Outcome {
  const { name, $metadata } = error as SdkError;
  if (name === 'NoSuchKey' || name === 'NotFound') return 'absent';
  if ($metadata?.httpStatusCode === 412) return 'exists';
  // Another conditional write of that name is under way, or a delete of it won: both are worth another try.
  if (name === 'ConditionalRequestConflict' || $metadata?.httpStatusCode === 409) return 'conflict';
  return $metadata?.httpStatusCode === 416 ? 'beyond-end' : 'other';
}

/** Translates an error of the SDK at the door; `what` says what was done to which object. Our own errors pass. */
export function s3Error(error: unknown, what: string): unknown {
  if (isHoldfastError(error)) return error;
  const { $metadata } = error as SdkError;
  const status = $metadata?.httpStatusCode;
  const meaning = meaningOf(error as SdkError, status);
  const region = (error as SdkError).$response?.headers?.['x-amz-bucket-region'];
  const seen = [wordOf(error as SdkError), status, region && `region ${region}`, $metadata?.requestId && `request ${$metadata.requestId}`].filter(Boolean).join(', ');
  return new HoldfastError(meaning.code, `cannot ${what}: ${meaning.says} (${seen})`, {
    nextStep: meaning.nextStep,
    cause: error,
    data: { status },
    ...(meaning.retryable === undefined ? {} : { retryable: meaning.retryable }),
  });
}

function meaningOf(error: SdkError, status: number | undefined): Meaning {
  const named = namesOf(error).map((name) => MEANINGS[name]).find((meaning) => meaning !== undefined);
  if (named) return named;
  if (/aborted|socket hang up|stream.*(?:closed|destroyed)/i.test(String(error.message))) return AWAY;
  if (/self-signed certificate|unable to verify the first certificate/.test(String(error.message))) return NO_TRUST;
  if (/^Region (?:is missing|not accepted)/.test(String(error.message))) return NO_REGION;
  if (status === undefined) return UNKNOWN;
  return MEANINGS_OF_STATUS[status] ?? (status >= 500 ? AWAY : UNKNOWN);
}

/**
 * Several addresses of one name fail as one error that holds the others. An error that the SDK did not take for one, of
 * another realm, comes wrapped, with its code in the text alone.
 */
function namesOf({ name, code, message, errors }: SdkError): string[] {
  const wrapped = /^AWS SDK error wrapper for .*?\b(E[A-Z]{4,}|ERR_[A-Z_]+|\w+Error)\b(?!:)/.exec(String(message))?.[1];
  return [code, wrapped, name, ...(errors ?? []).flatMap((inner) => namesOf(inner as SdkError))].filter((word) => typeof word === 'string');
}

/** Never the message of an unknown error alone: texts of providers may carry more than a name. */
function wordOf(error: SdkError): string {
  const [word = 'Error'] = namesOf(error);
  return ['Error', 'Unknown', 'UnknownError', 'TypeError'].includes(word) ? `${word}: ${String(error.message).slice(0, 200)}` : word;
}
