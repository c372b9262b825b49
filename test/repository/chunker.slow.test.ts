import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { CHUNKER_SIZES, Chunker, gearTable } from '../../lib/repository/index.ts';

const SIZES = { min: 4096, avg: 8192, max: 16_384 };
const chunker = new Chunker(gearTable(new Uint8Array(32).fill(3)), SIZES);

function cuts(bytes: Uint8Array, by = chunker): number[] {
  const ends: number[] = [];
  for (let start = 0; start < bytes.length; start = ends.at(-1) as number) ends.push(start + by.cut(bytes, start, bytes.length));
  return ends;
}

/** The same noise at every run. */
function noise(seed: string, length: number): Buffer {
  return Buffer.concat(Array.from({ length: Math.ceil(length / 32) }, (_, index) => createHash('sha256').update(`${seed} ${index}`).digest())).subarray(0, length);
}

describe('the chunker (decision 0002)', () => {
  it('cuts everything, in chunks within the bounds but for the last', () => {
    fc.assert(
      fc.property(fc.nat(120_000), fc.nat(1000), fc.boolean(), (length, seed, isNoise) => {
        const bytes = isNoise ? noise(String(seed), length) : Buffer.alloc(length, seed);
        const ends = cuts(bytes);
        expect(ends.at(-1) ?? 0).toBe(length);
        const lengths = ends.map((end, index) => end - (ends[index - 1] ?? 0));
        for (const each of lengths.slice(0, -1)) expect(each > SIZES.min && each <= SIZES.max).toBe(true);
        for (const each of lengths) expect(each > 0 && each <= SIZES.max).toBe(true);
      }),
      { numRuns: 50 },
    );
    expect(chunker.cut(new Uint8Array(0), 0, 0)).toBe(0);
  });

  it('finds the same cuts again a few chunks behind an insertion', () => {
    const bytes = noise('document', 1 << 20);
    const before = cuts(bytes);
    const after = cuts(Buffer.concat([bytes.subarray(0, 100_000), Buffer.from('inserted'), bytes.subarray(100_000)]));
    const moved = new Set(before.map((end) => (end > 100_000 ? end + 8 : end)));
    const changed = after.filter((end) => !moved.has(end));
    expect(changed.length).toBeLessThanOrEqual(8);
    expect(after.filter((end) => end > 100_000 + 8 * SIZES.max).every((end) => moved.has(end))).toBe(true);
  });

  it('cuts where the hash says that is computed byte by byte, as every version before did: what is stored is found again', () => {
    const gear = gearTable(new Uint8Array(32).fill(3));
    const plainCut = (bytes: Uint8Array, start: number, end: number): number => {
      const bits = Math.round(Math.log2(SIZES.avg - SIZES.min));
      let hash = 0;
      for (let index = start + SIZES.min; index < Math.min(end, start + SIZES.max); index++) {
        hash = ((hash << 1) + (gear[bytes[index] as number] as number)) >>> 0;
        const zeroes = index < start + SIZES.avg ? bits + 1 : bits - 2;
        if (hash >>> (32 - zeroes) === 0) return index + 1 - start;
      }
      return Math.min(end - start, SIZES.max);
    };
    const bytes = noise('document', 300_000);
    for (const from of [0, 1]) {
      for (let start = from; start < bytes.length; ) {
        const length = chunker.cut(bytes, start, bytes.length);
        expect(length).toBe(plainCut(bytes, start, bytes.length));
        start += length;
      }
    }
    for (let end = 4090; end < 8300; end += 7) expect(chunker.cut(bytes, 11, 11 + end)).toBe(plainCut(bytes, 11, 11 + end));
  });

  it('cuts elsewhere with another secret', () => {
    const bytes = noise('document', 1 << 20);
    const other = new Chunker(gearTable(new Uint8Array(32).fill(4)), SIZES);
    const mine = new Set(cuts(bytes));
    expect(cuts(bytes, other).filter((end) => mine.has(end)).length).toBeLessThan(10);
  });

  it('decides by the bytes alone: more of them behind the longest chunk change nothing, nor does where they lie', () => {
    const bytes = noise('document', 200_000);
    for (let start = 0; start < 100_000; start += 9973) {
      const length = chunker.cut(bytes, start, start + SIZES.max);
      expect(chunker.cut(bytes, start, bytes.length)).toBe(length);
      expect(chunker.cut(bytes.subarray(start), 0, SIZES.max)).toBe(length);
    }
  });

  it.each(Object.entries(CHUNKER_SIZES))('chunks of %s are near the average that is announced', (_name, sizes) => {
    const bytes = noise('document', 24 << 20);
    const ends = cuts(bytes, new Chunker(gearTable(new Uint8Array(32)), sizes));
    const average = bytes.length / ends.length;
    expect(average).toBeGreaterThan(sizes.avg * 0.7);
    expect(average).toBeLessThan(sizes.avg * 1.5);
  });
});
