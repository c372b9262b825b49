import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { HoldfastError } from '../model/errors.ts';
import type { Chunker } from '../repository/index.ts';
import type { Inspected, StreamInspection } from '../sources/stream-inspection.ts';
import type { BufferSupply } from './shared-buffers.ts';

const TAIL_BYTES = 4096;

/** What a stream looked like at its end: for the source to judge whether it is whole. */
export interface StreamEnd {
  readonly bytes: number;
  /** The last 4096 bytes, or all. */
  readonly tail: Uint8Array;
  readonly sha256: Uint8Array;
  /** When somebody was to look at it. */
  readonly inspected?: Inspected;
}

/** A block of whole chunks of a stream, in a block buffer. */
export interface CutBlock {
  readonly buffer: number;
  readonly lengths: readonly number[];
  readonly bytes: number;
}

export interface CutOptions {
  /** Ends the reading as `interrupted` when its word 0 is not 0 any more: a stream may be endless. */
  readonly stop?: Int32Array | undefined;
  /** Looks at all bytes; reading ends with its failure. */
  readonly inspection?: StreamInspection | undefined;
}

/** Read, digested and cut before the next is read: what the processor's caches still hold is not fetched again. */
const READ_BYTES = 256 << 10;

/**
 * Reads a stream from a descriptor to its end and cuts it into chunks, a block buffer at a time. Synchronous: it runs
 * in a thread of its own and blocks there while the producer or the crunching threads are slower.
 * `emit` must see to it that the buffer is given back. A read that fails is `source-failed`.
 */
export function cutStream(fd: number, chunker: Chunker, blocks: BufferSupply, emit: (block: CutBlock) => void, { stop, inspection }: CutOptions = {}): StreamEnd {
  let tail: Uint8Array = new Uint8Array(0);
  const digest = createHash('sha256');
  const rest = new Uint8Array(chunker.sizes.max);
  let restLength = 0;
  let total = 0;
  for (let isEnd = false; !isEnd; ) {
    const buffer = blocks.take();
    let block: CutBlock | undefined;
    try {
      const view = blocks.view(buffer);
      view.set(rest.subarray(0, restLength));
      const cuts = new BlockCuts(chunker, view);
      const onRead = (from: number, to: number) => {
        const bytes = view.subarray(from, to);
        digest.update(bytes);
        inspection?.add(bytes);
        cuts.goOn(to);
        return inspection?.hasFailed !== true;
      };
      const filled = fill(fd, { view, from: restLength, onRead }, stop);
      total += filled - restLength;
      tail = lastBytes(tail, view.subarray(restLength, filled));
      isEnd = filled < view.length || inspection?.hasFailed === true;
      cuts.finish(filled, isEnd);
      restLength = filled - cuts.end;
      rest.set(view.subarray(cuts.end, filled));
      if (cuts.lengths.length > 0) block = { buffer, lengths: cuts.lengths, bytes: cuts.end };
    } finally {
      // Also after a failed read: a buffer that is not given back is missing for all streams after this one.
      if (!block) blocks.give(buffer);
    }
    if (block) emit(block);
  }
  return { bytes: total, tail, sha256: digest.digest(), ...(inspection && { inspected: inspection.end() }) };
}

/** The whole chunks at the beginning of a block that is being filled. */
class BlockCuts {
  readonly lengths: number[] = [];
  end = 0;
  readonly #chunker: Chunker;
  readonly #view: Uint8Array;

  constructor(chunker: Chunker, view: Uint8Array) {
    this.#chunker = chunker;
    this.#view = view;
  }

  /** Takes the cuts that more bytes cannot move. */
  goOn(filled: number): void {
    while (filled - this.end >= this.#chunker.sizes.max) this.#take(filled);
  }

  /** Of a block that gets no more bytes; a chunk that reaches its end is held back when the stream goes on. */
  finish(filled: number, isEnd: boolean): void {
    this.goOn(filled);
    while (this.end < filled) {
      const length = this.#chunker.cut(this.#view, this.end, filled);
      if (!isEnd && this.end + length === filled) return;
      this.#take(filled, length);
    }
  }

  #take(filled: number, length = this.#chunker.cut(this.#view, this.end, filled)): void {
    this.lengths.push(length);
    this.end += length;
  }
}

function lastBytes(before: Uint8Array, bytes: Uint8Array): Uint8Array {
  if (bytes.length >= TAIL_BYTES) return bytes.slice(bytes.length - TAIL_BYTES);
  return Buffer.concat([before, bytes]).subarray(-TAIL_BYTES);
}

interface Filling {
  readonly view: Uint8Array;
  readonly from: number;
  /** False: enough. */
  readonly onRead: (from: number, to: number) => boolean;
}

function fill(fd: number, { view, from, onRead }: Filling, stop?: Int32Array): number {
  let filled = from;
  while (filled < view.length) {
    const count = readRetrying(fd, view.subarray(filled, filled + READ_BYTES), stop);
    if (count === 0) break;
    filled += count;
    if (!onRead(filled - count, filled)) break;
  }
  return filled;
}

const nap = new Int32Array(new SharedArrayBuffer(4));

/** A descriptor may have been made non-blocking by whoever passed it on: then an empty pipe answers EAGAIN. */
function readRetrying(fd: number, view: Uint8Array, stop?: Int32Array): number {
  for (;;) {
    if (stop && Atomics.load(stop, 0) !== 0) throw new HoldfastError('interrupted', 'Reading the stream was stopped.');
    try {
      return readSync(fd, view);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw new HoldfastError('source-failed', (error as Error).message.split(',')[0] ?? 'Reading failed.', { cause: error });
      Atomics.wait(nap, 0, 0, 1);
    }
  }
}
