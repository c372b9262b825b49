import type { ByteString } from '../../model/byte-string.ts';
import { ENTRY, decodeBody, isSnapshotFile } from '../../repository/index.ts';
import type { SnapshotEntry, TreeRecord, Xattr } from '../../repository/index.ts';
import { contentDigest } from '../content-digest.ts';
import { TYPE_BITS } from '../decision.ts';
import { isSameTime, nanosecondsOf } from '../times.ts';

/** One side of a comparison: what is known of an entry of a backup, or of what stands in a directory. */
export interface ComparedEntry {
  readonly path: ByteString;
  /** The type bits of `st_mode`; of a socket 0o140000. */
  readonly type: number;
  /** Bytes of a file, else 0. */
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNanoseconds: bigint;
  /** SHA-256; undefined where it is not known. */
  readonly digest?: Uint8Array | undefined;
  readonly target?: ByteString;
  readonly device?: { readonly major: number; readonly minor: number };
  /** Undefined where it is not known. */
  readonly xattrs?: readonly Xattr[];
}

export type Aspect = 'type' | 'content' | 'target' | 'device' | 'mode' | 'owner' | 'time' | 'xattrs';

export const FILE_TYPE = 0o100000;
const SOCKET_TYPE = 0o140000;
const LINK_TYPE = 0o120000;

export function entryOf({ path, body }: TreeRecord): ComparedEntry {
  const entry: SnapshotEntry = { ...decodeBody(body, 'entry'), path };
  const { mode, uid, gid } = entry;
  const common = { path, type: TYPE_BITS[entry.type] ?? SOCKET_TYPE, size: 0, mode, uid, gid, mtimeNanoseconds: nanosecondsOf(entry) };
  if (isSnapshotFile(entry)) return { ...common, size: entry.size, digest: contentDigest(entry), xattrs: entry.xattrs ?? [] };
  if (entry.type === ENTRY.symlink) return { ...common, target: entry.target };
  if (entry.type === ENTRY.directory) return { ...common, xattrs: entry.xattrs ?? [] };
  return { ...common, device: { major: entry.major, minor: entry.minor } };
}

interface AspectRow {
  readonly aspect: Aspect;
  readonly differs: (before: ComparedEntry, after: ComparedEntry) => boolean;
}

/** In the order in which they are told. What one side does not know is no difference. */
const ASPECTS: readonly AspectRow[] = [
  { aspect: 'content', differs: (before, after) => before.size !== after.size || isOther(before.digest, after.digest) },
  { aspect: 'target', differs: (before, after) => before.target !== after.target },
  { aspect: 'device', differs: ({ device: one }, { device: other }) => one?.major !== other?.major || one?.minor !== other?.minor },
  // Links have no mode of their own.
  { aspect: 'mode', differs: (before, after) => before.type !== LINK_TYPE && before.mode !== after.mode },
  { aspect: 'owner', differs: (before, after) => before.uid !== after.uid || before.gid !== after.gid },
  // Restored times are as near as Node sets them.
  { aspect: 'time', differs: (before, after) => !isSameTime(before.mtimeNanoseconds, after.mtimeNanoseconds) },
  { aspect: 'xattrs', differs: ({ xattrs: one }, { xattrs: other }) => one !== undefined && other !== undefined && xattrKey(one) !== xattrKey(other) },
];

/** In what two entries of one path differ; nothing when they are the same. */
export function aspectsOf(before: ComparedEntry, after: ComparedEntry): Aspect[] {
  if (before.type !== after.type) return ['type'];
  return ASPECTS.filter(({ differs }) => differs(before, after)).map(({ aspect }) => aspect);
}

function isOther(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one !== undefined && other !== undefined && Buffer.compare(one, other) !== 0;
}

function xattrKey(xattrs: readonly Xattr[]): string {
  return xattrs.map(({ name, value }) => `${name}\0${Buffer.from(value).toString('base64')}`).sort().join('\0');
}
