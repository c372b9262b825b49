import type { ErrorCode } from '../model/errors.ts';

/** What the shell sees. Programs rely on these numbers: they are only ever added to. `docs/cli.md` prints this table. */
export const EXIT_CODES = {
  0: 'done',
  1: 'failed: nothing is changed, or only what the message says',
  2: 'usage: the command line or the configuration is wrong',
  3: 'completed with warnings: done, but not everything as asked; of `alerts`: some are open; of `diff --exit-code`: they differ',
  10: 'vault not found',
  11: 'wrong key, or no key',
  12: 'damaged: stored bytes are not what was written',
  13: 'busy: something else holds what this needs',
  130: 'interrupted by a signal',
  200: 'of `wal-fetch`: whether the file is there could not be found out, or it cannot be read; PostgreSQL ends recovery and does not take it for the end of WAL',
} as const;

export type ExitCode = keyof typeof EXIT_CODES;

/** Every error code has its row, so that a new one cannot be forgotten. */
export const EXIT_CODE_OF: Readonly<Record<ErrorCode, ExitCode>> = {
  usage: 2,
  'config-invalid': 2,
  'vault-not-found': 10,
  'vault-exists': 1,
  'unsupported-version': 1,
  'wrong-key': 11,
  'missing-key': 11,
  'not-found': 1,
  'already-exists': 1,
  damaged: 12,
  'read-only': 1,
  permission: 1,
  'no-space': 1,
  unavailable: 1,
  busy: 13,
  stale: 1,
  'source-failed': 1,
  'target-failed': 1,
  refused: 1,
  'target-exists': 1,
  unsupported: 1,
  interrupted: 130,
  'broken-invariant': 1,
};

/** Of several things that one command did, the code that a script must not miss. */
export function worstOf(codes: readonly ExitCode[]): ExitCode {
  const order: readonly ExitCode[] = [130, 200, 1, 2, 10, 11, 12, 13, 3, 0];
  return order.find((code) => codes.includes(code)) ?? 0;
}
