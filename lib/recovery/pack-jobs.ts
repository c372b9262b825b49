import { isHoldfastError } from '../model/errors.ts';
import { readPackDirectory } from '../repository/index.ts';
import type { FrameInfo, PackDirectory, PackRef, SnapshotReader } from '../repository/index.ts';
import type { FileTask } from './file-task.ts';
import { latin1 } from './piece-window.ts';
import type { Piece, PieceWindow } from './piece-window.ts';

export interface PlacedPiece extends Piece {
  readonly rawOffset: number;
}

/** A range of a pack, and what is wanted from its frames. */
export interface PackJob {
  readonly directory: PackDirectory;
  readonly offset: number;
  readonly length: number;
  readonly frames: readonly { readonly frame: FrameInfo; readonly pieces: readonly PlacedPiece[] }[];
}

/** Small enough to keep several under way, large enough that reading and posting cost nothing beside writing. */
const JOB_SEALED_BYTES = 4 << 20;
const JOB_RAW_BYTES = 12 << 20;
/** Reading this much in vain is cheaper than another request. */
const GAP_BYTES = 256 << 10;
const KEPT_DIRECTORIES = 8;

/** Turns windows into jobs, pack by pack in the order of first use. */
export class PackJobs {
  readonly #reader: SnapshotReader;
  readonly #onLost: (task: FileTask, length: number, reason: string) => void;
  readonly #directories = new Map<string, PackDirectory>();

  /** `onLost` hears of every wanted piece that no pack gives. */
  constructor(reader: SnapshotReader, onLost: (task: FileTask, length: number, reason: string) => void) {
    this.#reader = reader;
    this.#onLost = onLost;
  }

  async *of(window: PieceWindow): AsyncGenerator<PackJob> {
    for (const [id, wanted] of window.packs) {
      window.packs.delete(id);
      const directory = await this.#directory(Buffer.from(id, 'latin1').toString('hex'), wanted);
      if (directory) yield* this.#jobs(directory, wanted);
    }
  }

  *#jobs(directory: PackDirectory, wanted: Map<string, Piece | Piece[]>): Generator<PackJob> {
    let frames: { frame: FrameInfo; pieces: PlacedPiece[] }[] = [];
    let rawBytes = 0;
    for (const frame of directory.frames) {
      if (wanted.size === 0) break;
      const pieces = this.#piecesIn(frame, wanted);
      if (pieces.length === 0) continue;
      const first = frames[0]?.frame ?? frame;
      const last = frames.at(-1)?.frame ?? frame;
      const isFar = frame.offset - (last.offset + last.sealedLength) > GAP_BYTES;
      const isLong = frame.offset + frame.sealedLength - first.offset > JOB_SEALED_BYTES || rawBytes + frame.rawLength > JOB_RAW_BYTES;
      if (frames.length > 0 && (isFar || isLong)) {
        yield job(directory, frames);
        frames = [];
        rawBytes = 0;
      }
      frames.push({ frame, pieces });
      rawBytes += frame.rawLength;
    }
    if (frames.length > 0) yield job(directory, frames);
    this.#lose(wanted, `The pack ${directory.name} does not hold a chunk that the entry names`);
  }

  #piecesIn(frame: FrameInfo, wanted: Map<string, Piece | Piece[]>): PlacedPiece[] {
    const pieces: PlacedPiece[] = [];
    let rawOffset = 0;
    for (const chunk of frame.chunks) {
      const id = latin1(chunk.id);
      const found = wanted.get(id);
      if (found) {
        wanted.delete(id);
        for (const piece of Array.isArray(found) ? found : [found]) {
          if (piece.length === chunk.length) pieces.push({ task: piece.task, fileOffset: piece.fileOffset, length: piece.length, rawOffset });
          else this.#onLost(piece.task, piece.length, `The entry names a chunk of ${piece.length} bytes that has ${chunk.length}`);
        }
      }
      rawOffset += chunk.length;
    }
    return pieces;
  }

  async #directory(id: string, wanted: Map<string, Piece | Piece[]>): Promise<PackDirectory | undefined> {
    try {
      const pack = this.#reader.pack(id);
      const known = this.#directories.get(pack.name);
      if (known) return known;
      return this.#keep(pack, await readPackDirectory(this.#reader.repository.store, this.#reader.repository.keys, pack.name, pack.size));
    } catch (error) {
      if (!isLoss(error)) throw error;
      this.#lose(wanted, error.message);
      return undefined;
    }
  }

  #keep(pack: PackRef, directory: PackDirectory): PackDirectory {
    if (this.#directories.size >= KEPT_DIRECTORIES) this.#directories.delete(this.#directories.keys().next().value as string);
    this.#directories.set(pack.name, directory);
    return directory;
  }

  #lose(wanted: Map<string, Piece | Piece[]>, reason: string): void {
    for (const found of wanted.values()) for (const piece of Array.isArray(found) ? found : [found]) this.#onLost(piece.task, piece.length, reason);
    wanted.clear();
  }
}

/** Only these mean that stored bytes are gone; a store that does not answer ends the restore instead. */
export function isLoss(error: unknown): error is Error {
  return isHoldfastError(error, 'damaged') || isHoldfastError(error, 'not-found');
}

function job(directory: PackDirectory, frames: PackJob['frames']): PackJob {
  const first = (frames[0] as PackJob['frames'][number]).frame;
  const last = (frames.at(-1) as PackJob['frames'][number]).frame;
  return { directory, offset: first.offset, length: last.offset + last.sealedLength - first.offset, frames };
}
