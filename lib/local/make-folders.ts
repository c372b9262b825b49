import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { HoldfastError } from '../model/errors.ts';

/**
 * Makes a folder of this machine's state and those above it, mode 0700, one component at a time: Node's recursive mkdir
 * never returns below `/proc`, where a parent is there and its child is `ENOENT`. Fails as `permission` or `no-space`.
 */
export function makeFolders(path: string): void {
  try {
    makeMissing(path);
  } catch (error) {
    throw folderError(path, error as NodeJS.ErrnoException);
  }
}

function makeMissing(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  if (dirname(path) !== path) makeMissing(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Two first runs at once.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

export function folderError(path: string, cause: NodeJS.ErrnoException): HoldfastError {
  const code = cause.code === 'ENOSPC' || cause.code === 'EDQUOT' ? 'no-space' : 'permission';
  return new HoldfastError(code, `The directory ${path} cannot be made or used (${cause.code}), wanted one that this user may write.`, { nextStep: 'Make it writable for this user, or name another place (XDG_STATE_HOME for the state directory).', cause });
}
