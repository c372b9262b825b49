import fc from 'fast-check';
import type { ByteString } from '../../lib/model/byte-string.ts';
import { ByteWriter, ENTRY, TreeStreamWriter, comparePaths, mergeStreams, readTreeChunk } from '../../lib/repository/index.ts';
import type { TreeChunk, TreeRecord } from '../../lib/repository/index.ts';

const component = fc.string({ unit: fc.constantFrom('a', 'b', '.', '\x01', '\xff'), minLength: 1, maxLength: 5 }).filter((name) => name !== '.' && name !== '..');
const path = fc.array(component, { maxLength: 5 }).map((parts) => parts.join('/') as ByteString);
const body = fc.uint8Array({ minLength: 1, maxLength: 30 }).map((bytes) => (bytes[0] === ENTRY.tombstone ? Uint8Array.of(1) : bytes));
const sortedRecords = (bodies: fc.Arbitrary<Uint8Array>) =>
  fc.dictionary(path, bodies, { noNullPrototype: true, maxKeys: 60 }).map((all) => Object.entries(all).map(([key, value]): TreeRecord => ({ path: key as ByteString, body: value })).sort((left, right) => comparePaths(left.path, right.path)));

function written(records: readonly TreeRecord[], chunkBytes: number): TreeChunk[] {
  const chunks: TreeChunk[] = [];
  const writer = new TreeStreamWriter((chunk) => chunks.push(chunk), chunkBytes);
  for (const record of records) writer.add(record.path, record.body);
  writer.finish();
  return chunks;
}

const plain = (records: Iterable<TreeRecord>) => [...records].map(({ path: key, body: bytes }) => [key, Buffer.from(bytes).toString('hex')]);

/** One chunk as a hostile writer would make it. */
function chunkOf(...records: readonly [shared: number, rest: string][]): Uint8Array {
  const writer = new ByteWriter(1);
  for (const [shared, rest] of records) writer.varint(shared).varint(rest.length).latin1(rest).varint(1).u8(2);
  return writer.finish();
}

describe('the tree as a stream (format §7)', () => {
  it('every chunk decodes alone, begins with the path that is said, and together they are what was written', () => {
    fc.assert(
      fc.property(sortedRecords(body), fc.integer({ min: 1, max: 400 }), (records, chunkBytes) => {
        const chunks = written(records, chunkBytes);
        const read = chunks.map((chunk) => [...readTreeChunk(chunk.bytes, 'test')]);
        expect(plain(read.flat())).toEqual(plain(records));
        for (const [index, chunk] of chunks.entries()) expect(chunk.first).toBe(read[index]?.[0]?.path);
      }),
    );
  });

  it('what paths share is written once', () => {
    const deep = `${'folder/'.repeat(50)}`;
    const chunks = written(Array.from({ length: 100 }, (_, index) => ({ path: `${deep}${String(index).padStart(3, '0')}` as ByteString, body: Uint8Array.of(2) })), 1 << 20);
    expect(chunks).toHaveLength(1);
    expect(chunks[0]?.bytes.length).toBeLessThan(deep.length + 100 * 8);
  });

  it.each([
    ['the same path twice', chunkOf([0, 'a'], [1, ''])],
    ['a path that goes back', chunkOf([0, 'b'], [0, 'a'])],
    ['a path that goes back behind a shared beginning', chunkOf([0, 'a/b'], [2, 'a'])],
    ['a dot before a slash', chunkOf([0, 'a.b'], [0, 'a/b'])],
    ['a shared beginning that is not there', chunkOf([0, 'a'], [2, 'b'])],
    ['a first path that shares', chunkOf([1, 'b'])],
    ['a way out', chunkOf([0, '..'])],
    ['a way out made of two parts', chunkOf([0, 'a/.x'], [3, './b'])],
    ['an absolute path', chunkOf([0, '/etc'])],
    ['a NUL', chunkOf([0, 'a\0'])],
    ['an empty component', chunkOf([0, 'a'], [1, '//b'])],
    ['a body longer than the chunk', new ByteWriter(1).varint(0).varint(1).latin1('a').varint(100).u8(2).finish()],
  ])('refuses %s', (_what, chunk) => {
    expect(() => [...readTreeChunk(chunk, 'test')]).toThrow(expect.objectContaining({ code: 'damaged' }));
  });

  it('refuses a chunk that no writer makes so long, before room is made for millions of records', () => {
    const record = new ByteWriter().varint(0).varint(0).varint(0).finish();
    expect(() => [...readTreeChunk(Buffer.alloc((16 << 20) + 1, record), 'test')]).toThrow(expect.objectContaining({ code: 'damaged', message: expect.stringContaining('at most 16777216') }));
  });

  it('base and delta merge as a map with changes does, tombstones remove', () => {
    const deltaBody = fc.oneof(body, fc.constant(Uint8Array.of(ENTRY.tombstone)));
    fc.assert(
      fc.property(sortedRecords(body), sortedRecords(deltaBody), (base, delta) => {
        const model = new Map(base.map((record) => [record.path, record]));
        for (const record of delta) {
          if (record.body[0] === ENTRY.tombstone) model.delete(record.path);
          else model.set(record.path, record);
        }
        const wanted = [...model.values()].sort((left, right) => comparePaths(left.path, right.path));
        const merged = [...mergeStreams(base, delta)];
        expect(plain(merged)).toEqual(plain(wanted));
        const inDelta = new Set(delta.map((record) => record.path));
        for (const record of merged) expect(record.inDelta).toBe(inDelta.has(record.path));
      }),
    );
  });
});
