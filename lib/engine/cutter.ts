import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';
import { HoldfastError } from '../model/errors.ts';
import type { Chunker } from '../repository/index.ts';
import type { BufferSupply } from './shared-buffers.ts';

const TAIL_BYTES = 4096;

/** What a stream looked like at its end: for the source to judge whether it is whole. */
export interface StreamEnd {
  readonly bytes: number;
  /** The last 4096 bytes, or all. */
  readonly tail: Uint8Array;
  readonly sha256: Uint8Array;
}

/** A block of whole chunks of a stream, in a block buffer. */
export interface CutBlock {
  readonly buffer: number;
  readonly lengths: readonly number[];
  readonly bytes: number;
}

/**
 * Reads a stream from a descriptor to its end and cuts it into chunks, a block buffer at a time. Synchronous: it runs
 * in a thread of its own and blocks there while the producer or the crunching threads are slower.
 * `emit` must see to it that the buffer is given back. Ends as `interrupted` at the next read when word 0 of `stop` is
 * not 0 any more: a stream may be endless. A read that fails is `source-failed`.
 */
export function cutStream(fd: number, chunker: Chunker, blocks: BufferSupply, emit: (block: CutBlock) => void, stop?: Int32Array): StreamEnd {
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
      const filled = fill(fd, view, restLength, stop);
      total += filled - restLength;
      const fresh = view.subarray(restLength, filled);
      digest.update(fresh);
      tail = lastBytes(tail, fresh);
      isEnd = filled < view.length;
      const { lengths, end } = cutBlock(chunker, view, filled, isEnd);
      restLength = filled - end;
      rest.set(view.subarray(end, filled));
      if (lengths.length > 0) block = { buffer, lengths, bytes: end };
    } finally {
      // Also after a failed read: a buffer that is not given back is missing for all streams after this one.
      if (!block) blocks.give(buffer);
    }
    if (block) emit(block);
  }
  return { bytes: total, tail, sha256: digest.digest() };
}

function lastBytes(before: Uint8Array, bytes: Uint8Array): Uint8Array {
  if (bytes.length >= TAIL_BYTES) return bytes.slice(bytes.length - TAIL_BYTES);
  return Buffer.concat([before, bytes]).subarray(-TAIL_BYTES);
}

function fill(fd: number, view: Uint8Array, from: number, stop?: Int32Array): number {
  let filled = from;
  while (filled < view.length) {
    const count = readRetrying(fd, view, filled, stop);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

const nap = new Int32Array(new SharedArrayBuffer(4));

/** A descriptor may have been made non-blocking by whoever passed it on: then an empty pipe answers EAGAIN. */
function readRetrying(fd: number, view: Uint8Array, filled: number, stop?: Int32Array): number {
  for (;;) {
    if (stop && Atomics.load(stop, 0) !== 0) throw new HoldfastError('interrupted', 'Reading the stream was stopped.');
    try {
      return readSync(fd, view, filled, view.length - filled, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw new HoldfastError('source-failed', (error as Error).message.split(',')[0] ?? 'Reading failed.', { cause: error });
      Atomics.wait(nap, 0, 0, 1);
    }
  }
}

/** Whole chunks at the beginning of a block; the last one is held back while more bytes could still move its end. */
export function cutBlock(chunker: Chunker, view: Uint8Array, filled: number, isEnd: boolean): { lengths: number[]; end: number } {
  const lengths: number[] = [];
  let end = 0;
  while (end < filled && (isEnd || filled - end >= chunker.sizes.max)) {
    const length = chunker.cut(view, end, filled);
    lengths.push(length);
    end += length;
  }
  return { lengths, end };
}
