import type { ByteString } from '../model/byte-string.ts';
import { display } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import { errnoOf, errnoWords, isFatal } from './errno.ts';
import type { Refusal } from './file-task.ts';

/** The operating system refused in a way that ends the restore. */
export function osError(errno: string, path: ByteString): HoldfastError {
  const isSpace = errno === 'ENOSPC' || errno === 'EDQUOT';
  return new HoldfastError(isSpace ? 'no-space' : 'permission', `Restoring ${display(path)} failed: ${errnoWords(errno)}. What was restored so far stays in the target, whole.`, {
    nextStep: isSpace
      ? 'Make room or choose another --to, then run the same command again: what is whole is not written twice.'
      : 'Check the target, then run the same command again.',
  });
}

/** In the way, or refused by the system. */
export function refusalOf(errno: string | undefined, error: unknown): Refusal {
  const isInTheWay = errno === 'EEXIST' || errno === 'EISDIR' || errno === 'ENOTDIR' || errno === 'ELOOP';
  return { kind: isInTheWay ? 'conflict' : 'failed', reason: errnoWords(errno, error) };
}

/** Does it; an entry that fails is refused and the others go on, unless all would fail the same way. */
export function refusing(path: ByteString, work: () => void): Refusal | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    const errno = errnoOf(error);
    if (isFatal(errno)) throw osError(errno as string, path);
    return refusalOf(errno, error);
  }
}
