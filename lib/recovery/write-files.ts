import { closeSync, constants, fchmodSync, fchownSync, fsyncSync, futimesSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import { isHoldfastError } from '../model/errors.ts';
import { Scratch, openFrame, releaseBytes } from '../repository/index.ts';
import type { FrameOpener } from '../repository/index.ts';
import { errnoOf, errnoWords } from './errno.ts';
import { moveToNew } from './move-to-new.ts';
import { entryPath } from './target-folders.ts';
import { fsTime } from './times.ts';
import { temporaryName, UNFINISHED_FILE } from './unfinished.ts';
import { WRITE } from './write-job.ts';
import type { FrameOrder, WriteFailure, WriteJob, WriteOrder, WriteResult } from './write-job.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
const NOTHING = new Uint8Array(0);
/** Of this thread: a frame is written before the next is opened. */
const scratch = new Scratch();
/** Holes are made of whole blocks of this size. */
const BLOCK_BYTES = 4096;
/** Smaller files are made in place: there two more calls would cost as much as the file, and the mark tells a torso. */
const ASIDE_BYTES = 128 << 10;

export interface WriteSettings {
  readonly opener: FrameOpener;
  /** Hash every chunk against its id, besides the seal of its frame. */
  readonly provesChunks: boolean;
}

/** Opens the frames of one job, proves them, and writes. Synchronous: runs in threads, or inline. */
export function runWriteJob(job: WriteJob, settings: WriteSettings): WriteResult {
  const failures: WriteFailure[] = [];
  const outcome = { ownerDenied: 0 };
  let number = 0;
  for (const order of job.frames) {
    const raw = openOrder(job, order, settings);
    for (const write of order.writes) {
      if (raw instanceof Uint8Array) attempt(() => perform(write, raw.subarray(write.rawOffset, write.rawOffset + write.length), outcome), number, failures);
      else failures.push({ write: number, ...raw });
      number++;
    }
    if (raw instanceof Uint8Array) releaseBytes(raw);
  }
  releaseBytes(job.bytes);
  return { failures, ownerDenied: outcome.ownerDenied };
}

function openOrder(job: WriteJob, { frame }: FrameOrder, { opener, provesChunks }: WriteSettings): Uint8Array | { code: string; message: string } {
  if (!frame) return NOTHING;
  const at = frame.offset - job.offset;
  try {
    return openFrame(opener, job.cipher, frame, job.bytes.subarray(at, at + frame.sealedLength), job.pack, { isChecked: provesChunks, scratch });
  } catch (error) {
    if (isHoldfastError(error)) return { code: error.code, message: error.message };
    // A compressor's complaint about bytes whose seal is whole: they were sealed that way.
    return { code: 'damaged', message: `The frame at byte ${frame.offset} of ${job.pack} does not decode: ${(error as Error).message}` };
  }
}

function attempt(write: () => void, number: number, failures: WriteFailure[]): void {
  try {
    write();
  } catch (error) {
    const errno = errnoOf(error);
    failures.push({ write: number, code: errno ?? 'failed', message: errnoWords(errno, error) });
  }
}

function perform(write: WriteOrder, bytes: Uint8Array, outcome: { ownerDenied: number }): void {
  if (write.fd >= 0) return writeAt(write.fd, bytes, write.fileOffset, (write.flags & WRITE.sparse) !== 0);
  const isReplacing = (write.flags & WRITE.replace) !== 0;
  const isAside = isReplacing || bytes.length >= ASIDE_BYTES;
  const name = isAside ? temporaryName() : write.name;
  const path = entryPath(write.folderFd, name);
  const fd = openNew(path);
  try {
    if (bytes.length > 0) writeAt(fd, bytes, 0, false);
    if (!setMetadata(fd, write)) outcome.ownerDenied++;
    if (write.flags & WRITE.flush) fsyncSync(fd);
    const final = entryPath(write.folderFd, write.name);
    if (isReplacing) renameSync(path, final);
    else if (isAside) moveToNew(path, final);
  } catch (error) {
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Marked as unfinished until its metadata is set; an existing file or link of that name is never opened. */
export function openNew(path: string | Buffer): number {
  return openSync(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, UNFINISHED_FILE);
}

/**
 * Owner, times, then mode: a change of owner clears setuid, and the mode takes the mark of the unfinished away. Returns
 * false when the owner could not be set: then setuid and setgid are left out, because they would lend the rights of
 * whoever restores.
 */
export function setMetadata(fd: number, { uid, gid, mode, mtime }: Pick<WriteOrder, 'uid' | 'gid' | 'mode' | 'mtime'>): boolean {
  const isOwned = uid < 0 || tryOwner(fd, uid, gid);
  const time = fsTime(mtime);
  futimesSync(fd, time, time);
  fchmodSync(fd, isOwned ? mode : mode & 0o1777);
  return isOwned;
}

function tryOwner(fd: number, uid: number, gid: number): boolean {
  try {
    fchownSync(fd, uid, gid);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EPERM' || errnoOf(error) === 'EINVAL') return false;
    throw error;
  }
}

function writeAt(fd: number, bytes: Uint8Array, offset: number, isSparse: boolean): void {
  if (!isSparse) return writeAll(fd, bytes, offset);
  for (let start = 0; start < bytes.length; ) {
    // Blocks are those of the file, so that neighbouring pieces meet at block borders.
    const end = blockEnd(bytes, start, offset);
    if (!isZero(bytes, start, end)) {
      let stop = end;
      for (let next = blockEnd(bytes, stop, offset); stop < bytes.length && !isZero(bytes, stop, next); next = blockEnd(bytes, stop, offset)) stop = next;
      writeAll(fd, bytes.subarray(start, stop), offset + start);
      start = stop;
    } else start = end;
  }
}

function blockEnd(bytes: Uint8Array, start: number, offset: number): number {
  return Math.min(bytes.length, start + BLOCK_BYTES - ((offset + start) % BLOCK_BYTES));
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let index = start; index < end; index++) if (bytes[index] !== 0) return false;
  return true;
}

function writeAll(fd: number, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
}
