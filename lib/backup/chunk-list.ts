import { ByteReader, decodeRef, encodeRef, ByteWriter } from '../repository/index.ts';
import type { MetaPacks } from './meta-packs.ts';

/** More refs than this go to list chunks (format §7, flag listed). */
const INLINE_REFS = 512;
const REFS_PER_LIST = 1200;

/** The refs of one large file or stream as they arrive, block by block. */
export class ChunkList {
  #parts: Uint8Array[] = [];
  #bytes = 0;

  add(refs: Uint8Array): void {
    this.#parts.push(refs);
    this.#bytes += refs.length;
  }

  /** What a file's body holds: the refs themselves, or refs of list chunks; `packs` hold those list chunks. */
  finish(meta: MetaPacks): { readonly count: number; readonly refs: Uint8Array; readonly isListed: boolean; readonly packs: string[] } {
    const all = Buffer.concat(this.#parts, this.#bytes);
    const packs = new Set<string>();
    const cuts: number[] = [0];
    const reader = new ByteReader(all, 'refs of a stream');
    let count = 0;
    while (reader.remaining > 0) {
      decodeRef(reader);
      if (++count % REFS_PER_LIST === 0) cuts.push(reader.position);
    }
    if (count <= INLINE_REFS) return { count, refs: all, isListed: false, packs: [] };
    const writer = new ByteWriter(4096);
    let lists = 0;
    for (const [index, from] of cuts.entries()) {
      const list = all.subarray(from, cuts[index + 1] ?? all.length);
      if (list.length === 0) continue;
      const { id, packId } = meta.add(list);
      packs.add(packId);
      encodeRef({ id, pack: Buffer.from(packId, 'hex'), length: list.length }, writer);
      lists++;
    }
    return { count: lists, refs: writer.finish(), isListed: true, packs: [...packs] };
  }
}
