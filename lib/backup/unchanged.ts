import type { Stats } from 'node:fs';
import { ByteReader, ENTRY, FLAG, decodeCommon } from '../repository/index.ts';
import type { EntryCommon } from '../repository/index.ts';

/** How a file is recognised as unchanged without reading it (design, Unchanged). */
export type ChangeDetection = 'ctime+inode' | 'ctime' | 'mtime' | 'content';

const READ_AGAIN = FLAG.racy | FLAG.changed | FLAG.unreadable;

/** True when the record describes a regular file whose content cannot have changed since, by the given mode. */
export function isUnchangedFile(body: Uint8Array, stats: Stats, mode: ChangeDetection): boolean {
  if (mode === 'content' || body[0] !== ENTRY.file) return false;
  const reader = new ByteReader(body, 'record');
  reader.u8();
  const common = decodeCommon(reader);
  if ((common.flags & READ_AGAIN) !== 0 || !sameMetadata(common, stats) || reader.varint() !== stats.size) return false;
  const ctime = milliseconds(reader.zigzag(), reader.varint());
  if (mode === 'mtime') return true;
  if (ctime !== stats.ctimeMs) return false;
  return mode === 'ctime' || reader.u32() * 2 ** 32 + reader.u32() === stats.ino;
}

export function sameMetadata(common: EntryCommon, stats: Stats): boolean {
  return common.mode === (stats.mode & 0o7777) && common.uid === stats.uid && common.gid === stats.gid && milliseconds(common.mtimeSeconds, common.mtimeNanoseconds) === stats.mtimeMs;
}

/** The arithmetic of `fs.Stats` (seconds times 1000 plus nanoseconds over a million, in doubles), so that equal times compare equal. */
function milliseconds(seconds: number, nanoseconds: number): number {
  return seconds * 1000 + nanoseconds / 1_000_000;
}
