import type { ChunkRef, SnapshotReader } from '../repository/index.ts';
import { errnoOf, isFatal } from './errno.ts';
import { discardFile, holdFile } from './file-task.ts';
import type { FileTask, Refusal } from './file-task.ts';
import { PackJobs, isLoss } from './pack-jobs.ts';
import type { PackJob, PlacedPiece } from './pack-jobs.ts';
import { PieceWindow } from './piece-window.ts';
import { throwIfInterrupted } from './plan-entries.ts';
import type { RestoreLimits } from './restore-limits.ts';
import { osError, refusalOf } from './restore-errors.ts';
import type { TargetFolders } from './target-folders.ts';
import type { FrameOrder, WriteOrder, WriteResult } from './write-job.ts';
import type { WritePool } from './write-pool.ts';

export interface ContentWriterOptions {
  readonly reader: SnapshotReader;
  readonly folders: TargetFolders;
  readonly pool: WritePool;
  readonly limits: RestoreLimits;
  readonly signal: AbortSignal | undefined;
  /** The last piece of a file was written or refused; called on the main thread. */
  readonly onFinished: (task: FileTask) => void;
  /** Bytes written so far, once for each job. */
  readonly onProgress: (bytes: number) => void;
  readonly onOwnerDenied: (count: number, example: FileTask) => void;
}

/**
 * Writes the contents of files. Gathers a window of files, then reads each needed range of each pack once, while the
 * next window fills; bounded by the window's limits and a few jobs of at most 4 MiB.
 */
export class ContentWriter {
  readonly #options: ContentWriterOptions;
  readonly #jobs: PackJobs;
  readonly #active = new Set<Promise<void>>();
  /** Open files whose pieces are not all written. */
  readonly #held = new Set<FileTask>();
  #window: PieceWindow;
  #running: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  #written = 0;

  constructor(options: ContentWriterOptions) {
    this.#options = options;
    const { files, bytes, heldFiles } = options.limits;
    // A small one first, so that the threads have work while the next ones fill.
    this.#window = new PieceWindow({ files: Math.ceil(files / 8), bytes: bytes / 8, heldFiles });
    this.#jobs = new PackJobs(options.reader, options.limits.jobFiles, (task, length, reason) => this.#finishPiece(task, length, { kind: 'damaged', reason }));
  }

  /** Waits only when a window is full and the one before is not written yet; returns undefined when there is room. */
  add(task: FileTask, refs: readonly ChunkRef[]): Promise<void> | undefined {
    this.#window.add(task, refs);
    return this.#window.isFull ? this.#dispatch() : undefined;
  }

  async finish(): Promise<void> {
    if (!this.#window.isEmpty) await this.#dispatch();
    await this.#running;
    await Promise.all(this.#active);
    this.#throwFailure();
  }

  /** After an error: waits until no thread writes any more, then removes what is not whole. */
  async abandon(): Promise<void> {
    this.#failure ??= new Error('abandoned');
    await Promise.allSettled([this.#running, ...this.#active]);
    await Promise.allSettled(this.#active);
    for (const task of this.#held) discardFile(task, this.#options.folders);
    this.#held.clear();
  }

  async #dispatch(): Promise<void> {
    const window = this.#window;
    this.#window = new PieceWindow(this.#options.limits);
    await this.#running;
    this.#throwFailure();
    this.#running = this.#run(window).catch((error: Error) => void (this.#failure ??= error));
  }

  async #run(window: PieceWindow): Promise<void> {
    const { jobFiles } = this.#options.limits;
    for (let at = 0; at < window.empty.length; at += jobFiles) await this.#start(() => this.#writeEmpty(window.empty.slice(at, at + jobFiles)));
    for await (const job of this.#jobs.of(window)) await this.#start(() => this.#write(job));
  }

  async #start(work: () => Promise<void>): Promise<void> {
    while (this.#active.size >= this.#options.pool.capacity) await Promise.race(this.#active);
    this.#throwFailure();
    throwIfInterrupted(this.#options.signal);
    const running: Promise<void> = work()
      .catch((error: Error) => void (this.#failure ??= error))
      .finally(() => this.#active.delete(running));
    this.#active.add(running);
  }

  async #write(job: PackJob): Promise<void> {
    const { name, cipher } = job.directory;
    let bytes: Uint8Array;
    try {
      bytes = await this.#options.reader.repository.store.get(name, { offset: job.offset, length: job.length });
    } catch (error) {
      if (!isLoss(error)) throw error;
      for (const { pieces } of job.frames) for (const piece of pieces) this.#finishPiece(piece.task, piece.length, { kind: 'damaged', reason: error.message });
      return;
    }
    const frames = job.frames.map(({ frame, pieces }) => ({ frame, pieces: pieces.filter((piece) => this.#isReady(piece)) }));
    await this.#perform(frames, (orders) => this.#options.pool.run({ pack: name, cipher, offset: job.offset, bytes, frames: orders }));
  }

  async #writeEmpty(tasks: readonly FileTask[]): Promise<void> {
    const pieces = tasks.map((task) => ({ task, fileOffset: 0, length: 0, rawOffset: 0 })).filter((piece) => this.#isReady(piece));
    await this.#perform([{ frame: undefined, pieces }], (frames) => this.#options.pool.run({ pack: '', cipher: 'aes-256-gcm', offset: 0, bytes: new Uint8Array(0), frames }));
  }

  /** False (and the piece is counted) when its file was refused or cannot be made. */
  #isReady({ task, length }: PlacedPiece): boolean {
    if (!task.refusal && !task.isWhole) {
      try {
        holdFile(task, this.#options.folders);
        this.#held.add(task);
      } catch (error) {
        task.refusal = refusalOf(errnoOf(error), error);
      }
    }
    if (task.refusal) this.#finishPiece(task, length, task.refusal);
    return !task.refusal;
  }

  async #perform(frames: readonly { frame: FrameOrder['frame']; pieces: readonly PlacedPiece[] }[], run: (orders: FrameOrder[]) => Promise<WriteResult>): Promise<void> {
    const pieces = frames.flatMap((frame) => frame.pieces);
    if (pieces.length === 0) return;
    const orders: FrameOrder[] = frames.filter((frame) => frame.pieces.length > 0).map((frame) => ({ frame: frame.frame, writes: frame.pieces.map((piece) => this.#order(piece)) }));
    let result: WriteResult;
    try {
      result = await run(orders);
    } finally {
      for (const { task } of pieces) if (task.isWhole) this.#options.folders.release(task.folder);
    }
    this.#settle(pieces, result);
  }

  #order({ task, fileOffset, rawOffset, length }: PlacedPiece): WriteOrder {
    const { name, flags, mode, uid, gid, mtime } = task;
    const folderFd = task.isWhole ? this.#options.folders.acquire(task.folder) : -1;
    return { folderFd, name, fd: task.held?.fd ?? -1, fileOffset, rawOffset, length, flags, mode, uid, gid, mtime };
  }

  #settle(pieces: readonly PlacedPiece[], result: WriteResult): void {
    const failures = new Map(result.failures.map((failure) => [failure.write, failure]));
    if (result.ownerDenied > 0) this.#options.onOwnerDenied(result.ownerDenied, (pieces[0] as PlacedPiece).task);
    for (const [index, { task, length }] of pieces.entries()) {
      const failure = failures.size > 0 ? failures.get(index) : undefined;
      if (failure && isFatal(failure.code)) this.#failure ??= osError(failure.code, task.path);
      this.#finishPiece(task, length, failure && (failure.code === 'damaged' ? { kind: 'damaged', reason: failure.message } : refusalOf(failure.code, failure.message)));
    }
    this.#options.onProgress(this.#written);
  }

  #finishPiece(task: FileTask, length: number, refusal: Refusal | undefined): void {
    task.refusal ??= refusal;
    if (!refusal) this.#written += length;
    if (--task.piecesLeft > 0) return;
    this.#held.delete(task);
    this.#options.onFinished(task);
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure;
  }
}
