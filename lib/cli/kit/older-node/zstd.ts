import { decodeBlock, newBlockState } from './zstd-block.ts';

/**
 * Zstandard (RFC 8878) for a Node that does not bring it: frames without dictionaries, as Holdfast writes them. Slow and
 * plain; what it decodes is proved by digests afterwards. Never makes more than `maxBytes`: fails then, as for anything
 * that is no Zstandard.
 */
export function decodeZstd(bytes: Uint8Array, maxBytes: number): Buffer {
  const output = new Output(maxBytes);
  let rest = bytes;
  while (rest.length > 0) rest = decodeFrame(rest, output);
  return output.finish();
}

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a5;
const MAX_BLOCK_BYTES = 128 << 10;

/** Grows as it is needed: what a frame announces must not choose how much memory is taken. */
export class Output {
  readonly #maxBytes: number;
  #bytes: Buffer = Buffer.alloc(64 << 10);
  length = 0;
  /** Where the present frame begins: matches reach no further back. */
  start = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  append(bytes: Uint8Array): void {
    this.#makeRoom(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  repeat(byte: number, count: number): void {
    this.#makeRoom(count);
    this.#bytes.fill(byte, this.length, this.length + count);
    this.length += count;
  }

  /** Bytes that were there `offset` bytes ago; they may overlap with what is written. */
  copy(offset: number, count: number): void {
    if (offset < 1 || offset > this.length - this.start) throw new Error('a match reaches back beyond the beginning');
    this.#makeRoom(count);
    const from = this.length - offset;
    if (offset >= count) this.#bytes.copyWithin(this.length, from, from + count);
    else for (let index = 0; index < count; index++) this.#bytes[this.length + index] = this.#bytes[from + index] as number;
    this.length += count;
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  #makeRoom(count: number): void {
    const wanted = this.length + count;
    if (wanted > this.#maxBytes) throw new Error(`it holds more than ${this.#maxBytes} bytes`);
    if (wanted <= this.#bytes.length) return;
    const larger = Buffer.alloc(Math.min(this.#maxBytes, Math.max(wanted, this.#bytes.length * 2)));
    larger.set(this.#bytes.subarray(0, this.length));
    this.#bytes = larger;
  }
}

/** Answers what is behind the frame. */
function decodeFrame(bytes: Uint8Array, output: Output): Uint8Array {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < 8) throw new Error('it ends early');
  const magic = view.readUInt32LE(0);
  if (magic >>> 4 === SKIPPABLE) return bytes.subarray(8 + view.readUInt32LE(4));
  if (magic !== MAGIC) throw new Error('it is no Zstandard');
  const descriptor = view[4] as number;
  const isSingle = (descriptor & 32) !== 0;
  if ((descriptor & 8) !== 0 || (descriptor & 3) !== 0) throw new Error('it needs what this decoder does not know');
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  output.start = output.length;
  const end = decodeBlocks(view, 5 + (isSingle ? 0 : 1) + sizeBytes, output);
  // A checksum of 4 bytes may follow: digests prove what was decoded better than it would.
  return bytes.subarray(end + (descriptor & 4));
}

function decodeBlocks(view: Buffer, from: number, output: Output): number {
  const state = newBlockState();
  let position = from;
  for (let isLast = false; !isLast; ) {
    if (position + 3 > view.length) throw new Error('it ends early');
    const head = view.readUIntLE(position, 3);
    position += 3;
    isLast = (head & 1) !== 0;
    const type = (head >> 1) & 3;
    const size = head >> 3;
    const stored = type === 1 ? 1 : size;
    const body = view.subarray(position, position + stored);
    if (body.length < stored || size > MAX_BLOCK_BYTES || type === 3) throw new Error('a block is broken');
    if (type === 0) output.append(body);
    else if (type === 1) output.repeat(body[0] as number, size);
    else decodeBlock(body, state, output);
    position += stored;
  }
  return position;
}
