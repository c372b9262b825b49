import type { ByteString } from '../model/byte-string.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { damaged, quoted } from './format.ts';

export { comparePaths } from '../model/path-order.ts';

/** Type numbers of the entry tree (format §7). */
export const ENTRY = { tombstone: 0, file: 1, directory: 2, symlink: 3, fifo: 4, socket: 5, characterDevice: 6, blockDevice: 7, stream: 8 } as const;
export type EntryType = (typeof ENTRY)[keyof typeof ENTRY];

export const FLAG = { racy: 1, sparse: 2, changed: 4, linked: 8, xattrs: 16, listed: 32, unreadable: 64, digest: 128 } as const;

/** One chunk of an entry: which bytes, in which pack (16 bytes of its id), how many. */
export interface ChunkRef {
  readonly id: Uint8Array;
  readonly pack: Uint8Array;
  readonly length: number;
}

export interface Xattr {
  readonly name: ByteString;
  readonly value: Uint8Array;
}

export interface EntryCommon {
  readonly flags: number;
  /** The low 12 bits of st_mode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
}

export interface FileBody extends EntryCommon {
  readonly type: typeof ENTRY.file | typeof ENTRY.stream;
  readonly size: number;
  readonly ctimeSeconds: number;
  readonly ctimeNanoseconds: number;
  readonly inode: bigint;
  /** SHA-256 of the whole content where it has several chunks; of a single chunk its id says it (K2). */
  readonly sha256?: Uint8Array;
  /** Same for all names of one hard-linked file; 16 bytes. */
  readonly linkGroup?: Uint8Array;
  readonly xattrs?: readonly Xattr[];
  /** Chunks in order; with FLAG.listed they name list chunks instead. */
  readonly refs: readonly ChunkRef[];
}

export interface DirectoryBody extends EntryCommon {
  readonly type: typeof ENTRY.directory;
  readonly xattrs?: readonly Xattr[];
}

export interface SymlinkBody extends EntryCommon {
  readonly type: typeof ENTRY.symlink;
  readonly target: ByteString;
  readonly xattrs?: readonly Xattr[];
}

export interface SpecialBody extends EntryCommon {
  readonly type: typeof ENTRY.fifo | typeof ENTRY.socket | typeof ENTRY.characterDevice | typeof ENTRY.blockDevice;
  readonly major: number;
  readonly minor: number;
}

export type EntryBody = FileBody | DirectoryBody | SymlinkBody | SpecialBody;

/** An entry as readers see it. The path is relative; the root directory has the empty path. */
export type Entry = EntryBody & { readonly path: ByteString };

export function isFile(body: EntryBody): body is FileBody {
  return body.type === ENTRY.file || body.type === ENTRY.stream;
}

export function encodeBody(body: EntryBody, writer: ByteWriter): void {
  writer.u8(body.type).varint(body.flags).varint(body.mode).varint(body.uid).varint(body.gid).zigzag(body.mtimeSeconds).varint(body.mtimeNanoseconds);
  switch (body.type) {
    case ENTRY.file:
    case ENTRY.stream:
      return encodeFile(body, writer);
    case ENTRY.directory:
      return encodeXattrs(body, writer);
    case ENTRY.symlink:
      writer.varint(body.target.length).latin1(body.target);
      return encodeXattrs(body, writer);
    default:
      writer.varint(body.major).varint(body.minor);
  }
}

/** For writers that have the refs encoded already: `refs` holds `count` of them. */
export function encodeFileWithRefs(body: Omit<FileBody, 'refs'>, count: number, refs: Uint8Array, writer: ByteWriter): void {
  encodeBody({ ...body, refs: [] }, writer);
  // An empty list was written as one zero byte.
  writer.truncate(writer.length - 1).varint(count).bytes(refs);
}

function encodeFile(body: FileBody, writer: ByteWriter): void {
  writer.varint(body.size).zigzag(body.ctimeSeconds).varint(body.ctimeNanoseconds);
  writer.u32(Number((body.inode >> 32n) & 0xffffffffn)).u32(Number(body.inode & 0xffffffffn));
  if (body.flags & FLAG.linked) writer.bytes(body.linkGroup ?? new Uint8Array(16));
  if (body.flags & FLAG.digest) writer.bytes(body.sha256 ?? new Uint8Array(32));
  encodeXattrs(body, writer);
  writer.varint(body.refs.length);
  for (const ref of body.refs) encodeRef(ref, writer);
}

export function encodeRef(ref: ChunkRef, writer: ByteWriter): void {
  writer.bytes(ref.id).bytes(ref.pack).varint(ref.length);
}

function encodeXattrs(body: { flags: number; xattrs?: readonly Xattr[] }, writer: ByteWriter): void {
  if (!(body.flags & FLAG.xattrs)) return;
  const xattrs = body.xattrs ?? [];
  writer.varint(xattrs.length);
  for (const { name, value } of xattrs) writer.varint(name.length).latin1(name).sized(value);
}

/** Decodes a record's body; everything is bounds-checked, ids are views into `bytes`. */
export function decodeBody(bytes: Uint8Array, what: string): EntryBody {
  const reader = new ByteReader(bytes, what);
  const type = reader.u8();
  const common = decodeCommon(reader);
  const body = decodeRest(type, common, reader, what);
  reader.end();
  return body;
}

export function decodeCommon(reader: ByteReader): EntryCommon {
  return {
    flags: reader.varint(),
    mode: reader.varint() & 0o7777,
    uid: reader.varint(),
    gid: reader.varint(),
    mtimeSeconds: reader.zigzag(),
    mtimeNanoseconds: reader.varint(),
  };
}

function decodeRest(type: number, common: EntryCommon, reader: ByteReader, what: string): EntryBody {
  switch (type) {
    case ENTRY.file:
    case ENTRY.stream:
      return decodeFile(type, common, reader);
    case ENTRY.directory:
      return { ...common, type, ...decodeXattrs(common.flags, reader) };
    case ENTRY.symlink:
      return { ...common, type, target: decodeTarget(reader, what), ...decodeXattrs(common.flags, reader) };
    case ENTRY.fifo:
    case ENTRY.socket:
    case ENTRY.characterDevice:
    case ENTRY.blockDevice:
      return { ...common, type, major: reader.varint(), minor: reader.varint() };
    default:
      throw damaged(`${what}: entry type ${type} is unknown`);
  }
}

/** No link leads there: a system call would end at the zero, and an archive would say something else. */
function decodeTarget(reader: ByteReader, what: string): ByteString {
  const target = reader.latin1(reader.varint());
  if (target === '' || target.includes('\0')) throw damaged(`${what}: ${quoted(target)} is no target of a symbolic link`);
  return target as ByteString;
}

function decodeFile(type: FileBody['type'], common: EntryCommon, reader: ByteReader): FileBody {
  const size = reader.varint();
  const ctimeSeconds = reader.zigzag();
  const ctimeNanoseconds = reader.varint();
  const inode = (BigInt(reader.u32()) << 32n) | BigInt(reader.u32());
  const link = common.flags & FLAG.linked ? { linkGroup: reader.bytes(16) } : {};
  const digest = common.flags & FLAG.digest ? { sha256: reader.bytes(32) } : {};
  const xattrs = decodeXattrs(common.flags, reader);
  const count = reader.count(49);
  const refs: ChunkRef[] = [];
  for (let index = 0; index < count; index++) refs.push(decodeRef(reader));
  return { ...common, type, size, ctimeSeconds, ctimeNanoseconds, inode, ...link, ...digest, ...xattrs, refs };
}

export function decodeRef(reader: ByteReader): ChunkRef {
  return { id: reader.bytes(32), pack: reader.bytes(16), length: reader.varint() };
}

function decodeXattrs(flags: number, reader: ByteReader): { xattrs?: readonly Xattr[] } {
  if (!(flags & FLAG.xattrs)) return {};
  const count = reader.count(2);
  const xattrs: Xattr[] = [];
  for (let index = 0; index < count; index++) xattrs.push({ name: reader.latin1(reader.varint()) as ByteString, value: reader.sized() });
  return { xattrs };
}

/** Refuses paths that could lead outside the target (format §7): hostile snapshots end here, before any file is touched. */
export function checkPath(path: string): void {
  if (path === '') return;
  let start = 0;
  for (let index = 0; index <= path.length; index++) {
    // The end of the path ends its last component.
    const code = index < path.length ? path.charCodeAt(index) : SLASH;
    if (code === 0) throw badPath(path);
    if (code !== SLASH) continue;
    const length = index - start;
    const isDots = length <= 2 && path.charCodeAt(start) === DOT && path.charCodeAt(index - 1) === DOT;
    if (length === 0 || length > 255 || isDots) throw badPath(path);
    start = index + 1;
  }
}

const SLASH = 47;
const DOT = 46;

function badPath(path: string): Error {
  return damaged(`The entry path ${quoted(path)} is not a path inside a backup`);
}
