import type { ByteString } from '../model/byte-string.ts';
import { display } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import { ChunkReader, FLAG, isSnapshotFile } from '../repository/index.ts';
import type { PlacedChunk, SnapshotFile, SnapshotReader } from '../repository/index.ts';

/**
 * The content of one file, chunk by chunk, each proved before it is given out; reads as fast as the caller takes.
 * `not-found` when the backup has no such file; `damaged` at the first chunk that is lost: what came before is right.
 */
export async function* catEntry(reader: SnapshotReader, path: ByteString): AsyncGenerator<Uint8Array, void, undefined> {
  const entry = await fileAt(reader, path);
  const { store, keys } = reader.repository;
  const sizes = new Map(reader.refs.packs.map((pack) => [pack.name, pack.size]));
  const chunks = new ChunkReader(store, keys, 'frame', async (name) => sizes.get(name) ?? (await store.stat(name)).size);
  let given = 0;
  for (const chunk of await reader.chunksOf(entry)) {
    yield await readChunk(reader, chunks, chunk, path);
    given += chunk.length;
  }
  if (given !== entry.size && !(entry.flags & FLAG.changed)) throw new HoldfastError('damaged', `The chunks of ${display(path)} hold ${given} bytes, wanted ${entry.size}.`);
}

async function fileAt(reader: SnapshotReader, path: ByteString): Promise<SnapshotFile> {
  for await (const entry of reader.entries(path)) {
    if (entry.path !== path) break;
    if (!isSnapshotFile(entry)) throw new HoldfastError('usage', `${display(path)} is not a file in backup ${reader.manifest.backup}.`, { nextStep: 'Give the path of a file: `holdfast ls` shows what is below a directory.' });
    if (entry.flags & FLAG.unreadable) throw new HoldfastError('not-found', `The content of ${display(path)} could not be read when the backup ${reader.manifest.backup} was made; the backup does not hold it.`);
    return entry;
  }
  throw new HoldfastError('not-found', `Backup ${reader.manifest.backup} has no entry ${display(path)}.`, { nextStep: '`holdfast ls` shows its entries; paths start at the top of the backup.' });
}

async function readChunk(reader: SnapshotReader, chunks: ChunkReader, chunk: PlacedChunk, path: ByteString): Promise<Uint8Array> {
  const pack = reader.pack(chunk.packId);
  const bytes = await chunks.read(pack.name, chunk.id);
  if (bytes?.length === chunk.length) return bytes;
  throw new HoldfastError('damaged', `The pack ${pack.name} does not hold a chunk of ${display(path)}.`, { nextStep: 'Run `holdfast verify --level full` to see what is touched.', data: { pack: pack.name } });
}
