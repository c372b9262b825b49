/**
 * The closed set of errors. A code never changes its meaning; faces map codes to exit codes and HTTP statuses once.
 * A message says what failed, the value seen, the value wanted; `nextStep` says what to do now.
 */
export const ERROR_CODES = {
  usage: 'the request itself is wrong',
  'config-invalid': 'holdfast.yaml or a setting is wrong',
  'vault-not-found': 'no vault is at that place',
  'vault-exists': 'a vault is already at that place',
  'unsupported-version': 'the vault was written by a newer format version',
  'wrong-key': 'no key slot opens with the key that was given',
  'missing-key': 'no key was given or the key file is not there',
  'not-found': 'an object, backup, plan or entry is absent',
  'already-exists': 'a name that is written once already holds other bytes',
  damaged: 'stored bytes are not what was written',
  'read-only': 'this store refuses writing here',
  permission: 'the operating system or the store denied access',
  'no-space': 'the disk or the quota is full',
  unavailable: 'the store or the service does not answer now',
  busy: 'something else holds what this needs',
  stale: 'this run is too old to be committed safely',
  'source-failed': 'the source could not be read completely',
  'target-failed': 'what is restored could not be written completely',
  refused: 'doing this would break a promise, so it is refused',
  'target-exists': 'something is already where this would be restored to',
  unsupported: 'this platform or store lacks an ability that is needed',
  interrupted: 'a signal asked to stop',
  'broken-invariant': 'a programming error: something that must hold does not',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface HoldfastErrorOptions {
  readonly retryable?: boolean;
  readonly nextStep?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly nextStep: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: HoldfastErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? code === 'unavailable';
    this.nextStep = options.nextStep;
    this.data = options.data ?? {};
  }
}

/** True also for errors that crossed a realm or a thread, which `instanceof` would miss. */
export function isHoldfastError(error: unknown, code?: ErrorCode): error is HoldfastError {
  if (typeof error !== 'object' || error === null) return false;
  const candidate = error as { name?: unknown; code?: unknown };
  return candidate.name === 'HoldfastError' && (code === undefined || candidate.code === code);
}

/** Stops on a broken invariant: never continue, never repair in place. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new HoldfastError('broken-invariant', `${message}. This is a bug in Holdfast; nothing was committed. Do not prune this vault before it is understood.`);
}
