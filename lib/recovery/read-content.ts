import { ChunkReader } from '../repository/index.ts';
import type { SnapshotFile, SnapshotReader } from '../repository/index.ts';
import { HoldfastError } from '../model/errors.ts';

/** The bytes of one file in order, chunk by chunk, each proved against its id. Fails as `damaged`, after the bytes before. */
export async function* readContent(reader: SnapshotReader, file: SnapshotFile): AsyncGenerator<Uint8Array> {
  const { store, keys } = reader.repository;
  const sizes = new Map(reader.refs.packs.map(({ name, size }) => [name, size]));
  const chunks = new ChunkReader(store, keys, 'frame', async (name) => sizes.get(name) ?? (await store.stat(name)).size);
  for (const chunk of await reader.chunksOf(file)) {
    const { name } = reader.pack(chunk.packId);
    const bytes = await chunks.read(name, chunk.id);
    if (bytes?.length !== chunk.length) throw new HoldfastError('damaged', `The pack ${name} does not hold a chunk that it should.`, { nextStep: 'Run `holdfast verify --level full` to see what is touched.' });
    yield bytes;
  }
}
