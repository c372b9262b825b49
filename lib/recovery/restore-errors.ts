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

/** The target as a whole cannot be looked at or made; nothing was restored. `option` is what named it. */
export function targetError(target: string, cause: unknown, option = '--to'): HoldfastError {
  const errno = errnoOf(cause);
  const code = errno === 'ENOTDIR' || errno === 'EEXIST' ? 'target-exists' : errno === 'ENOSPC' || errno === 'EDQUOT' ? 'no-space' : 'permission';
  const why = errno === 'ENOENT' ? 'the file system takes no directory there' : code === 'target-exists' ? 'something that is no directory stands there or above it' : errnoWords(errno, cause);
  return new HoldfastError(code, `${target} cannot be restored into: ${why}. Nothing was restored.`, { nextStep: `Choose a directory that this user may write with ${option}, then run the same command again.`, cause });
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
