import type { Clock } from '../model/clock.ts';
import type { HoldfastError } from '../model/errors.ts';
import { foldCoverage, packIdOf, packIdsOf, readCoverage, writeCoverage } from '../repository/index.ts';
import type { Repository } from '../repository/index.ts';
import { isUnwritable } from '../stores/read-only.ts';
import type { ObjectInfo } from '../stores/store.ts';
import { removeNotes } from '../retention/spent-notes.ts';
import { DAY, distinctRuns } from './coverage-clock.ts';

/** A kill forgets so much of what was read, and never all of it. */
const FLUSH_MILLISECONDS = 10_000;
/** More notes than these are put into one. */
const MANY_NOTES = 8;
const KEPT_RUNS = 16;
/** A pack that is younger than a listing is not in it; what was read of it is kept so long. */
const YOUNG = 2 * DAY;

export interface RecorderOptions {
  /** For pauses between notes; what they say is by the store's clock. */
  readonly clock: Pick<Clock, 'now'>;
  /** A run of the coverage clock, from which it learns how often it runs. */
  readonly isClockRun?: boolean;
}

/**
 * Notes in the vault which packs were read in full, while a verification runs: the first pack at once, then every ten
 * seconds, so that every run makes progress, also one that is killed. Damage must be recorded before its pack is noted.
 */
export class CoverageRecorder {
  readonly #repository: Repository;
  readonly #clock: Pick<Clock, 'now'>;
  #began: number;
  #runs: readonly number[];
  #read = new Map<string, number>();
  #notedAt = -Infinity;
  #hasNoted = false;
  #flushing: Promise<void> | undefined;
  #problem: HoldfastError | undefined;

  /** `began`: the store's time before anything is read. */
  constructor(repository: Repository, began: number, { clock, isClockRun = false }: RecorderOptions) {
    this.#repository = repository;
    this.#clock = clock;
    this.#began = began;
    this.#runs = isClockRun ? [began] : [];
  }

  /** Why nothing is noted: the vault takes no writing from here. */
  get problem(): HoldfastError | undefined {
    return this.#problem;
  }

  /** The store's time some seconds ago: what begins to be read now was read after it. */
  get time(): number {
    return this.#began;
  }

  /** `since`: `time` when reading the pack began. */
  async add(pack: string, since: number): Promise<void> {
    this.#read.set(packIdOf(pack), since);
    if (this.#clock.now() - this.#notedAt >= FLUSH_MILLISECONDS) await this.flush();
  }

  /** One at a time; who comes meanwhile waits for it. */
  async flush(): Promise<void> {
    this.#flushing ??= this.#write().finally(() => (this.#flushing = undefined));
    await this.#flushing;
  }

  async #write(): Promise<void> {
    if (this.#problem || this.#read.size + this.#runs.length === 0) return;
    const note = { supersedes: [], runs: this.#runs, readAt: this.#read };
    this.#read = new Map();
    this.#runs = [];
    this.#notedAt = this.#clock.now();
    this.#hasNoted = true;
    await this.#unlessUnwritable(async () => {
      this.#began = await this.#repository.store.now();
      await writeCoverage(this.#repository, note, this.#began);
    });
  }

  /** Notes the rest; of many notes, and of damaged ones, makes one. `packs`: the listing of this run. */
  async finish(packs: readonly ObjectInfo[]): Promise<void> {
    await this.flush();
    // A flush that was under way does not hold what came after it began.
    await this.flush();
    if (this.#problem || !this.#hasNoted) return;
    await this.#unlessUnwritable(async () => {
      const { store } = this.#repository;
      const now = await store.now();
      const coverage = await readCoverage(this.#repository, now);
      const ids = packIdsOf(packs);
      const isMany = coverage.notes.length > MANY_NOTES || coverage.damaged.length > 0;
      const spent = isMany ? await foldCoverage(this.#repository, { ...coverage, runs: distinctRuns(coverage.runs).slice(-KEPT_RUNS) }, (pack, readAt) => ids.has(pack) || readAt > now - YOUNG, now) : coverage.superseded;
      await removeNotes(store, spent);
    });
  }

  async #unlessUnwritable(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isUnwritable(error)) throw error;
      this.#problem = error;
    }
  }
}
