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
    ['data between holes', [hole(10), data(5), data(6), hole(20), data(1)], [2, 10, 11, 41, 1], 12],
    ['a hole at the end', [data(5), hole(20)], [2, 0, 5, 25, 0], 5],
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
