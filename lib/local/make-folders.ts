import { fromText } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import { makeMissingFolders } from '../model/make-missing-folders.ts';

/** Makes a folder of this machine's state and those above it, mode 0700. Fails as `permission` or `no-space`. */
export function makeFolders(path: string): void {
  try {
    makeMissingFolders(fromText(path), 0o700);
  } catch (error) {
    throw folderError(path, error as NodeJS.ErrnoException);
  }
}

export function folderError(path: string, cause: NodeJS.ErrnoException): HoldfastError {
  const code = cause.code === 'ENOSPC' || cause.code === 'EDQUOT' ? 'no-space' : 'permission';
  return new HoldfastError(code, `The directory ${path} cannot be made or used (${cause.code}), wanted one that this user may write.`, { nextStep: 'Make it writable for this user, or name another place (XDG_STATE_HOME for the state directory).', cause });
}
