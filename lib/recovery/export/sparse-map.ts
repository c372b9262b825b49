import { sha256 } from '../../repository/index.ts';
import type { PlacedChunk } from '../../repository/index.ts';
import { BLOCK_BYTES, padded } from './tar-header.ts';

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

interface Region {
  readonly offset: number;
  length: number;
}

/**
 * Where a sparse file has data, to the chunk: a hole that is smaller than its chunk is written as zeros. Regions begin and end
 * at blocks, but for the end of the file: GNU tar begins each region in a block of its own, other readers join them, and only
 * whole blocks mean the same to both.
 */
export class SparseMap {
  readonly #regions: Region[] = [];
  #end = 0;

  /** Chunks in their order; the map is whole after the last. */
  add(chunk: PlacedChunk): void {
    const begin = this.#end;
    this.#end += chunk.length;
    if (isHole(chunk)) return;
    const offset = begin - (begin % BLOCK_BYTES);
    const last = this.#regions.at(-1);
    if (last && offset <= last.offset + blocks(last.length)) last.length = this.#end - last.offset;
    else this.#regions.push({ offset, length: this.#end - offset });
  }

  get dataBytes(): number {
    return this.#regions.reduce((sum, region) => sum + this.#stored(region), 0);
  }

  get hasHoles(): boolean {
    return this.dataBytes < this.#end;
  }

  /** How many of the zeros of a hole at `offset` are stored, because blocks at its borders hold data too. */
  zerosStored(offset: number, length: number): number {
    let sum = 0;
    for (let index = this.#firstBehind(offset); index < this.#regions.length; index++) {
      const region = this.#regions[index] as Region;
      if (region.offset >= offset + length) break;
      sum += Math.min(offset + length, region.offset + this.#stored(region)) - Math.max(offset, region.offset);
    }
    return sum;
  }

  /** GNU sparse format 1.0: decimal numbers a line each, filled to a block; a hole at the end is an empty region there. */
  encode(): Uint8Array {
    const regions = this.#regions.map((region) => [region.offset, this.#stored(region)] as const);
    const [lastOffset, lastLength] = regions.at(-1) ?? [0, 0];
    if (lastOffset + lastLength < this.#end) regions.push([this.#end, 0]);
    return padded(Buffer.from([regions.length, ...regions.flat()].map((value) => `${value}\n`).join(''), 'latin1'));
  }

  #stored({ offset, length }: Region): number {
    return Math.min(blocks(length), this.#end - offset);
  }

  /** The first region that ends behind `offset`. */
  #firstBehind(offset: number): number {
    let [low, high] = [0, this.#regions.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const region = this.#regions[middle] as Region;
      if (region.offset + this.#stored(region) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function blocks(length: number): number {
  return Math.ceil(length / BLOCK_BYTES) * BLOCK_BYTES;
}
