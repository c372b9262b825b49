import type { ChunkerSizes } from './format.ts';

/**
 * Content-defined cut points by a gear hash with normalised masks (FastCDC, Xia et al., USENIX ATC 2016): before the
 * average a stricter mask, behind it a laxer one. The window of the 32-bit hash is at most 32 bytes, so that after an
 * insertion the same cuts are found again.
 */
export class Chunker {
  readonly sizes: ChunkerSizes;
  readonly #gear: Int32Array;
  readonly #strict: number;
  readonly #lax: number;
  /** Of the bytes that were looked at in the chunk that is being cut. */
  #hash = 0;

  constructor(gear: Uint32Array, sizes: ChunkerSizes) {
    this.sizes = sizes;
    this.#gear = Int32Array.from(gear);
    const bits = Math.round(Math.log2(sizes.avg - sizes.min));
    this.#strict = topBits(bits + 1);
    this.#lax = topBits(bits - 2);
  }

  /**
   * Length of the chunk that begins at `start`. `end` is where the known bytes end: when the answer reaches `end` and
   * the input goes on, the caller must ask again with more bytes (at least `sizes.max` of them decide always).
   */
  cut(bytes: Uint8Array, start: number, end: number): number {
    const { min, avg, max } = this.sizes;
    if (end - start <= min) return end - start;
    this.#hash = 0;
    const middle = Math.min(end, start + avg);
    const last = Math.min(end, start + max);
    const cut = this.#find(bytes, start + min, middle, this.#strict) || this.#find(bytes, middle, last, this.#lax) || last;
    return cut - start;
  }

  /**
   * Where the chunk ends when a byte from `from` up to `to` ends it, else 0. Two bytes at a time: the hash of the second
   * does not wait for that of the first, which is a quarter of the time.
   */
  #find(bytes: Uint8Array, from: number, to: number, mask: number): number {
    const gear = this.#gear;
    let hash = this.#hash;
    let index = from;
    for (; index + 1 < to; index += 2) {
      const first = gear[bytes[index] as number] as number;
      const before = ((hash << 1) + first) | 0;
      hash = ((hash << 2) + (first << 1) + (gear[bytes[index + 1] as number] as number)) | 0;
      if ((before & mask) === 0) return index + 1;
      if ((hash & mask) === 0) return index + 2;
    }
    if (index < to) {
      hash = ((hash << 1) + (gear[bytes[index] as number] as number)) | 0;
      if ((hash & mask) === 0) return index + 1;
    }
    this.#hash = hash;
    return 0;
  }
}

function topBits(count: number): number {
  return count <= 0 ? 0 : (0xffffffff << (32 - count)) | 0;
}
