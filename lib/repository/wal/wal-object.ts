import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { ByteReader, ByteWriter } from '../bytes.ts';
import { damaged } from '../format.ts';
import { zstdBound } from '../pack-builder.ts';
import type { Repository } from '../repository.ts';
import { releaseAll } from '../scratch.ts';
import { openObject, openObjectAside, sealPacked } from '../sealed-object.ts';
import { parseWalObjectName } from './wal-name.ts';
import type { WalKind } from './wal-name.ts';

/** Plain bytes of one object; a segment of 16 MiB, PostgreSQL's default, is one. With its seal it stays below the cap of an object. */
export const WAL_PART_BYTES = 32 << 20;
/** The greatest that initdb allows. */
export const MAX_SEGMENT_BYTES = 1 << 30;

const KINDS = { segment: 1, partial: 2, history: 3, label: 4 } as const satisfies Record<WalKind, number>;
const DIGEST_BYTES = 32;
const compress = promisify(zstdCompress);

/** What each object says about the whole file that it is a part of. */
export interface WalHead {
  /** Of a segment when it is full; 0 of files that are no segments. */
  readonly segmentBytes: number;
  /** Of the whole file; of a partial segment only what it holds, without the zeroes behind. */
  readonly sizeBytes: number;
  /** Of the whole file. */
  readonly sha256: Uint8Array;
}

export interface WalPart extends WalHead {
  readonly kind: WalKind;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** An empty file has one part, too. */
export function partsOf(sizeBytes: number): number {
  return Math.max(1, Math.ceil(sizeBytes / WAL_PART_BYTES));
}

/** Compressed in another thread, most of its time: two at once take half of it. */
export async function sealWalPart({ keys, cipher }: Pick<Repository, 'keys' | 'cipher'>, name: string, part: WalPart, random?: (size: number) => Uint8Array): Promise<Buffer> {
  const { kind, segmentBytes, sizeBytes, sha256, offset, bytes } = part;
  const plain = new ByteWriter(bytes.length + 64).u8(KINDS[kind]).varint(segmentBytes).varint(sizeBytes).varint(offset).bytes(sha256).bytes(bytes);
  const view = plain.view();
  const packed = await compress(view, { chunkSize: zstdBound(view.length), pledgedSrcSize: view.length });
  const sealed = sealPacked(keys, 'wal', name, { plain: view, packed }, cipher, random);
  for (const done of [view, packed]) releaseAll(done);
  return sealed;
}

/** Fails as `damaged` for what is not the part of the file that its name says. */
export function openWalPart({ keys }: Pick<Repository, 'keys'>, name: string, stored: Uint8Array): WalPart {
  return readPart(name, openObject(keys, 'wal', name, stored));
}

/** The same, decompressed in another thread. Takes the stored bytes over. */
export async function openWalPartAside({ keys }: Pick<Repository, 'keys'>, name: string, stored: Uint8Array): Promise<WalPart> {
  return readPart(name, await openObjectAside(keys, 'wal', name, stored));
}

function readPart(name: string, plain: Uint8Array): WalPart {
  const named = parseWalObjectName(name);
  if (named === undefined) throw damaged(`${name} is no name of a WAL object`);
  const reader = new ByteReader(plain, name);
  const kind = kindOf(reader.u8(), name);
  const [segmentBytes, sizeBytes, offset] = [reader.varint(), reader.varint(), reader.varint()];
  // A copy: whoever is done with the bytes gives their memory back.
  const sha256 = Uint8Array.from(reader.bytes(DIGEST_BYTES));
  const bytes = reader.bytes(reader.remaining);
  if (kind !== named.kind) throw damaged(`${name} holds a file of kind ${kind}, wanted ${named.kind}`);
  checkSizes(name, kind, segmentBytes, sizeBytes);
  if (named.partial !== undefined && named.partial.bytes !== sizeBytes) throw damaged(`${name} says that ${sizeBytes} bytes of its segment are in it, wanted ${named.partial.bytes}`);
  const begin = (named.part - 1) * WAL_PART_BYTES;
  const end = Math.min(begin + WAL_PART_BYTES, sizeBytes);
  if (named.parts !== partsOf(sizeBytes) || offset !== begin || bytes.length !== end - begin) throw damaged(`${name} holds ${bytes.length} bytes from ${offset} of ${sizeBytes}, which is not part ${named.part} of ${named.parts}`);
  return { kind, segmentBytes, sizeBytes, sha256, offset, bytes };
}

function kindOf(number: number, name: string): WalKind {
  const found = Object.entries(KINDS).find(([, known]) => known === number);
  if (found === undefined) throw damaged(`${name} holds a file of kind ${number}, wanted 1 to ${Object.keys(KINDS).length}`);
  return found[0] as WalKind;
}

function checkSizes(name: string, kind: WalKind, segmentBytes: number, sizeBytes: number): void {
  const isSegment = kind === 'segment' || kind === 'partial';
  const isPowerOfTwo = segmentBytes >= 1 << 20 && segmentBytes <= MAX_SEGMENT_BYTES && (segmentBytes & (segmentBytes - 1)) === 0;
  if (isSegment && !isPowerOfTwo) throw damaged(`${name} is of a segment of ${segmentBytes} bytes, wanted a power of two from 1 MiB to 1 GiB`);
  if (kind === 'segment' ? sizeBytes !== segmentBytes : kind === 'partial' ? sizeBytes > segmentBytes : segmentBytes !== 0) throw damaged(`${name} holds ${sizeBytes} bytes of a segment of ${segmentBytes}`);
}
