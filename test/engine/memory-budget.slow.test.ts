import { ChunkTables } from '../../lib/engine/chunk-table.ts';
import { blockBuffers, memoryBudgetBytes, packBuffers } from '../../lib/engine/memory-budget.ts';
import { CHUNKER_SIZES, PACK_SIZES } from '../../lib/repository/index.ts';

const MIB = 1 << 20;
const shape = (threads: number) => ({ threads, packSizes: PACK_SIZES, chunker: CHUNKER_SIZES });

describe('the memory of a backup', () => {
  it.each([[2, 285], [16, 1083]])('is at most, with %d threads, %d MiB, as the documents say', (threads, mebibytes) => {
    expect(Math.round(memoryBudgetBytes(shape(threads), 0) / MIB)).toBe(mebibytes);
  });

  it('grows by 64 bytes a chunk, and by the same share for every thread', () => {
    expect(memoryBudgetBytes(shape(2), 1_000_000) - memoryBudgetBytes(shape(2), 0)).toBe(64_000_000);
    const share = memoryBudgetBytes(shape(3), 0) - memoryBudgetBytes(shape(2), 0);
    expect(memoryBudgetBytes(shape(17), 0) - memoryBudgetBytes(shape(16), 0)).toBe(share);
    expect(share).toBeLessThan(64 * MIB);
  });

  it('has a pack buffer for each thread and the one being stored, each with room for a full pack, its last frame and its directory', () => {
    const { count, bytes } = packBuffers(shape(4));
    expect(count).toBe(5);
    // The longest frame: gathered to the brim, and a largest chunk on top, incompressible.
    const longest = PACK_SIZES.targetBytes + PACK_SIZES.frameBytes + CHUNKER_SIZES.files.max;
    expect(bytes).toBeGreaterThan(longest + 600_000);
  });

  it('has blocks that hold two of the longest chunks, so that one can always be cut', () => {
    expect(blockBuffers(shape(4))).toEqual({ count: 6, bytes: CHUNKER_SIZES.files.max * 2 });
  });

  it.each([50_000, 200_000])('the table of %d chunks, grown as it fills, takes at most 64 bytes for each', (chunks) => {
    const tables = ChunkTables.create();
    const id = Buffer.alloc(32);
    for (let number = 0; number < chunks; number++) {
      if (number % 1024 === 0) tables.growIfCrowded();
      id.writeUInt32BE(Math.imul(number, 2_654_435_761) >>> 0, 28);
      id.writeUInt32BE(number, 0);
      tables.claim(id, 1);
    }
    expect(tables.size).toBe(chunks);
    const bytes = tables.buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
    expect(bytes / chunks).toBeLessThanOrEqual(64 + 3_000_000 / chunks);
  });
});
