import { closeSync, fstatSync, fsyncSync, ftruncateSync, lstatSync, renameSync, unlinkSync } from 'node:fs';
import type { ByteString } from '../model/byte-string.ts';
import type { Xattr } from '../repository/index.ts';
import { entryPath } from './target-folders.ts';
import type { Folder, TargetFolders } from './target-folders.ts';
import { moveToNew } from './move-to-new.ts';
import { temporaryName } from './unfinished.ts';
import { openNew, setMetadata } from './write-files.ts';
import { WRITE } from './write-job.ts';

/** Why an entry was not restored. */
export interface Refusal {
  readonly kind: 'damaged' | 'conflict' | 'failed';
  readonly reason: string;
}

/** One file on its way. */
export interface FileTask {
  readonly path: ByteString;
  readonly folder: Folder;
  readonly name: ByteString;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  /** Of `WRITE`. */
  readonly flags: number;
  readonly xattrs: readonly Xattr[] | undefined;
  /** Hard-link group it leads. */
  readonly group: string | undefined;
  /** One thread makes it, writes it and closes it; else this thread holds it open and threads write pieces. */
  readonly isWhole: boolean;
  piecesLeft: number;
  held: HeldFile | undefined;
  refusal: Refusal | undefined;
}

interface HeldFile {
  readonly fd: number;
  readonly name: ByteString;
}

/**
 * Makes the file of a task whose pieces come from several places, under a temporary name: a restore that is killed leaves
 * nothing half written under the final one. It stays open, so nobody can slip in another file.
 */
export function holdFile(task: FileTask, folders: TargetFolders): HeldFile {
  if (task.held) return task.held;
  const name = temporaryName();
  const at = folders.acquire(task.folder);
  try {
    task.held = { fd: openNew(entryPath(at, name)), name };
    return task.held;
  } finally {
    folders.release(task.folder);
  }
}

/** All pieces are written: length, attributes, owner, mode, times, name. Returns false when the owner could not be set. */
export function finishFile(task: FileTask, held: HeldFile, folders: TargetFolders, setXattrs: (fd: number, task: FileTask) => void): boolean {
  const at = folders.acquire(task.folder);
  try {
    // Holes at the end are not written.
    if (task.flags & WRITE.sparse) ftruncateSync(held.fd, task.size);
    if (task.xattrs) setXattrs(held.fd, task);
    const isOwned = setMetadata(held.fd, task);
    if (task.flags & WRITE.flush) fsyncSync(held.fd);
    const [from, to] = [entryPath(at, held.name), entryPath(at, task.name)];
    if (lstatSync(from, { bigint: true }).ino !== fstatSync(held.fd, { bigint: true }).ino) throw new Error('something else was put in its place while it was written');
    if (task.flags & WRITE.replace) renameSync(from, to);
    else moveToNew(from, to);
    closeSync(held.fd);
    task.held = undefined;
    return isOwned;
  } finally {
    folders.release(task.folder);
  }
}

/** A file that will not be whole must not stay under its name. */
export function discardFile(task: FileTask, folders: TargetFolders): void {
  const { held } = task;
  if (!held) return;
  task.held = undefined;
  closeSync(held.fd);
  const at = folders.acquire(task.folder);
  try {
    unlinkSync(entryPath(at, held.name));
  } finally {
    folders.release(task.folder);
  }
}
