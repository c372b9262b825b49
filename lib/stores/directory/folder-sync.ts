import type { FileOps } from './file-ops.ts';

interface Turn {
  readonly running: Promise<void>;
  next?: Promise<void>;
}

/**
 * Flushes folders. Many objects are published into one folder at once and a flush covers all that came before it, so
 * whoever asks while one is running shares the next one: never the running one, which may have begun too early.
 */
export class FolderSync {
  readonly #fileOps: Pick<FileOps, 'syncFolder'>;
  readonly #turns = new Map<string, Turn>();

  constructor(fileOps: Pick<FileOps, 'syncFolder'>) {
    this.#fileOps = fileOps;
  }

  /** Returns after a flush that began after this call. */
  sync(path: string): Promise<void> {
    const turn = this.#turns.get(path);
    if (turn === undefined) return this.#start(path);
    turn.next ??= turn.running.then(
      () => this.#start(path),
      () => this.#start(path),
    );
    return turn.next;
  }

  #start(path: string): Promise<void> {
    const running = this.#fileOps.syncFolder(path).finally(() => {
      if (this.#turns.get(path) === turn && turn.next === undefined) this.#turns.delete(path);
    });
    const turn: Turn = { running };
    this.#turns.set(path, turn);
    return running;
  }
}
