import type { ChunkerSizes, PackSizes } from '../repository/index.ts';

/** What the memory of a backup is made of. */
export interface EngineShape {
  readonly threads: number;
  readonly packSizes: PackSizes;
  readonly chunker: { readonly files: ChunkerSizes; readonly streams: ChunkerSizes };
}

export interface BufferSet {
  readonly count: number;
  /** Capacity of each; pages that are never written cost nothing. */
  readonly bytes: number;
}

const MIB = 1 << 20;
/** Node, the program, the catalog, and the heap of the main thread. */
const PROGRAM_BYTES = 96 * MIB;
/** Heap, stack and compiled program of a crunching thread or of the feeder. */
const THREAD_BYTES = 22 * MIB;
/** An index of 131,072 chunks while it is sorted, compressed and sealed (`backup-session.ts`). */
const INDEX_BYTES = 26 * MIB;
/** Slot and load factor of the chunk table, with the tables that were outgrown (`chunk-table.ts`). */
const CHUNK_BYTES = 64;

/** Packs under way: one is open in each thread, and one is being stored. */
export function packBuffers({ threads, packSizes }: EngineShape): BufferSet {
  return { count: threads + 1, bytes: packSizes.limitBytes + MIB };
}

/** Blocks of a stream: one is being filled, one is worked on in each thread, and one waits, so that none of them has to. */
export function blockBuffers({ threads, chunker }: EngineShape): BufferSet {
  return { count: threads + 2, bytes: largestChunk(chunker) * 2 };
}

/**
 * The most memory that a backup takes (resident, the whole process), which does not depend on the size of its source
 * but for 64 bytes a chunk: every thread's share is bounded, and a slow store holds the readers back.
 */
export function memoryBudgetBytes(shape: EngineShape, chunks: number): number {
  const { threads, packSizes, chunker } = shape;
  // A pack is closed by the frame that fills it; its directory comes behind.
  const packBytes = packSizes.targetBytes + packSizes.frameBytes + MIB;
  // The open frame, what the compressor sees of it and keeps beside, its output, and the sealed frame.
  const frameBytes = packSizes.frameBytes + largestChunk(chunker) + (packSizes.frameBytes + 2 * MIB) + packSizes.frameBytes * 2;
  const blocks = blockBuffers(shape);
  return PROGRAM_BYTES + INDEX_BYTES + (threads + 1) * THREAD_BYTES + threads * frameBytes + packBuffers(shape).count * packBytes + blocks.count * blocks.bytes + chunks * CHUNK_BYTES;
}

function largestChunk({ files, streams }: EngineShape['chunker']): number {
  return Math.max(files.max, streams.max);
}
