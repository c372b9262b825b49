import { createHash } from 'node:crypto';
import type { Chunker } from '../repository/index.ts';
import { ChunkList } from './chunk-list.ts';
import type { ChunkGatherer, PlacedChunk } from './chunk-gatherer.ts';
import type { MetaPacks } from './meta-packs.ts';

export interface BodyPorts {
  /** Of files for objects, because the same content in a file and in a bucket is stored once; of streams for bodies. */
  readonly chunker: Chunker;
  readonly gatherer: ChunkGatherer;
  readonly meta: MetaPacks;
  /** The digest is given however short the content is. */
  readonly isAlwaysDigested?: boolean;
}

export interface ReadBody {
  readonly size: number;
  /** Given when the content has more than one chunk. */
  readonly sha256?: Uint8Array;
  readonly list: ReturnType<ChunkList['finish']>;
  readonly packs: readonly string[];
}

/** Chunks of one object that are cut and not yet placed: memory, with the two that `staging` holds. */
const MAX_UNPLACED = 2;

/** Reads a body to its end, cut into chunks as a file would be. At most four of the largest chunks are in memory. `expected`: bytes, or infinity. */
export async function readBody(body: AsyncIterable<Uint8Array>, expected: number, { chunker, gatherer, meta, isAlwaysDigested = false }: BodyPorts): Promise<ReadBody> {
  const { max } = chunker.sizes;
  const staging = Buffer.allocUnsafe(Math.min(expected, max));
  const placing = new Placing(gatherer);
  const digest = isAlwaysDigested || expected > chunker.sizes.min ? createHash('sha256') : undefined;
  let filled = 0;
  let size = 0;
  const cut = async () => {
    const length = chunker.cut(staging, 0, filled);
    await placing.add(Uint8Array.prototype.slice.call(staging, 0, length));
    staging.copyWithin(0, length, filled);
    filled -= length;
  };
  for await (const piece of body) {
    digest?.update(piece);
    size += piece.length;
    for (let from = 0; from < piece.length; ) {
      if (filled === staging.length) await cut();
      const taken = Math.min(piece.length - from, staging.length - filled);
      staging.set(piece.subarray(from, from + taken), filled);
      filled += taken;
      from += taken;
    }
  }
  while (filled > 0) await cut();
  const { list, packs, count } = await placing.finish();
  const finished = list.finish(meta);
  return { size, list: finished, packs: [...packs, ...finished.packs], ...((count > 1 || isAlwaysDigested) && digest && { sha256: digest.digest() }) };
}

/** The chunks of one object in order, a few of them on their way. */
class Placing {
  readonly #gatherer: ChunkGatherer;
  readonly #list = new ChunkList();
  readonly #packs = new Set<string>();
  readonly #unplaced: Promise<PlacedChunk>[] = [];
  #count = 0;

  constructor(gatherer: ChunkGatherer) {
    this.#gatherer = gatherer;
  }

  async add(chunk: Uint8Array): Promise<void> {
    const placed = this.#gatherer.add(chunk);
    // Whoever awaits it, later, learns that it failed.
    placed.catch(() => undefined);
    this.#unplaced.push(placed);
    if (this.#unplaced.length > MAX_UNPLACED) await this.#take();
  }

  async finish(): Promise<{ readonly list: ChunkList; readonly packs: ReadonlySet<string>; readonly count: number }> {
    while (this.#unplaced.length > 0) await this.#take();
    return { list: this.#list, packs: this.#packs, count: this.#count };
  }

  async #take(): Promise<void> {
    const placed = await this.#unplaced.shift();
    if (!placed) return;
    this.#list.add(placed.ref);
    for (const pack of placed.packs) this.#packs.add(pack);
    this.#count++;
  }
}
