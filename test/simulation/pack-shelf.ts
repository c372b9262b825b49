import { newHexId } from '../../lib/model/ids.ts';
import type { PackId } from '../../lib/model/ids.ts';
import { FrameSealer, PackBuilder, names, sha256 } from '../../lib/repository/index.ts';
import type { FinishedPack, PackClass, Repository } from '../../lib/repository/index.ts';
import { SeededRandom } from './dice.ts';

export interface ShelvedPack extends FinishedPack {
  readonly ids: Uint8Array;
}

/** Packs by what they hold, built once and used in every story: the n-th pack of a kind is the same one everywhere. */
const shelves = new Map<string, ShelvedPack[]>();

/** Hands out real packs, each once in a story. */
export class PackShelf {
  readonly #repository: Repository;
  readonly #taken = new Map<string, number>();

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  /** What was handed out in the past is not handed out again. */
  remember(past: PackShelf): void {
    for (const [kind, count] of past.#taken) this.#taken.set(kind, count);
  }

  take(packClass: PackClass, writer: string, contents: readonly string[]): ShelvedPack {
    const { current } = this.#repository.keys;
    const kind = `${current === 1 ? '' : `key ${current} `}${packClass} ${writer} ${contents.join('+')}`;
    const ordinal = this.#taken.get(kind) ?? 0;
    this.#taken.set(kind, ordinal + 1);
    const shelf = shelves.get(kind) ?? [];
    shelves.set(kind, shelf);
    return (shelf[ordinal] ??= this.#build(packClass, writer, contents, `${kind} ${ordinal}`));
  }

  #build(packClass: PackClass, writer: string, contents: readonly string[], what: string): ShelvedPack {
    const { keys, cipher } = this.#repository;
    const random = new SeededRandom(what).bytes;
    const builder = new PackBuilder(keys, cipher, new Uint8Array(4096));
    const sealer = new FrameSealer(keys, cipher, packClass === 'meta' ? 'tree' : 'frame', { algorithm: 'none', level: 0 }, random);
    const chunks = contents.map((content) => ({ id: idOf(content), length: content.length }));
    builder.append(sealer.seal(Buffer.from(contents.join('')), chunks));
    const pack = builder.finish(names.pack(packClass, writer, newHexId<PackId>(random)), random);
    return { ...pack, ids: Buffer.concat(chunks.map((chunk) => chunk.id)) };
  }
}

export function idOf(content: string): Buffer {
  return sha256(Buffer.from(content));
}
