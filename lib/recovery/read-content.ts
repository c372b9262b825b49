import { HoldfastError } from '../model/errors.ts';
import { frameOpener, readPackDirectory } from '../repository/index.ts';
import type { FrameInfo, PackDirectory, PlacedChunk, SnapshotFile, SnapshotReader } from '../repository/index.ts';
import { inlineFramePool } from './frame-pool.ts';
import type { FramePool } from './frame-pool.ts';

/** For each frame that the pool wants to have under way. */
const AHEAD_BYTES = 2 << 20;
const KEPT_DIRECTORIES = 8;
/** A later version of a stream goes back and forth between the frames of the versions before. */
const KEPT_FRAMES = 4;

/**
 * The bytes of one file in order, chunk by chunk, each proved against its id. Fails as `damaged`, after the bytes
 * before. Without a pool nothing is read before it is wanted.
 */
export async function* readContent(reader: SnapshotReader, file: SnapshotFile, pool: FramePool = inlineFramePool(frameOpener(reader.repository.keys, 'frame'))): AsyncGenerator<Uint8Array> {
  const chunks = new ChunkSequence(reader, pool);
  const ahead: { readonly bytes: Promise<Uint8Array>; readonly length: number }[] = [];
  let aheadBytes = 0;
  for (const chunk of await reader.chunksOf(file)) {
    const bytes = chunks.read(chunk);
    // Whoever awaits it learns of it, which may be long after.
    bytes.catch(() => undefined);
    ahead.push({ bytes, length: chunk.length });
    aheadBytes += chunk.length;
    for (let first = ahead[0]; first && aheadBytes > pool.width * AHEAD_BYTES; first = ahead[0]) {
      yield await first.bytes;
      ahead.shift();
      aheadBytes -= first.length;
    }
  }
  for (const { bytes } of ahead) yield await bytes;
}

interface Place {
  readonly directory: PackDirectory;
  readonly frame: FrameInfo;
  readonly offset: number;
}

type Places = ReadonlyMap<string, Place>;

/** Chunks in the order of a file: neighbours mostly lie in one frame, which is read and opened once for them. */
class ChunkSequence {
  readonly #reader: SnapshotReader;
  readonly #pool: FramePool;
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #places = new Map<string, Promise<Places>>();
  readonly #frames = new Map<string, Promise<Uint8Array>>();

  constructor(reader: SnapshotReader, pool: FramePool) {
    this.#reader = reader;
    this.#pool = pool;
    this.#sizes = new Map(reader.refs.packs.map(({ name, size }) => [name, size]));
  }

  async read(chunk: PlacedChunk): Promise<Uint8Array> {
    const { name } = this.#reader.pack(chunk.packId);
    const places = await kept(this.#places, name, KEPT_DIRECTORIES, () => this.#load(name));
    const place = places.get(Buffer.from(chunk.id).latin1Slice());
    const raw = place && (await kept(this.#frames, `${name} ${place.frame.offset}`, KEPT_FRAMES, () => this.#open(place)));
    const bytes = raw?.subarray(place?.offset ?? 0, (place?.offset ?? 0) + chunk.length);
    if (bytes?.length !== chunk.length) throw new HoldfastError('damaged', `The pack ${name} does not hold a chunk that it should.`, { nextStep: 'Run `holdfast verify --level full` to see what is touched.' });
    return bytes;
  }

  async #load(name: string): Promise<Places> {
    const { store, keys } = this.#reader.repository;
    const directory = await readPackDirectory(store, keys, name, this.#sizes.get(name) ?? (await store.stat(name)).size);
    const places = new Map<string, Place>();
    for (const frame of directory.frames) {
      let offset = 0;
      for (const chunk of frame.chunks) {
        places.set(Buffer.from(chunk.id).latin1Slice(), { directory, frame, offset });
        offset += chunk.length;
      }
    }
    return places;
  }

  async #open({ directory: { name, cipher }, frame }: Place): Promise<Uint8Array> {
    const sealed = await this.#reader.repository.store.get(name, { offset: frame.offset, length: frame.sealedLength });
    return this.#pool.open({ pack: name, cipher, frame, sealed });
  }
}

/** From the cache, or made; what was made first goes first. */
function kept<T>(cache: Map<string, Promise<T>>, key: string, limit: number, make: () => Promise<T>): Promise<T> {
  const known = cache.get(key);
  if (known) return known;
  if (cache.size >= limit) cache.delete(cache.keys().next().value as string);
  const made = make();
  // Told to whoever reads the chunk.
  made.catch(() => undefined);
  cache.set(key, made);
  return made;
}
