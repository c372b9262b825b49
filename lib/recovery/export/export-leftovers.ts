import { lstat, readdir, unlink } from 'node:fs/promises';
import { byteString, fsPath } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { isOwnerDead, isOwnerRunning } from '../../model/process-owner.ts';
import type { ProcessTable } from '../../model/process-owner.ts';
import { errnoOf } from '../errno.ts';
import { PARTIAL_PREFIX } from './new-file.ts';

/** Who wrote it may be on another machine, where nobody here can look: then it is left for so long. */
const UNKNOWN_OWNER_MS = 7 * 24 * 3_600_000;

/** What an export that was killed left in a directory; plain data, which a dry run prints. */
export interface ExportLeftover {
  readonly path: ByteString;
  readonly bytes: number;
  /** Its process is gone, or it was not written to for a week. False: another export may be at work on it. */
  readonly isAbandoned: boolean;
}

/**
 * Finds what exports of this user did not come to finish in `folder`. A directory that is not there, or may not be
 * listed, has none: writing into it says what is wrong.
 */
export async function findLeftovers(folder: ByteString, { processes, now }: { readonly processes: ProcessTable; readonly now: number }): Promise<ExportLeftover[]> {
  const names = await readdir(fsPath(folder), { encoding: 'buffer' }).catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  });
  const found: ExportLeftover[] = [];
  for (const name of names.map(byteString).filter((text) => text.startsWith(PARTIAL_PREFIX)).sort()) {
    const path = `${folder}/${name}` as ByteString;
    const stat = await lstat(fsPath(path)).catch(ifGone);
    const isOurs = stat?.isFile() === true && (stat.uid === process.geteuid?.() || process.geteuid?.() === 0);
    const owner = name.slice(PARTIAL_PREFIX.length);
    if (!stat || !isOurs || isOwnerRunning(owner, processes)) continue;
    const isAbandoned = isOwnerDead(owner, processes) || now - stat.mtimeMs > UNKNOWN_OWNER_MS;
    found.push({ path, bytes: stat.size, isAbandoned });
  }
  return found;
}

/** Answers what it removed. */
export async function removeLeftovers(leftovers: readonly ExportLeftover[]): Promise<ExportLeftover[]> {
  const removed: ExportLeftover[] = [];
  for (const leftover of leftovers.filter(({ isAbandoned }) => isAbandoned)) {
    const isGone = await unlink(fsPath(leftover.path)).then(() => true, ifGone);
    if (isGone === true) removed.push(leftover);
  }
  return removed;
}

function ifGone(error: unknown): undefined {
  if (errnoOf(error) !== 'ENOENT') throw error;
  return undefined;
}
