import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { ErrorCode } from '../model/errors.ts';

export const REBUILD = 'Run `holdfast catalog rebuild`: the catalog is only a cache, and everything in it is read again from the vault.';

interface Meaning {
  readonly code: ErrorCode;
  readonly what: string;
  readonly nextStep: string;
}

/** Primary result codes of SQLite (https://www.sqlite.org/rescode.html) in words of Holdfast. */
const MEANINGS: Readonly<Record<number, Meaning>> = {
  1: { code: 'damaged', what: 'lacks a table or column that its version promises', nextStep: REBUILD },
  3: { code: 'permission', what: 'may not be opened', nextStep: 'Check owner and mode of the file.' },
  5: { code: 'busy', what: 'is locked by another process', nextStep: 'Try again when the other run has finished.' },
  6: { code: 'busy', what: 'is locked by another connection', nextStep: 'Try again when the other run has finished.' },
  8: { code: 'permission', what: 'may not be written', nextStep: 'Check owner and mode of the file and of its folder.' },
  10: { code: 'unavailable', what: 'could not be read or written by the disk', nextStep: 'Check the disk; the vault is not affected.' },
  11: { code: 'damaged', what: 'is damaged', nextStep: REBUILD },
  13: { code: 'no-space', what: 'cannot grow: the disk is full', nextStep: 'Free some space and try again.' },
  14: { code: 'permission', what: 'cannot be opened', nextStep: 'Check that it is a file, and owner and mode of it and of its folder.' },
  24: { code: 'damaged', what: 'is damaged', nextStep: REBUILD },
  26: { code: 'damaged', what: 'is damaged: it is not a SQLite database', nextStep: REBUILD },
};

/** Any error of `node:sqlite` as one of Holdfast's; errors that are Holdfast's already stay as they are. */
export function catalogError(file: string, cause: unknown): HoldfastError {
  if (isHoldfastError(cause)) return cause;
  const { errcode, errstr } = cause as { errcode?: number; errstr?: string };
  const meaning = errcode === undefined ? undefined : MEANINGS[errcode & 0xff];
  if (meaning === undefined) return new HoldfastError('broken-invariant', `The catalog ${file} refused a statement: ${(cause as Error).message}. This is a bug in Holdfast; the vault is not affected.`, { cause });
  return new HoldfastError(meaning.code, `The catalog ${file} ${meaning.what} (SQLite: ${errstr ?? 'no words'}).`, {
    cause, nextStep: meaning.nextStep, retryable: meaning.code === 'busy' || meaning.code === 'unavailable',
  });
}

export function damagedCatalog(file: string, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('damaged', `The catalog ${file} is damaged: ${what}.`, { nextStep: REBUILD, cause });
}
