import { closeSync, constants, lstatSync, openSync } from 'node:fs';
import type { BigIntStats, Stats } from 'node:fs';
import type { ByteString } from '../model/byte-string.ts';
import { fsPath } from '../model/byte-string.ts';
import { ownership } from '../engine/crunch-files.ts';
import type { XattrReader, XattrReading } from '../engine/xattrs.ts';
import { ByteWriter, ENTRY, FLAG, decodeBody, encodeBody } from '../repository/index.ts';
import type { DirectoryBody, EntryBody, FileBody, SpecialBody, SymlinkBody, Xattr } from '../repository/index.ts';
import { sameMetadata } from './unchanged.ts';
import { readLink } from './walk.ts';
import type { Walked } from './walk.ts';

/**
 * Body of anything that is not a regular file; `previous` is returned as it is when nothing differs from it. `xattrs`
 * are those of a directory. Throws what the system says when the entry vanished meanwhile.
 */
export function otherBody({ access, stats }: Pick<Walked, 'access' | 'stats'>, previous: Uint8Array | undefined, xattrs: readonly Xattr[]): Uint8Array {
  const target = stats.isSymbolicLink() ? readLink(access) : undefined;
  if (previous && isSameOther(previous, stats, target, xattrs)) return previous;
  const exact = lstatSync(fsPath(access), { bigint: true, throwIfNoEntry: false });
  const body = describe(stats, exact, target, xattrs);
  const writer = new ByteWriter(256);
  encodeBody(body, writer);
  return writer.finish();
}

/** Extended attributes of a directory; none when it may not be opened, which the walk reports. */
export function directoryXattrs(access: ByteString, readXattrs: XattrReader): XattrReading {
  if (!readXattrs.mayHaveAny(access)) return { xattrs: [] };
  let fd: number;
  try {
    fd = openSync(fsPath(access), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch {
    return { xattrs: [] };
  }
  try {
    return readXattrs(fd);
  } finally {
    closeSync(fd);
  }
}

/** A file whose content could not be read: it is listed, so that nobody believes that it never was there. */
export function unreadableBody(stats: Stats): Uint8Array {
  const body: FileBody = { ...common(stats, undefined), type: ENTRY.file, flags: FLAG.unreadable | FLAG.racy, size: stats.size, ctimeSeconds: 0, ctimeNanoseconds: 0, inode: 0n, refs: [] };
  const writer = new ByteWriter(64);
  encodeBody(body, writer);
  return writer.finish();
}

function isSameOther(previous: Uint8Array, stats: Stats, target: ByteString | undefined, xattrs: readonly Xattr[]): boolean {
  if (previous[0] !== typeOf(stats)) return false;
  const body = decodeBody(previous, 'record of the previous backup');
  if (!sameMetadata(body, stats)) return false;
  if (body.type === ENTRY.symlink) return body.target === target;
  if (body.type === ENTRY.directory) return sameXattrs(body.xattrs ?? [], xattrs);
  return !('major' in body) || (body.major === majorOf(stats) && body.minor === minorOf(stats));
}

function describe(stats: Stats, exact: BigIntStats | undefined, target: ByteString | undefined, xattrs: readonly Xattr[]): EntryBody {
  const base = common(stats, exact);
  const type = typeOf(stats);
  if (type === ENTRY.symlink) return { ...base, type, target: target ?? ('' as ByteString) } satisfies SymlinkBody;
  if (type !== ENTRY.directory) return { ...base, type, major: majorOf(stats), minor: minorOf(stats) } satisfies SpecialBody;
  return { ...base, type, ...(xattrs.length > 0 && { flags: FLAG.xattrs, xattrs }) } satisfies DirectoryBody;
}

function common(stats: Stats, exact: BigIntStats | undefined) {
  const seconds = Math.floor(stats.mtimeMs / 1000);
  const rounded = { mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid, mtimeSeconds: seconds, mtimeNanoseconds: Math.min(999_999_999, Math.round((stats.mtimeMs - seconds * 1000) * 1_000_000)) };
  return { flags: 0, ...(exact ? ownership(exact) : rounded) };
}

function typeOf(stats: Stats): Exclude<EntryBody['type'], FileBody['type']> {
  if (stats.isDirectory()) return ENTRY.directory;
  if (stats.isSymbolicLink()) return ENTRY.symlink;
  if (stats.isFIFO()) return ENTRY.fifo;
  if (stats.isSocket()) return ENTRY.socket;
  return stats.isCharacterDevice() ? ENTRY.characterDevice : ENTRY.blockDevice;
}

function sameXattrs(left: readonly Xattr[], right: readonly Xattr[]): boolean {
  return left.length === right.length && left.every(({ name, value }, index) => name === right[index]?.name && Buffer.compare(value, right[index].value) === 0);
}

/** Linux device numbers as in makedev(3). */
function majorOf({ rdev }: Stats): number {
  return Math.floor(rdev / 256) % 4096;
}

function minorOf({ rdev }: Stats): number {
  return (rdev % 256) + Math.floor(rdev / 0x100000) * 256;
}
