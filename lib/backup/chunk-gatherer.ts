import type { CrunchPool } from '../engine/crunch-pool.ts';
import { ByteReader, decodeRef } from '../repository/index.ts';
import type { PassRun } from './backup-run.ts';

/** Where a chunk is now, as an entry names it. */
export interface PlacedChunk {
  /** One ref, encoded. */
  readonly ref: Uint8Array;
  /** Ids of packs that this chunk needs, perhaps with some that only its neighbours need. */
  readonly packs: readonly string[];
}

interface Waiting {
  readonly chunk: Uint8Array;
  readonly resolve: (placed: PlacedChunk) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Chunks of many objects on their way to the threads, together as far as a block holds: a message for each tiny object
 * would cost more than the object. While nothing is under way, what is there goes at once.
 */
export class ChunkGatherer {
  readonly #run: PassRun;
  readonly #pool: CrunchPool;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #underWay = 0;

  constructor(run: PassRun) {
    this.#run = run;
    this.#pool = run.pool;
  }

  /** Where the chunk ends up. Its bytes are the gatherer's from now on. */
  add(chunk: Uint8Array): Promise<PlacedChunk> {
    if (this.#waitingBytes + chunk.length > this.#pool.blockBytes) this.#send();
    const placed = new Promise<PlacedChunk>((resolve, reject) => this.#waiting.push({ chunk, resolve, reject }));
    this.#waitingBytes += chunk.length;
    if (this.#underWay === 0) this.#send();
    return placed;
  }

  #send(): void {
    const sent = this.#waiting;
    if (sent.length === 0) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#underWay++;
    void this.#crunch(sent).finally(() => {
      this.#underWay--;
      if (this.#underWay === 0) this.#send();
    });
  }

  /** Never fails: whoever waits for a chunk learns of it. */
  async #crunch(sent: readonly Waiting[]): Promise<void> {
    try {
      await this.#run.loadKnownChunks();
      const { refs, packs, counters } = await this.#pool.chunks(sent.map(({ chunk }) => chunk));
      this.#run.count(counters);
      const reader = new ByteReader(refs, 'answer of a thread');
      for (const { resolve } of sent) {
        const from = reader.position;
        decodeRef(reader);
        resolve({ ref: refs.subarray(from, reader.position), packs });
      }
    } catch (error) {
      for (const { reject } of sent) reject(error);
    }
  }
}
