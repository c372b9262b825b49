import { promisify } from 'node:util';
import { zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib';
import { ByteReader, ByteWriter } from './bytes.ts';
import { openClaimed } from './claimed-seal.ts';
import { CIPHERS, CODECS, FORMAT_VERSION, damaged } from './format.ts';
import type { CipherName, SealKind } from './format.ts';
import type { Subkeys } from './keys.ts';
import { releaseAll, releaseBytes } from './scratch.ts';
import { seal } from './seal.ts';

const MAGIC = 'HFOB';
const HEAD_BYTES = 12;
const MAX_RAW_BYTES = 256 << 20;

/** Named sealed objects: index, snapshot, verdict, ... (format §4). */
export function sealObject(keys: Subkeys, kind: SealKind, name: string, plain: Uint8Array, cipher: CipherName, random?: (size: number) => Uint8Array): Buffer {
  // An index is nearly all digests: there is nothing to shrink.
  return sealPacked(keys, kind, name, { plain, packed: kind === 'index' ? plain : zstdCompressSync(plain) }, cipher, random);
}

/** The same of bytes that were compressed elsewhere. */
export function sealPacked(keys: Subkeys, kind: SealKind, name: string, { plain, packed }: { readonly plain: Uint8Array; readonly packed: Uint8Array }, cipher: CipherName, random?: (size: number) => Uint8Array): Buffer {
  const shrinks = packed.length < plain.length;
  const body = new ByteWriter(packed.length + 16).u8(shrinks ? CODECS.zstd : CODECS.raw).varint(plain.length).bytes(shrinks ? packed : plain);
  const unit = seal(keys.subkey(kind), body.view(), { repository: keys.repository, cipher, keyNumber: keys.current, kind, name }, random);
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC, 0, 'latin1');
  head[4] = FORMAT_VERSION;
  head[5] = CIPHERS[cipher];
  head.writeUInt32BE(keys.current, 8);
  return Buffer.concat([head, unit]);
}

export function openObject(keys: Subkeys, kind: SealKind, name: string, stored: Uint8Array): Uint8Array {
  const packed = unseal(keys, kind, name, stored);
  return checkLength(packed, plainOf(packed), name);
}

function unseal(keys: Subkeys, kind: SealKind, name: string, stored: Uint8Array): Packed {
  const head = Buffer.from(stored.buffer, stored.byteOffset, Math.min(stored.length, HEAD_BYTES));
  if (head.length < HEAD_BYTES || head.latin1Slice(0, 4) !== MAGIC) throw damaged(`${name} does not begin like a Holdfast object`);
  const claim = { version: head[4] ?? 0, cipher: head[5] ?? 0, keyNumber: head.readUInt32BE(8) };
  return unpack(openClaimed(keys, kind, name, stored.subarray(HEAD_BYTES), claim), name);
}

/**
 * Reserved bytes of a head are zero. Readers pass over them, so that a flipped bit there costs no backup; `verify` asks.
 * Answers with what is wrong, undefined when nothing is.
 */
export function headProblem(stored: Uint8Array): string | undefined {
  return stored[6] === 0 && stored[7] === 0 ? undefined : `bytes 6 and 7 of its head are ${stored[6]} and ${stored[7]}, wanted zeroes`;
}

export function sealJson(keys: Subkeys, kind: SealKind, name: string, value: unknown, cipher: CipherName, random?: (size: number) => Uint8Array): Buffer {
  return sealObject(keys, kind, name, Buffer.from(JSON.stringify(value), 'utf8'), cipher, random);
}

export function openJson(keys: Subkeys, kind: SealKind, name: string, stored: Uint8Array): unknown {
  return parseJson(openObject(keys, kind, name, stored), name);
}

/**
 * JSON of tiny values takes thirty times its length in memory, and whoever holds a key may have written it: what announces
 * more of them than any object of Holdfast holds (a manifest of 200 TB has half as many) ends here, before it is parsed.
 */
const MAX_JSON_VALUES = 8 << 20;

export function parseJson(bytes: Uint8Array, name: string): unknown {
  if (bytes.length > MAX_JSON_VALUES && countValues(bytes) > MAX_JSON_VALUES) throw damaged(`${name} holds more than ${MAX_JSON_VALUES} values: Holdfast did not write it`);
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    throw damaged(`${name} is not the JSON that was written there`);
  }
}

/** At least as many as there are: each begins a list or a map, or stands behind a comma. */
function countValues(bytes: Uint8Array): number {
  let count = 1;
  for (const byte of bytes) if (byte === COMMA || byte === BRACKET || byte === BRACE) count++;
  return count;
}

const [COMMA, BRACKET, BRACE] = [0x2c, 0x5b, 0x7b];

/** As `openObject`, decompressed in another thread: two at once take half of the time. Takes the stored bytes over. */
export async function openObjectAside(keys: Subkeys, kind: SealKind, name: string, stored: Uint8Array): Promise<Uint8Array> {
  const packed = unseal(keys, kind, name, stored);
  // A store may answer with a view of memory that others see, too: such a one is left alone.
  releaseBytes(stored);
  if (packed.codec !== CODECS.zstd) return checkLength(packed, plainOf(packed), name);
  const plain = await unfoldAside(packed.bytes, unfoldOptions(packed.rawLength)).catch(() => undefined);
  releaseAll(packed.bytes);
  return checkLength(packed, plain, name);
}

interface Packed {
  readonly codec: number;
  readonly rawLength: number;
  readonly bytes: Uint8Array;
}

function unpack(body: Uint8Array, name: string): Packed {
  const reader = new ByteReader(body, name);
  const codec = reader.u8();
  const rawLength = reader.varint();
  if (rawLength > MAX_RAW_BYTES) throw damaged(`${name} announces ${rawLength} bytes, at most ${MAX_RAW_BYTES} are allowed`);
  return { codec, rawLength, bytes: reader.bytes(reader.remaining) };
}

/** Undefined for what is no zstd frame or holds more than it may: sealed by someone who has the key and lies. */
function plainOf({ codec, rawLength, bytes }: Packed): Uint8Array | undefined {
  if (codec === CODECS.raw) return bytes;
  if (codec !== CODECS.zstd) return undefined;
  try {
    return zstdDecompressSync(bytes, unfoldOptions(rawLength));
  } catch {
    return undefined;
  }
}

function checkLength({ rawLength }: Packed, plain: Uint8Array | undefined, name: string): Uint8Array {
  if (!plain || plain.length !== rawLength) throw damaged(`${name} does not decode to the ${rawLength} bytes that it announces`);
  return plain;
}

const unfoldAside = promisify(zstdDecompress);
/** Of the pieces that Node puts together: of its 16 KiB a WAL segment is a thousand, which are copied once more at the end. */
const MAX_CHUNK_BYTES = 32 << 20;
const MIN_CHUNK_BYTES = 64;

function unfoldOptions(rawLength: number): { readonly maxOutputLength: number; readonly chunkSize: number } {
  return { maxOutputLength: rawLength + 1, chunkSize: Math.max(MIN_CHUNK_BYTES, Math.min(rawLength + 1, MAX_CHUNK_BYTES)) };
}
