import type { ByteString } from '../model/byte-string.ts';
import type { CipherName, FrameInfo } from '../repository/index.ts';

/** What a thread needs to write one file, or one piece of a file that the main thread holds open. */
export interface WriteOrder {
  /** Descriptor of the directory, for files that are written whole; descriptors are shared by all threads. */
  readonly folderFd: number;
  readonly name: ByteString;
  /** Descriptor of a file that is open, or -1: make the file, write it, set its metadata, close it. */
  readonly fd: number;
  /** Where the piece goes in the file; 0 for whole files. */
  readonly fileOffset: number;
  /** Where the piece lies in the decoded frame. */
  readonly rawOffset: number;
  readonly length: number;
  readonly flags: number;
  readonly mode: number;
  /** -1: the owner stays the one who restores. */
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
}

export const WRITE = { replace: 1, sparse: 2, flush: 4 } as const;

export interface FrameOrder {
  /** Undefined: files without content. */
  readonly frame: FrameInfo | undefined;
  readonly writes: readonly WriteOrder[];
}

/** A range of one pack and all that is written from it. */
export interface WriteJob {
  readonly pack: string;
  readonly cipher: CipherName;
  /** Bytes from the beginning of the pack; `bytes` begins there. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly frames: readonly FrameOrder[];
}

export interface WriteFailure {
  /** Number of the write, counted through all frames of the job. */
  readonly write: number;
  /** `damaged`, or the system's name of the error. */
  readonly code: string;
  readonly message: string;
}

export interface WriteResult {
  readonly failures: readonly WriteFailure[];
  /** Writes whose owner could not be set: their setuid bits were left out. */
  readonly ownerDenied: number;
}

/** A job as columns of numbers: posting 1,000 small objects costs a thread more than writing 1,000 small files. */
export interface PackedJob {
  readonly pack: string;
  readonly cipher: CipherName;
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly frames: Float64Array;
  readonly digests: Uint8Array;
  readonly chunkLengths: Float64Array;
  readonly writes: Float64Array;
  readonly names: readonly ByteString[];
}

const FRAME_COLUMNS = 7;
const WRITE_COLUMNS = 10;

export function packJob(job: WriteJob): PackedJob {
  const chunks = job.frames.reduce((sum, { frame }) => sum + (frame?.chunks.length ?? 0), 0);
  const count = job.frames.reduce((sum, { writes }) => sum + writes.length, 0);
  const frames = new Float64Array(job.frames.length * FRAME_COLUMNS);
  const digests = new Uint8Array(job.frames.length * 16 + chunks * 32);
  const chunkLengths = new Float64Array(chunks);
  const writes = new Float64Array(count * WRITE_COLUMNS);
  const names: ByteString[] = [];
  let digestAt = 0;
  let chunkAt = 0;
  for (const [index, { frame, writes: orders }] of job.frames.entries()) {
    const row = frame ? [frame.offset, frame.sealedLength, frame.rawLength, frame.codec, frame.keyNumber, frame.chunks.length, orders.length] : [0, -1, 0, 0, 0, 0, orders.length];
    frames.set(row, index * FRAME_COLUMNS);
    if (frame) digests.set(frame.tag, digestAt);
    digestAt += 16;
    for (const chunk of frame?.chunks ?? []) {
      digests.set(chunk.id, digestAt);
      digestAt += 32;
      chunkLengths[chunkAt++] = chunk.length;
    }
    for (const order of orders) {
      packWrite(order, writes, names.length * WRITE_COLUMNS);
      names.push(order.name);
    }
  }
  return { pack: job.pack, cipher: job.cipher, offset: job.offset, bytes: job.bytes, frames, digests, chunkLengths, writes, names };
}

function packWrite(order: WriteOrder, writes: Float64Array, at: number): void {
  writes[at] = order.folderFd;
  writes[at + 1] = order.fd;
  writes[at + 2] = order.fileOffset;
  writes[at + 3] = order.rawOffset;
  writes[at + 4] = order.length;
  writes[at + 5] = order.flags;
  writes[at + 6] = order.mode;
  writes[at + 7] = order.uid;
  writes[at + 8] = order.gid;
  writes[at + 9] = order.mtime;
}

export function unpackJob(packed: PackedJob): WriteJob {
  const frames: FrameOrder[] = [];
  let digestAt = 0;
  let chunkAt = 0;
  let writeAt = 0;
  for (let at = 0; at < packed.frames.length; at += FRAME_COLUMNS) {
    const [offset = 0, sealedLength = 0, rawLength = 0, codec = 0, keyNumber = 0, chunkCount = 0, writeCount = 0] = packed.frames.subarray(at, at + FRAME_COLUMNS);
    const tag = packed.digests.subarray(digestAt, (digestAt += 16));
    const chunks: { id: Uint8Array; length: number }[] = [];
    for (let left = chunkCount; left > 0; left--) chunks.push({ id: packed.digests.subarray(digestAt, (digestAt += 32)), length: packed.chunkLengths[chunkAt++] as number });
    const writes: WriteOrder[] = [];
    for (let left = writeCount; left > 0; left--) writes.push(unpackWrite(packed, writeAt++));
    frames.push({ frame: sealedLength < 0 ? undefined : { offset, sealedLength, rawLength, codec, keyNumber, tag, chunks }, writes });
  }
  return { pack: packed.pack, cipher: packed.cipher, offset: packed.offset, bytes: packed.bytes, frames };
}

function unpackWrite({ writes, names }: PackedJob, index: number): WriteOrder {
  const at = index * WRITE_COLUMNS;
  const column = (number: number) => writes[at + number] as number;
  return {
    folderFd: column(0),
    name: names[index] as ByteString,
    fd: column(1),
    fileOffset: column(2),
    rawOffset: column(3),
    length: column(4),
    flags: column(5),
    mode: column(6),
    uid: column(7),
    gid: column(8),
    mtime: column(9),
  };
}
