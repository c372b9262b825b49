import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import type { ByteString } from '../model/byte-string.ts';
import { fsPath } from '../model/byte-string.ts';
import { ByteWriter, ENTRY, FLAG, encodeFileWithRefs } from '../repository/index.ts';
import type { FileBody, Xattr } from '../repository/index.ts';
import { FILE_STATUS } from './crunch-settings.ts';
import type { FileNote, FilesResult } from './crunch-settings.ts';
import type { Cruncher } from './cruncher.ts';
import type { XattrReader } from './xattrs.ts';

const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
/** A file written this shortly before it is read may change again within the same time stamp. */
const RACY_MILLISECONDS = 2000;
const SPARSE_MIN_BYTES = 65_536n;

export interface CrunchFilesOptions {
  readonly now: () => number;
  /** Undefined when extended attributes are not wanted, or no native module is there. */
  readonly readXattrs: XattrReader | undefined;
}

interface Reading {
  readonly refs: ByteWriter;
  count: number;
  size: number;
  changed: boolean;
  /** Of contents with several chunks. */
  sha256?: Uint8Array;
}

/** Reads, chunks and encodes a batch of regular files, one after another, with synchronous calls (fastest in a thread). */
export function crunchFiles(cruncher: Cruncher, paths: readonly ByteString[], options: CrunchFilesOptions): FilesResult {
  const bodies = new ByteWriter(paths.length * 128);
  const notes: FileNote[] = [];
  const body = new ByteWriter(256);
  for (const [index, path] of paths.entries()) {
    body.reset();
    const status = crunchFile(cruncher, path, index, body, notes, options);
    bodies.u8(status).u32(body.length).bytes(body.view());
  }
  return { bodies: bodies.finish(), notes, ...cruncher.report() };
}

function crunchFile(cruncher: Cruncher, path: ByteString, index: number, body: ByteWriter, notes: FileNote[], options: CrunchFilesOptions): number {
  let fd: number | undefined;
  try {
    fd = openSync(fsPath(path), OPEN_FLAGS);
    const before = fstatSync(fd, { bigint: true });
    if (!before.isFile()) return gone(index, notes, 'it is no longer a regular file');
    const startedAt = options.now();
    const reading = readContent(cruncher, fd, Number(before.size));
    const after = fstatSync(fd, { bigint: true });
    if (before.mtimeNs !== after.mtimeNs || before.ctimeNs !== after.ctimeNs) reading.changed = true;
    if (reading.changed) notes.push({ index, code: 'changed-while-read', message: 'the file changed while it was read; what was read is kept, and it is read again next time' });
    const xattrs = options.readXattrs?.mayHaveAny(path) ? readXattrs(fd, index, notes, options.readXattrs) : [];
    encodeFile(body, after, reading, startedAt, xattrs);
    return FILE_STATUS.stored;
  } catch (error) {
    const problem = problemOf(error);
    if (!problem) throw error;
    if (problem.isGone) return gone(index, notes, problem.message);
    notes.push({ index, code: 'unreadable', message: problem.message });
    return FILE_STATUS.unreadable;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

const GONE: Readonly<Record<string, string>> = {
  ENOENT: 'it vanished before it could be read',
  ENOTDIR: 'it vanished before it could be read',
  ESTALE: 'it vanished before it could be read',
  ELOOP: 'it is no longer a regular file',
  ENXIO: 'it is no longer a regular file',
};

/** For warnings: what was refused in words, where the error's own would be a code. */
export const REFUSED: Readonly<Record<string, string>> = {
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  EIO: 'the disk failed to read it (EIO)',
};

/** These say nothing about one file: going on would lose all that follow. */
const EXHAUSTED: readonly string[] = ['EMFILE', 'ENFILE', 'ENOMEM'];

/** What a failed open, read or stat says about the one file that was asked for; undefined for all other errors. */
export function problemOf(error: unknown): { readonly isGone: boolean; readonly message: string } | undefined {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined || EXHAUSTED.includes(code)) return undefined;
  const isGone = code in GONE;
  return { isGone, message: GONE[code] ?? REFUSED[code] ?? message.split(',')[0] ?? code };
}

function gone(index: number, notes: FileNote[], message: string): number {
  notes.push({ index, code: 'vanished', message });
  return FILE_STATUS.gone;
}

function readContent(cruncher: Cruncher, fd: number, expected: number): Reading {
  const reading: Reading = { refs: refsWriter, count: 0, size: 0, changed: false };
  refsWriter.reset();
  if (expected > cruncher.filesChunker.sizes.min) readLarge(cruncher, fd, reading);
  else if (!readSmall(cruncher, fd, expected, reading)) readLarge(cruncher, fd, reading);
  if (reading.size !== expected) reading.changed = true;
  cruncher.countRead(reading.size);
  return reading;
}

const refsWriter = new ByteWriter(4096);

/** One chunk, read straight behind the open frame. False when the file is longer than it said. */
function readSmall(cruncher: Cruncher, fd: number, expected: number, reading: Reading): boolean {
  const { raw, rawLength } = cruncher;
  // One byte more than expected: a shorter answer proves the end of the file in the same call.
  let length = readSync(fd, raw, rawLength, expected + 1, 0);
  while (length < expected) {
    const more = readSync(fd, raw, rawLength + length, expected + 1 - length, length);
    if (more === 0) break;
    length += more;
  }
  if (length > expected) return false;
  if (length > 0) {
    cruncher.takeAppended(length, reading.refs);
    reading.count++;
  }
  reading.size = length;
  return true;
}

const READ_BYTES = 1 << 20;
let readBuffer: Buffer | undefined;

function readLarge(cruncher: Cruncher, fd: number, reading: Reading): void {
  const chunker = cruncher.filesChunker;
  if (!readBuffer || readBuffer.length < READ_BYTES + chunker.sizes.max) readBuffer = Buffer.allocUnsafeSlow(READ_BYTES + chunker.sizes.max);
  const buffer = readBuffer;
  const digest = createHash('sha256');
  let filled = 0;
  let isEnd = false;
  while (!isEnd || filled > 0) {
    while (!isEnd && filled < buffer.length) {
      const count = readSync(fd, buffer, filled, buffer.length - filled, reading.size + filled);
      if (count === 0) isEnd = true;
      filled += count;
    }
    let start = 0;
    while (start < filled && (isEnd || filled - start >= chunker.sizes.max)) {
      const length = chunker.cut(buffer, start, filled);
      cruncher.take(buffer.subarray(start, start + length), reading.refs);
      reading.count++;
      start += length;
    }
    digest.update(buffer.subarray(0, start));
    reading.size += start;
    buffer.copyWithin(0, start, filled);
    filled -= start;
  }
  if (reading.count > 1) reading.sha256 = digest.digest();
}

function readXattrs(fd: number, index: number, notes: FileNote[], read: XattrReader): readonly Xattr[] {
  const { xattrs, problem } = read(fd);
  if (problem) notes.push({ index, ...problem });
  return xattrs;
}

function encodeFile(body: ByteWriter, stats: BigIntStats, reading: Reading, startedAt: number, xattrs: readonly Xattr[]): void {
  const file = describeFile(stats, { size: reading.size, startedAt, hasChanged: reading.changed, ...(reading.sha256 && { sha256: reading.sha256 }) }, xattrs);
  encodeFileWithRefs(file, reading.count, reading.refs.view(), body);
}

/** What reading a file to its end showed. */
export interface ReadFile {
  readonly size: number;
  /** When reading began, by this machine's clock in milliseconds. */
  readonly startedAt: number;
  readonly hasChanged: boolean;
  /** Given when the content has more than one chunk. */
  readonly sha256?: Uint8Array;
}

/** Everything about a regular file but its chunks; `stats` from an fstat after reading. */
export function describeFile(stats: BigIntStats, { size, startedAt, hasChanged, sha256 }: ReadFile, xattrs: readonly Xattr[]): Omit<FileBody, 'refs'> {
  const isLinked = stats.nlink > 1n;
  const isRacy = Number(stats.ctimeNs / 1_000_000n) > startedAt - RACY_MILLISECONDS || Number(stats.mtimeNs / 1_000_000n) > startedAt - RACY_MILLISECONDS;
  const isSparse = stats.size > SPARSE_MIN_BYTES && stats.blocks * 512n < stats.size;
  const flags = (isRacy ? FLAG.racy : 0) | (isSparse ? FLAG.sparse : 0) | (hasChanged ? FLAG.changed | FLAG.racy : 0) | (isLinked ? FLAG.linked : 0) | (xattrs.length > 0 ? FLAG.xattrs : 0) | (sha256 ? FLAG.digest : 0);
  return {
    type: ENTRY.file,
    flags,
    ...ownership(stats),
    size,
    ctimeSeconds: Number(stats.ctimeNs / 1_000_000_000n),
    ctimeNanoseconds: Number(stats.ctimeNs % 1_000_000_000n),
    inode: BigInt.asUintN(64, stats.ino),
    ...(isLinked && { linkGroup: linkGroup(stats) }),
    ...(sha256 && { sha256 }),
    ...(xattrs.length > 0 && { xattrs }),
  };
}

export function ownership(stats: BigIntStats): { mode: number; uid: number; gid: number; mtimeSeconds: number; mtimeNanoseconds: number } {
  const seconds = floorDivide(stats.mtimeNs);
  return {
    mode: Number(stats.mode & 0o7777n),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtimeSeconds: Number(seconds),
    mtimeNanoseconds: Number(stats.mtimeNs - seconds * 1_000_000_000n),
  };
}

/** Times before 1970 have a negative second and a non-negative nanosecond, as in struct timespec. */
function floorDivide(nanoseconds: bigint): bigint {
  return nanoseconds >= 0n ? nanoseconds / 1_000_000_000n : (nanoseconds - 999_999_999n) / 1_000_000_000n;
}

function linkGroup(stats: BigIntStats): Uint8Array {
  return new ByteWriter(16).u32(Number((stats.dev >> 32n) & 0xffffffffn)).u32(Number(stats.dev & 0xffffffffn)).u32(Number((stats.ino >> 32n) & 0xffffffffn)).u32(Number(stats.ino & 0xffffffffn)).finish();
}
