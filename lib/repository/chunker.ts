import type { ChunkerSizes } from './format.ts';
import { CONTEXT_BYTES } from './gear-scan-code.ts';
import { GearScan } from './gear-scan.ts';

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

  readonly #canScan: boolean;
  /** Made at the first use; undefined also where the processor has no vector instructions: slower, the same cuts. */
  #scan: GearScan | undefined;

  constructor(gear: Uint32Array, sizes: ChunkerSizes, canScan = true) {
    this.sizes = sizes;
    this.#gear = Int32Array.from(gear);
    this.#canScan = canScan;
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
    const from = start + min;
    const middle = Math.min(end, start + avg);
    const last = Math.min(end, start + max);
    const early = this.#find(bytes, { from, index: from, end: middle, mask: this.#strict });
    if (early < middle) return early + 1 - start;
    return Math.min(this.#find(bytes, { from, index: middle, end: last, mask: this.#lax }) + 1, last) - start;
  }

  /** The first position in `index` … `end` whose hash, begun at `from`, has no bit of the mask; `end` when there is none. */
  #find(bytes: Uint8Array, { from, index, end, mask }: Range): number {
    if (this.#canScan) this.#scan ??= GearScan.create(this.#gear);
    if (!this.#scan) return this.#findSlowly(bytes, { from, index, end, mask });
    // The scan takes the bytes before for granted, and the first ones have none.
    const head = Math.min(end, Math.max(index, from + CONTEXT_BYTES));
    const early = this.#findSlowly(bytes, { from, index, end: head, mask });
    return early < head ? early : this.#findSlowly(bytes, { from, index: this.#scan.skip(bytes, head, end, mask), end, mask });
  }

  #findSlowly(bytes: Uint8Array, { from, index, end, mask }: Range): number {
    const gear = this.#gear;
    let hash = 0;
    for (let before = Math.max(from, index - CONTEXT_BYTES); before < index; before++) hash = ((hash << 1) + (gear[bytes[before] as number] as number)) | 0;
    for (let at = index; at < end; at++) {
      hash = ((hash << 1) + (gear[bytes[at] as number] as number)) | 0;
      if ((hash & mask) === 0) return at;
    }
    return end;
  }
}

interface Range {
  readonly from: number;
  readonly index: number;
  readonly end: number;
  readonly mask: number;
}

function topBits(count: number): number {
  return count <= 0 ? 0 : (0xffffffff << (32 - count)) | 0;
}
