import type { ByteString } from '../model/byte-string.ts';
import { display } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import { errnoWords } from './errno.ts';

/** The operating system refused in a way that ends the restore. */
export function osError(errno: string, path: ByteString): HoldfastError {
  const isSpace = errno === 'ENOSPC' || errno === 'EDQUOT';
  return new HoldfastError(isSpace ? 'no-space' : 'permission', `Restoring ${display(path)} failed: ${errnoWords(errno)}. What was restored so far stays in the target, whole.`, {
    nextStep: isSpace ? 'Make room or choose another --to, then run the same command again with --overwrite changed: what is whole is not written twice.' : 'Check the target, then run the same command again with --overwrite changed.',
  });
}
