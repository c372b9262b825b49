import { sha256 } from '../../repository/index.ts';
import type { PlacedChunk } from '../../repository/index.ts';
import { padded } from './tar-header.ts';

/** Ids of chunks that hold nothing but zeros, by their length: a hole is known without reading it. */
const zeroIds = new Map<number, Buffer>();
const KEPT_LENGTHS = 64;
/** No chunk is longer (format §2): what a record claims must not choose how much is hashed. */
const LONGEST_CHUNK_BYTES = 16 << 20;

/** True for a chunk of a file that is all zeros. */
export function isHole({ id, length }: Pick<PlacedChunk, 'id' | 'length'>): boolean {
  if (length > LONGEST_CHUNK_BYTES) return false;
  let zeros = zeroIds.get(length);
  if (zeros === undefined) {
    if (zeroIds.size >= KEPT_LENGTHS) zeroIds.clear();
    zeroIds.set(length, (zeros = sha256(new Uint8Array(length))));
  }
  return zeros.equals(id);
}

/** Where a sparse file has data, to the chunk: a hole that is smaller than its chunk is written as zeros. */
export class SparseMap {
  readonly #regions: { offset: number; length: number }[] = [];
  #end = 0;
  dataBytes = 0;

  add(chunk: PlacedChunk): void {
    const last = this.#regions.at(-1);
    if (!isHole(chunk)) {
      this.dataBytes += chunk.length;
      if (last && last.offset + last.length === this.#end) last.length += chunk.length;
      else this.#regions.push({ offset: this.#end, length: chunk.length });
    }
    this.#end += chunk.length;
  }

  get hasHoles(): boolean {
    return this.dataBytes < this.#end;
  }

  /** GNU sparse format 1.0: decimal numbers a line each, filled to a block; a hole at the end is an empty region there. */
  encode(): Uint8Array {
    const last = this.#regions.at(-1);
    const isHoleLast = last === undefined || last.offset + last.length < this.#end;
    const regions = isHoleLast ? [...this.#regions, { offset: this.#end, length: 0 }] : this.#regions;
    return padded(Buffer.from([regions.length, ...regions.flatMap(({ offset, length }) => [offset, length])].map((value) => `${value}\n`).join(''), 'latin1'));
  }
}
