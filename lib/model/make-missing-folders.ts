import { mkdirSync, statSync } from 'node:fs';
import { fsPath } from './byte-string.ts';
import type { ByteString } from './byte-string.ts';

/**
 * Makes a directory and those above it, one component at a time: Node's recursive mkdir never returns below `/proc`, where
 * a parent is there and its child is `ENOENT`, and no signal ends it. Throws what the operating system says.
 */
export function makeMissingFolders(path: ByteString, mode = 0o777): void {
  if (isFolder(path)) return;
  const slash = path.lastIndexOf('/');
  if (slash > 0) makeMissingFolders(path.slice(0, slash) as ByteString, mode);
  try {
    mkdirSync(fsPath(path), { mode });
  } catch (error) {
    // Somebody else made it at the same time, or the path ends in a slash.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !isFolder(path)) throw error;
  }
}

function isFolder(path: ByteString): boolean {
  try {
    return statSync(fsPath(path)).isDirectory();
  } catch {
    // Why it cannot be looked at is told by the attempt to make it.
    return false;
  }
}
