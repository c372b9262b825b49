import { lstatSync, readdirSync, unlinkSync } from 'node:fs';
import { byteString } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import { entryPath } from './target-folders.ts';
import { TEMPORARY_NAME } from './unfinished.ts';

/**
 * Removes what a killed restore left under temporary names in one directory. A restore that writes there at the same
 * time loses its own: it reports those files as failed. `isWanted`: names that the backup has itself.
 */
export function removeTemporaries(folderFd: number, isWanted: (name: ByteString) => boolean): number {
  let removed = 0;
  for (const raw of readdirSync(`/proc/self/fd/${folderFd}`, { encoding: 'buffer' })) {
    const name = byteString(raw);
    if (!TEMPORARY_NAME.test(name) || isWanted(name)) continue;
    const stat = lstatSync(entryPath(folderFd, name), { throwIfNoEntry: false });
    const isOurs = stat && !stat.isDirectory() && (stat.uid === process.geteuid?.() || process.geteuid?.() === 0);
    if (!isOurs) continue;
    unlinkSync(entryPath(folderFd, name));
    removed++;
  }
  return removed;
}
