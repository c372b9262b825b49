import { constants } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { randomBytes } from 'node:crypto';
import type { ByteString } from '../model/byte-string.ts';
import { ENTRY, isFile } from '../repository/index.ts';
import type { Entry } from '../repository/index.ts';

/**
 * Modes of what is not whole yet. Nobody else may read it before its owner and mode are set; the sticky bit, which
 * means nothing on such a file or directory, marks it for the restore that comes after one that was killed: the
 * restored mode is set last of all.
 */
export const UNFINISHED_FILE = constants.S_IRUSR | constants.S_IWUSR | 0o1000;
export const UNFINISHED_FOLDER = constants.S_IRWXU | 0o1000;

/** A restore that was killed made it and did not come to its end; the restore that finds it may take it for its own. */
export function isUnfinished(entry: Entry, stat: BigIntStats): boolean {
  const isFolder = entry.type === ENTRY.directory;
  if (isFolder ? !stat.isDirectory() : !(isFile(entry) && stat.isFile())) return false;
  // Below a directory with setgid, new directories have it too.
  const [mark, bits] = isFolder ? [UNFINISHED_FOLDER, 0o5777] : [UNFINISHED_FILE, 0o7777];
  if ((Number(stat.mode) & bits) !== mark || (entry.mode & bits) === mark) return false;
  const owner = Number(stat.uid);
  return owner === process.geteuid?.() || owner === entry.uid;
}

/** What `temporaryName` gives. */
export const TEMPORARY_NAME = /^\.holdfast-[0-9a-f]{24}$/;

/** Beside the name that it will get, so that the last step stays within one directory. */
export function temporaryName(): ByteString {
  return `.holdfast-${randomBytes(12).toString('hex')}` as ByteString;
}
