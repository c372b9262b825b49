import fc from 'fast-check';
import { sha256 } from '../../../lib/repository/index.ts';
import { SparseMap, isHole } from '../../../lib/recovery/export/sparse-map.ts';

const hole = (length: number) => ({ id: sha256(new Uint8Array(length)), packId: '', length });
const data = (length: number) => ({ id: sha256(Buffer.alloc(length, 1)), packId: '', length });
const lines = (map: SparseMap) => Buffer.from(map.encode()).toString('latin1').replace(/\0+$/, '').trim().split('\n').map(Number);

describe('where a sparse file has data, by its chunks alone (K9)', () => {
  it('knows chunks of zeros by their ids, whatever their length', () => {
    expect([isHole(hole(4096)), isHole(hole(1)), isHole(data(4096)), isHole({ ...hole(4096), length: 4097 })]).toEqual([true, true, false, false]);
  });

  it('hashes nothing that no chunk can be', () => {
    expect(isHole({ id: new Uint8Array(32), length: 2 ** 52 })).toBe(false);
  });

  it.each<[string, readonly ReturnType<typeof data>[], readonly number[], number]>([
    ['data between holes, at blocks', [hole(1024), data(512), data(512), hole(2048), data(1)], [2, 1024, 1024, 4096, 1], 1025],
    ['data between holes, at no blocks', [hole(1000), data(30), hole(2000), data(100), hole(10_000)], [3, 512, 1024, 2560, 1024, 13_130, 0], 2048],
    ['holes within a block', [data(5), hole(20), data(5), hole(20)], [1, 0, 50], 50],
    ['a hole at the end', [data(5), hole(2000)], [2, 0, 512, 2005, 0], 512],
    ['nothing but a hole', [hole(20), hole(20)], [1, 40, 0], 0],
    ['no hole', [data(5)], [1, 0, 5], 5],
  ])('writes the map of %s', (_what, chunks, wanted, dataBytes) => {
    const map = new SparseMap();
    for (const chunk of chunks) map.add(chunk);
    expect(lines(map)).toEqual(wanted);
    expect(map.encode().length % 512).toBe(0);
    expect([map.dataBytes, map.hasHoles]).toEqual([dataBytes, dataBytes < chunks.reduce((sum, { length }) => sum + length, 0)]);
  });
});

describe('the zeros of holes that are stored all the same', () => {
  it('are those between data and the borders of its blocks, whatever lies where', () => {
    const chunks = fc.array(fc.record({ isHole: fc.boolean(), length: fc.integer({ min: 1, max: 3000 }) }), { minLength: 1, maxLength: 20 });
    fc.assert(fc.property(chunks, (given) => {
      const map = new SparseMap();
      for (const { isHole: asHole, length } of given) map.add(asHole ? hole(length) : data(length));
      const [count = 0, ...numbers] = lines(map);
      const size = given.reduce((sum, { length }) => sum + length, 0);
      const regions = Array.from({ length: count }, (_, index) => [numbers[index * 2] ?? 0, numbers[index * 2 + 1] ?? 0] as const);
      for (const [offset, length] of regions) expect(length === 0 ? offset === size : offset % 512 === 0 && (length % 512 === 0 || offset + length === size)).toBe(true);
      const stored = (from: number, to: number) => regions.reduce((sum, [offset, length]) => sum + Math.max(0, Math.min(to, offset + length) - Math.max(from, offset)), 0);
      let at = 0;
      for (const { isHole: asHole, length } of given) {
        expect(asHole ? map.zerosStored(at, length) : length).toBe(stored(at, at + length));
        at += length;
      }
      expect(map.dataBytes).toBe(stored(0, size));
    }), { numRuns: 500 });
  });
});
