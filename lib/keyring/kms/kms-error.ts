import { HoldfastError } from '../../model/errors.ts';
import type { ErrorCode } from '../../model/errors.ts';

export interface KmsCall {
  readonly action: 'kms:GenerateDataKey' | 'kms:Decrypt';
  readonly keyId: string;
  readonly repository: string;
  readonly scope: string;
}

interface Row {
  readonly names: readonly string[];
  readonly code: ErrorCode;
  readonly isRetryable?: boolean;
  readonly what: (call: KmsCall) => string;
  readonly nextStep: (call: KmsCall) => string;
}

/** Names of errors: https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html and CommonErrors. */
const ROWS: readonly Row[] = [
  {
    names: ['AccessDeniedException', 'AccessDenied'], code: 'permission',
    what: ({ action, keyId }) => `KMS denies ${action} with the key ${keyId}`,
    nextStep: ({ action, keyId, repository, scope }) => `Allow this identity ${action} on ${keyId} with the encryption context holdfast:repository=${repository}, holdfast:scope=${scope}, in its policy and in the key's policy.`,
  },
  {
    names: ['ExpiredTokenException', 'ExpiredToken', 'UnrecognizedClientException', 'InvalidClientTokenId', 'InvalidSignatureException', 'SignatureDoesNotMatch', 'CredentialsProviderError', 'TokenProviderError', 'IncompleteSignature', 'MissingAuthenticationToken'], code: 'permission',
    what: ({ action }) => `KMS does not take the credentials of this process for ${action}: they are absent, wrong or expired`,
    nextStep: () => 'Sign in again or set credentials of AWS; in a task, look whether its role is still there.',
  },
  {
    names: ['DisabledException'], code: 'missing-key',
    what: ({ keyId }) => `The KMS key ${keyId} is disabled, so the keys of this vault cannot be unwrapped`,
    nextStep: ({ keyId }) => `Enable it: aws kms enable-key --key-id ${keyId}`,
  },
  {
    names: ['KMSInvalidStateException'], code: 'missing-key',
    what: ({ keyId }) => `The KMS key ${keyId} is about to be deleted or not usable now; once it is deleted, nothing that it wraps can be read, by anyone`,
    nextStep: ({ keyId }) => `Stop the deletion at once: aws kms cancel-key-deletion --key-id ${keyId} && aws kms enable-key --key-id ${keyId}`,
  },
  {
    names: ['NotFoundException', 'InvalidArnException', 'InvalidKeyUsageException', 'ValidationException'], code: 'missing-key',
    what: ({ keyId }) => `There is no symmetric KMS key ${keyId} in this account and region`,
    nextStep: () => 'Check the ARN or alias and the region. A key that was deleted is gone with all that it wraps: use another key slot of the vault.',
  },
  {
    names: ['InvalidCiphertextException', 'IncorrectKeyException'], code: 'damaged',
    what: ({ repository, scope }) => `KMS does not open its ciphertext for repository ${repository} and scope ${scope}: it was altered, or moved here from another vault, scope or key`,
    nextStep: () => 'Put the slot back from a copy of the vault, or open the vault with another key and add a new slot.',
  },
  {
    names: ['ThrottlingException', 'Throttling', 'TooManyRequestsException', 'LimitExceededException', 'RequestLimitExceeded'], code: 'unavailable', isRetryable: true,
    what: ({ action }) => `KMS throttles ${action}: this account makes too many requests in this region`,
    nextStep: () => 'Try again in a minute; if it stays, raise the request quota of KMS in this region.',
  },
];

/** Everything else that KMS or the way to it answers: likely to pass. */
const OTHER: Row = {
  names: [], code: 'unavailable', isRetryable: true,
  what: ({ action }) => `KMS did not answer ${action}`,
  nextStep: () => 'Check the network and the region (https://health.aws.amazon.com), then try again.',
};

/** One HoldfastError for whatever the SDK throws; its own text is left out, because it can hold request parameters. */
export function kmsError(cause: unknown, call: KmsCall): HoldfastError {
  const name = nameOf(cause);
  const row = ROWS.find(({ names }) => names.includes(name)) ?? OTHER;
  return new HoldfastError(row.code, `${row.what(call)} (${name}).`, { nextStep: row.nextStep(call), retryable: row.isRetryable === true, cause });
}

function nameOf(cause: unknown): string {
  const { name, code } = cause as { name?: unknown; code?: unknown };
  if (typeof name === 'string' && name !== 'Error') return name;
  return typeof code === 'string' ? code : 'unknown error';
}
