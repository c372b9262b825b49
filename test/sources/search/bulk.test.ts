import { bulkBodies } from '../../../lib/sources/search/bulk.ts';

const LINES = Array.from({ length: 400 }, (_, id) => `{"index":{"_id":"${id}"}}\n{"text":"${'x'.repeat((id % 7) * 9000)}"}\n`);

async function* inPieces(text: string, size: number): AsyncGenerator<Buffer> {
  // As readers do: the same memory again and again.
  const memory = Buffer.alloc(size);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield memory.subarray(0, bytes.copy(memory, 0, at, at + size));
}

describe('requests of documents', () => {
  it.each([1 << 10, 65_537, 64 << 20])('are cut behind whole documents and hold all of them, read in pieces of %d bytes', async (size) => {
    const bodies = await Array.fromAsync(bulkBodies(inPieces(LINES.join(''), size)));
    expect(Buffer.concat(bodies.map(({ bytes }) => bytes)).toString() === LINES.join('')).toBe(true);
    expect(bodies.reduce((sum, { documents }) => sum + documents, 0)).toBe(LINES.length);
    for (const { bytes, documents } of bodies) expect([bytes.at(-1), bytes.toString().split('\n').length - 1]).toEqual([0x0a, documents * 2]);
    expect(bodies.length).toBeGreaterThan(1);
  });

  it('are none for no documents', async () => {
    expect(await Array.fromAsync(bulkBodies(inPieces('', 10)))).toEqual([]);
  });

  it.each(['{"index":{"_id":"1"}}\n', '{"index":{"_id":"1"}}\n{"a":1}', '{"index":{"_id":"1"}}\n{"a":1}\n{"index"'])('end with an error where the content ends within a document: %j', async (text) => {
    await expect(Array.fromAsync(bulkBodies(inPieces(text, 5)))).rejects.toMatchObject({ code: 'damaged' });
  });
});
