import type { Store } from '../stores/store.ts';
import { FOOTER_BYTES } from './format.ts';
import type { Subkeys } from './keys.ts';
import { decodeDirectory, decodeFooter, frameOpener, openFrame } from './pack.ts';
import type { FrameInfo, FrameOpener, PackDirectory } from './pack.ts';

/** Enough for the footer and, mostly, the directory in one read. */
const TAIL_BYTES = 128 << 10;

/** Reads the directory of a pack from its end. `size` as listed or as in refs. */
export async function readPackDirectory(store: Pick<Store, 'get'>, keys: Subkeys, name: string, size: number): Promise<PackDirectory> {
  const tailLength = Math.min(size, TAIL_BYTES);
  const tail = await store.get(name, { offset: size - tailLength, length: tailLength });
  const footer = decodeFooter(tail.subarray(tailLength - FOOTER_BYTES), name, size);
  const wanted = footer.directoryLength + FOOTER_BYTES;
  const unit = wanted <= tailLength ? tail.subarray(tailLength - wanted, tailLength - FOOTER_BYTES) : await store.get(name, { offset: size - wanted, length: footer.directoryLength });
  return decodeDirectory(keys, name, unit, footer, size);
}

/** Directory of a pack whose whole bytes are at hand. */
export function directoryOf(keys: Subkeys, name: string, pack: Uint8Array): PackDirectory {
  const footer = decodeFooter(pack.subarray(Math.max(0, pack.length - FOOTER_BYTES)), name, pack.length);
  const end = pack.length - FOOTER_BYTES;
  return decodeDirectory(keys, name, pack.subarray(end - footer.directoryLength, end), footer, pack.length);
}

interface Place {
  readonly directory: PackDirectory;
  readonly frame: FrameInfo;
  readonly offset: number;
  readonly length: number;
}

/** Fetches single chunks, for trees, `cat` and small reads. Keeps directories and a few raw frames. */
export class ChunkReader {
  readonly #store: Pick<Store, 'get'>;
  readonly #keys: Subkeys;
  readonly #opener: FrameOpener;
  readonly #sizes: (name: string) => Promise<number>;
  readonly #places = new Map<string, Promise<Map<string, Place>>>();
  readonly #frames = new Map<string, Uint8Array>();

  /** `sizes` answers a pack's size, mostly from refs. */
  constructor(store: Pick<Store, 'get'>, keys: Subkeys, kind: FrameOpener['kind'], sizes: (name: string) => Promise<number>) {
    this.#store = store;
    this.#keys = keys;
    this.#opener = frameOpener(keys, kind);
    this.#sizes = sizes;
  }

  /** The plain bytes of a chunk, proved against its id; undefined when that pack does not hold it. */
  async read(packName: string, id: Uint8Array): Promise<Uint8Array | undefined> {
    const place = (await this.#placesOf(packName)).get(Buffer.from(id).toString('latin1'));
    if (!place) return undefined;
    const raw = await this.#frame(packName, place);
    return raw.subarray(place.offset, place.offset + place.length);
  }

  #placesOf(name: string): Promise<Map<string, Place>> {
    let places = this.#places.get(name);
    if (!places) {
      places = this.#load(name);
      this.#places.set(name, places);
    }
    return places;
  }

  async #load(name: string): Promise<Map<string, Place>> {
    const directory = await readPackDirectory(this.#store, this.#keys, name, await this.#sizes(name));
    const places = new Map<string, Place>();
    for (const frame of directory.frames) {
      let offset = 0;
      for (const chunk of frame.chunks) {
        places.set(Buffer.from(chunk.id).toString('latin1'), { directory, frame, offset, length: chunk.length });
        offset += chunk.length;
      }
    }
    return places;
  }

  async #frame(name: string, place: Place): Promise<Uint8Array> {
    const key = `${name} ${place.frame.offset}`;
    const known = this.#frames.get(key);
    if (known) return known;
    const sealed = await this.#store.get(name, { offset: place.frame.offset, length: place.frame.sealedLength });
    const raw = openFrame(this.#opener, place.directory.cipher, place.frame, sealed, name);
    if (this.#frames.size >= 8) this.#frames.delete(this.#frames.keys().next().value ?? '');
    this.#frames.set(key, raw);
    return raw;
  }
}
