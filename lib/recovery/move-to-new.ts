import { linkSync, lstatSync, renameSync, unlinkSync } from 'node:fs';
import { errnoOf } from './errno.ts';

/** Gives what is whole its name; fails as `EEXIST` when something has that name, which `rename` would replace. */
export function moveToNew(from: string | Buffer, to: string | Buffer): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!NO_LINKS.has(errnoOf(error) ?? '')) throw error;
    // A file system without hard links: the look and the rename are two steps, there is nothing better.
    if (lstatSync(to, { throwIfNoEntry: false })) throw Object.assign(new Error('something is there'), { code: 'EEXIST' });
    return renameSync(from, to);
  }
  unlinkSync(from);
}

const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);
