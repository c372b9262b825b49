import { zstdDecompressSync, gunzipSync } from 'node:zlib';
import { HoldfastError } from '../model/errors.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { CIPHERS, CODECS, FOOTER_BYTES, FORMAT_VERSION, HEADER_BYTES, SEAL_OVERHEAD_BYTES, TAG_BYTES, damaged } from './format.ts';
import type { CipherName, SealKind } from './format.ts';
import { openClaimed } from './claimed-seal.ts';
import type { SealClaim } from './claimed-seal.ts';
import type { Subkeys } from './keys.ts';
import { releaseBytes } from './scratch.ts';
import type { Scratch } from './scratch.ts';
import { associatedData, cipherByNumber, open, seal, sha256 } from './seal.ts';

export interface PackedChunk {
  readonly id: Uint8Array;
  readonly length: number;
}

/** A frame as its pack's directory describes it (format §5). */
export interface FrameInfo {
  /** Bytes from the beginning of the pack. */
  readonly offset: number;
  readonly sealedLength: number;
  readonly rawLength: number;
  readonly codec: number;
  readonly keyNumber: number;
  readonly tag: Uint8Array;
  readonly chunks: readonly PackedChunk[];
}

export interface PackDirectory {
  readonly name: string;
  readonly cipher: CipherName;
  readonly frames: readonly FrameInfo[];
}

export function packHeader(cipher: CipherName, keyNumber: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('HFPK', 0, 'latin1');
  writeTail(header, cipher, keyNumber);
  return header;
}

function writeTail(target: Buffer, cipher: CipherName, keyNumber: number): void {
  target[4] = FORMAT_VERSION;
  target[5] = CIPHERS[cipher];
  target.writeUInt32BE(keyNumber, 8);
}

/** Sealed directory and footer, ready to be written behind the frames; proved by decoding it again. */
export function encodeDirectory(keys: Subkeys, name: string, frames: readonly FrameInfo[], cipher: CipherName, random?: (size: number) => Uint8Array): Buffer {
  const writer = new ByteWriter(64 << 10).varint(frames.length);
  for (const frame of frames) {
    writer.varint(frame.sealedLength).varint(frame.rawLength).u8(frame.codec).varint(frame.keyNumber).bytes(frame.tag).varint(frame.chunks.length);
    for (const chunk of frame.chunks) writer.bytes(chunk.id).varint(chunk.length);
  }
  const unit = seal(keys.subkey('directory'), writer.view(), { repository: keys.repository, cipher, keyNumber: keys.current, kind: 'directory', name }, random);
  const footer = Buffer.alloc(FOOTER_BYTES);
  footer.write('HFPE', 0, 'latin1');
  writeTail(footer, cipher, keys.current);
  footer.writeUInt32BE(unit.length, 12);
  return Buffer.concat([unit, footer]);
}

export interface Footer extends SealClaim {
  readonly directoryLength: number;
}

export function decodeFooter(bytes: Uint8Array, name: string, packSize: number): Footer {
  const footer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (footer.length !== FOOTER_BYTES || footer.latin1Slice(0, 4) !== 'HFPE') throw damaged(`The pack ${name} does not end like a pack`);
  const directoryLength = footer.readUInt32BE(12);
  if (directoryLength < SEAL_OVERHEAD_BYTES || directoryLength > packSize - HEADER_BYTES - FOOTER_BYTES) {
    throw damaged(`The pack ${name} announces a directory of ${directoryLength} bytes in ${packSize}`);
  }
  return { version: footer[4] ?? 0, cipher: footer[5] ?? 0, keyNumber: footer.readUInt32BE(8), directoryLength };
}

export function decodeDirectory(keys: Subkeys, name: string, unit: Uint8Array, footer: Footer, packSize: number): PackDirectory {
  const what = `directory of ${name}`;
  const reader = new ByteReader(openClaimed(keys, 'directory', name, unit, footer, what), what);
  const frames: FrameInfo[] = [];
  let offset = HEADER_BYTES;
  for (let left = reader.count(20); left > 0; left--) {
    const frame = decodeFrameInfo(reader, offset, name);
    frames.push(frame);
    offset += frame.sealedLength;
  }
  reader.end();
  const wanted = packSize - FOOTER_BYTES - unit.length;
  if (offset !== wanted) throw damaged(`The pack ${name} holds frames up to byte ${offset}, its directory begins at ${wanted}`);
  return { name, cipher: cipherByNumber(footer.cipher, name), frames };
}

function decodeFrameInfo(reader: ByteReader, offset: number, name: string): FrameInfo {
  const sealedLength = reader.varint();
  const rawLength = reader.varint();
  const codec = reader.u8();
  const keyNumber = reader.varint();
  const tag = reader.bytes(TAG_BYTES);
  const chunks: PackedChunk[] = [];
  let sum = 0;
  for (let left = reader.count(33); left > 0; left--) {
    const chunk = { id: reader.bytes(32), length: reader.varint() };
    sum += chunk.length;
    chunks.push(chunk);
  }
  if (sum !== rawLength) throw damaged(`A frame of ${name} holds ${rawLength} bytes, its chunks ${sum}`);
  return { offset, sealedLength, rawLength, codec, keyNumber, tag, chunks };
}

/** What a thread needs to open frames: plain data, so that it can be posted to workers. */
export interface FrameOpener {
  readonly repository: string;
  /** Subkeys by key number, of kind `frame` (data packs) or `tree` (meta packs). */
  readonly subkeys: Readonly<Record<number, Uint8Array>>;
  readonly kind: Extract<SealKind, 'frame' | 'tree'>;
}

export function frameOpener(keys: Subkeys, kind: FrameOpener['kind']): FrameOpener {
  return { repository: keys.repository, subkeys: keys.openers(kind), kind };
}

export interface OpenFrameOptions {
  /**
   * Hash every chunk against its id, as is the rule. A frame whose tag and length fit cannot be another one, so restore
   * may leave that to `verify`.
   */
  readonly isChecked?: boolean;
  /** For those who are done with the bytes before the next frame is opened with it: they may lie there. */
  readonly scratch?: Scratch;
}

/** Opens one sealed frame to its raw bytes. Synchronous: runs in worker threads. `sealed` is exactly the frame. */
export function openFrame(opener: FrameOpener, cipher: CipherName, frame: FrameInfo, sealed: Uint8Array, name: string, { isChecked = true, scratch }: OpenFrameOptions = {}): Uint8Array {
  const what = `frame at byte ${frame.offset} of ${name}`;
  const subkey = opener.subkeys[frame.keyNumber];
  if (!subkey) throw unopened(opener, frame, what);
  if (!Buffer.from(sealed.subarray(sealed.length - TAG_BYTES)).equals(frame.tag)) throw damaged(`The ${what} is not the frame that its directory describes`);
  const aad = associatedData({ repository: opener.repository, cipher, keyNumber: frame.keyNumber, kind: opener.kind, name: '' });
  const raw = decompress(frame, open(subkey, sealed, aad, cipher, `The ${what}`, scratch), what);
  if (isChecked) checkChunks(frame, raw, what);
  return raw;
}

/** The bytes may be whole: what is missing is a key. */
function unopened({ kind, subkeys }: FrameOpener, { keyNumber }: FrameInfo, what: string): HoldfastError {
  const isMetaOnly = kind === 'frame' && Object.keys(subkeys).length === 0;
  const why = isMetaOnly ? 'holds content, and the key that was given opens metadata only' : `is sealed with key number ${keyNumber}, which the given key does not open`;
  return new HoldfastError('wrong-key', `The ${what} ${why}.`, { nextStep: isMetaOnly ? 'Use a key that was added without --meta-only.' : `Use a key that \`holdfast keys list\` shows with key number ${keyNumber}.` });
}

function decompress(frame: FrameInfo, body: Uint8Array, what: string): Uint8Array {
  if (frame.codec === CODECS.raw) return sized(frame, body, what);
  // One output buffer: by default zlib joins pieces of 16 KiB. One byte more than needed shows the end without another.
  const limit = { maxOutputLength: frame.rawLength + 1, chunkSize: Math.max(64, frame.rawLength + 1) };
  if (frame.rawLength > MAX_RAW_FRAME_BYTES) throw damaged(`The ${what} announces ${frame.rawLength} bytes, at most ${MAX_RAW_FRAME_BYTES} are allowed`);
  const inflate = frame.codec === CODECS.zstd ? zstdDecompressSync : frame.codec === CODECS.gzip ? gunzipSync : undefined;
  if (!inflate) throw damaged(`The ${what} is packed by codec ${frame.codec}, which is unknown`);
  let raw: Uint8Array;
  try {
    raw = inflate(body, limit);
  } catch (cause) {
    throw damaged(`The ${what} does not decompress: ${(cause as Error).message}`);
  }
  releaseBytes(body);
  return sized(frame, raw, what);
}

/** More than any frame holds: what a directory announces must not choose how much memory is taken. */
const MAX_RAW_FRAME_BYTES = 64 << 20;

function sized(frame: FrameInfo, raw: Uint8Array, what: string): Uint8Array {
  if (raw.length !== frame.rawLength) throw damaged(`The ${what} decodes to ${raw.length} bytes, wanted ${frame.rawLength}`);
  return raw;
}

function checkChunks(frame: FrameInfo, raw: Uint8Array, what: string): void {
  let offset = 0;
  for (const chunk of frame.chunks) {
    const id = sha256(raw.subarray(offset, offset + chunk.length));
    if (!id.equals(chunk.id)) throw damaged(`A chunk in the ${what} has the digest ${id.toString('hex')}, wanted ${Buffer.from(chunk.id).toString('hex')}`);
    offset += chunk.length;
  }
}
