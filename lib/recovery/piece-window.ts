import type { ChunkRef } from '../repository/index.ts';
import type { FileTask } from './file-task.ts';
import type { RestoreLimits } from './restore-limits.ts';

/** A chunk that a file wants at a place. */
export interface Piece {
  readonly task: FileTask;
  readonly fileOffset: number;
  readonly length: number;
}

/** Wanted chunks of some thousand files, gathered by pack so that each needed range is read once per window. */
export class PieceWindow {
  /** By 16 bytes of pack id, then by 32 bytes of chunk id; both as byte strings, in the order of first use. */
  readonly packs = new Map<string, Map<string, Piece | Piece[]>>();
  readonly empty: FileTask[] = [];
  readonly #limits: Pick<RestoreLimits, 'files' | 'bytes' | 'heldFiles'>;
  #files = 0;
  #bytes = 0;
  #heldFiles = 0;
  /** Neighbouring files mostly lie in one pack. */
  #lastPack = '';
  #lastChunks: Map<string, Piece | Piece[]> | undefined;

  constructor(limits: Pick<RestoreLimits, 'files' | 'bytes' | 'heldFiles'>) {
    this.#limits = limits;
  }

  get isFull(): boolean {
    return this.#files >= this.#limits.files || this.#bytes >= this.#limits.bytes || this.#heldFiles >= this.#limits.heldFiles;
  }

  get isEmpty(): boolean {
    return this.#files === 0;
  }

  add(task: FileTask, refs: readonly ChunkRef[]): void {
    this.#files++;
    this.#bytes += task.size;
    if (!task.isWhole) this.#heldFiles++;
    if (refs.length === 0) this.empty.push(task);
    let fileOffset = 0;
    for (const ref of refs) {
      this.#want(ref, { task, fileOffset, length: ref.length });
      fileOffset += ref.length;
    }
  }

  #want(ref: ChunkRef, piece: Piece): void {
    const chunks = this.#chunksOf(latin1(ref.pack));
    const id = latin1(ref.id);
    const known = chunks.get(id);
    if (known === undefined) chunks.set(id, piece);
    else if (Array.isArray(known)) known.push(piece);
    else chunks.set(id, [known, piece]);
  }

  #chunksOf(pack: string): Map<string, Piece | Piece[]> {
    if (this.#lastChunks && pack === this.#lastPack) return this.#lastChunks;
    let chunks = this.packs.get(pack);
    if (!chunks) this.packs.set(pack, (chunks = new Map()));
    this.#lastPack = pack;
    this.#lastChunks = chunks;
    return chunks;
  }
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).latin1Slice();
}
