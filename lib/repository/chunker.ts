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
    const gear = this.#gear;
    const middle = Math.min(end, start + avg);
    const last = Math.min(end, start + max);
    let hash = 0;
    let index = start + min;
    for (const strict = this.#strict; index < middle; index++) {
      hash = ((hash << 1) + (gear[bytes[index] as number] as number)) | 0;
      if ((hash & strict) === 0) return index + 1 - start;
    }
    for (const lax = this.#lax; index < last; index++) {
      hash = ((hash << 1) + (gear[bytes[index] as number] as number)) | 0;
      if ((hash & lax) === 0) return index + 1 - start;
    }
    return last - start;
  }
}

function topBits(count: number): number {
  return count <= 0 ? 0 : (0xffffffff << (32 - count)) | 0;
}
