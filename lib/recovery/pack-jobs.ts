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
  readonly frames: readonly JobFrame[];
}

interface JobFrame {
  readonly frame: FrameInfo;
  readonly pieces: readonly PlacedPiece[];
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
  readonly #jobFiles: number;
  readonly #onLost: (task: FileTask, length: number, reason: string) => void;
  readonly #directories = new Map<string, PackDirectory>();

  /** `onLost` hears of every wanted piece that no pack gives. */
  constructor(reader: SnapshotReader, jobFiles: number, onLost: (task: FileTask, length: number, reason: string) => void) {
    this.#reader = reader;
    this.#jobFiles = jobFiles;
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
    let frames: JobFrame[] = [];
    for (const frame of directory.frames) {
      if (wanted.size === 0) break;
      const pieces = this.#piecesIn(frame, wanted);
      for (let at = 0; at < pieces.length; at += this.#jobFiles) {
        const next: JobFrame = { frame, pieces: pieces.slice(at, at + this.#jobFiles) };
        if (frames.length > 0 && !this.#fits(frames, next)) {
          yield job(directory, frames);
          frames = [];
        }
        frames.push(next);
      }
    }
    if (frames.length > 0) yield job(directory, frames);
    this.#lose(wanted, `The pack ${directory.name} does not hold a chunk that the entry names`);
  }

  #fits(frames: readonly JobFrame[], next: JobFrame): boolean {
    const [first, last] = [(frames[0] as JobFrame).frame, (frames.at(-1) as JobFrame).frame];
    const isNear = next.frame.offset - (last.offset + last.sealedLength) <= GAP_BYTES;
    const isShort = next.frame.offset + next.frame.sealedLength - first.offset <= JOB_SEALED_BYTES;
    const rawBytes = frames.reduce((sum, { frame }) => sum + frame.rawLength, next.frame.rawLength);
    const files = frames.reduce((sum, { pieces }) => sum + pieces.length, next.pieces.length);
    return isNear && isShort && rawBytes <= JOB_RAW_BYTES && files <= this.#jobFiles;
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

function job(directory: PackDirectory, frames: readonly JobFrame[]): PackJob {
  const [first, last] = [(frames[0] as JobFrame).frame, (frames.at(-1) as JobFrame).frame];
  return { directory, offset: first.offset, length: last.offset + last.sealedLength - first.offset, frames };
}
