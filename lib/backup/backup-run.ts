import type { Clock } from '../model/clock.ts';
import type { ChunkTables } from '../engine/chunk-table.ts';
import type { CrunchPool, ReadStream } from '../engine/crunch-pool.ts';
import type { CrunchCounters } from '../engine/crunch-settings.ts';
import type { StreamEnd } from '../engine/cutter.ts';
import type { PackIds } from '../engine/pack-ids.ts';
import type { BackupSession, ManifestWarning, SnapshotReader } from '../repository/index.ts';
import { ChunkList } from './chunk-list.ts';
import type { MetaPacks } from './meta-packs.ts';
import { RunCounters } from './run-progress.ts';
import type { BackupProgress } from './run-progress.ts';
import { TreeBuilder } from './tree-builder.ts';
import type { TreeWriter } from './tree-builder.ts';

const CHECKPOINT_MILLISECONDS = 10 * 60 * 1000;

/** What a pass over a source sees of its run. */
export type PassRun = Pick<BackupRun, 'session' | 'pool' | 'previous' | 'meta' | 'counters' | 'warnings' | 'signal' | 'totalBytes' | 'now' | 'loadKnownChunks' | 'count' | 'readStream' | 'report' | 'checkpointIfDue'> & { readonly builder: TreeWriter };

/** What the passes over a source share: where chunks go, what was counted, what was noticed. */
export class BackupRun {
  readonly session: BackupSession;
  readonly pool: CrunchPool;
  readonly previous: SnapshotReader | undefined;
  readonly meta: MetaPacks;
  readonly builder: TreeBuilder;
  readonly counters = new RunCounters();
  readonly warnings: ManifestWarning[] = [];
  /** What stands still since this run and should not: whatever becomes of the backup, somebody has to be told. */
  readonly complaints: string[] = [];
  readonly signal: AbortSignal;
  readonly #clock: Clock;
  readonly #tables: ChunkTables;
  readonly #packIds: PackIds;
  readonly #onProgress: (progress: BackupProgress) => void;
  #known: Promise<void> | undefined;
  #checkpointAt: number;
  #checkpointing: Promise<void> | undefined;
  totalBytes: number | undefined;

  constructor(parts: { session: BackupSession; pool: CrunchPool; previous: SnapshotReader | undefined; meta: MetaPacks; signal: AbortSignal; clock: Clock; tables: ChunkTables; packIds: PackIds; onProgress: (progress: BackupProgress) => void }) {
    this.session = parts.session;
    this.pool = parts.pool;
    this.previous = parts.previous;
    this.meta = parts.meta;
    this.signal = parts.signal;
    this.builder = new TreeBuilder(parts.previous, parts.meta);
    this.#clock = parts.clock;
    this.#tables = parts.tables;
    this.#packIds = parts.packIds;
    this.#onProgress = parts.onProgress;
    this.#checkpointAt = parts.clock.now() + CHECKPOINT_MILLISECONDS;
    this.totalBytes = parts.previous?.manifest.statistics.bytes;
  }

  now(): number {
    return this.#clock.now();
  }

  /** Loads what the vault holds already; at the first file that has to be read, once. */
  loadKnownChunks(): Promise<void> {
    this.#known ??= this.session.visitKnownChunks((packId, ids) => {
      const number = this.#packIds.add(packId);
      for (let at = 0; at < ids.length; at += 32) {
        // One pack of tiny files holds more chunks than a table has room for.
        if (at % (1024 * 32) === 0) this.#tables.growIfCrowded();
        this.#tables.claim(ids.subarray(at, at + 32), number);
      }
    }, (chunks) => this.#tables.makeRoomFor(chunks));
    return this.#known;
  }

  count({ readBytes, newBytes }: CrunchCounters): void {
    this.counters.readBytes += readBytes;
    this.counters.newBytes += newBytes;
  }

  /** Reads an open file or stream through the stream lane; its chunk list when everything is crunched. */
  async readStream(stream: ReadStream): Promise<StreamEnd & { list: ReturnType<ChunkList['finish']>; packs: string[] }> {
    await this.loadKnownChunks();
    const list = new ChunkList();
    const named = new Set<string>();
    const end = await this.pool.stream(stream, ({ refs, counters, packs }) => {
      list.add(refs);
      for (const pack of packs) named.add(pack);
      this.count(counters);
      this.counters.bytes += counters.readBytes;
      this.report('storing');
      this.#checkpointBeside();
    });
    await this.#checkpointing;
    const finished = list.finish(this.meta);
    return { ...end, list: finished, packs: [...named, ...finished.packs] };
  }

  report(phase: BackupProgress['phase']): void {
    const { entries, files, bytes } = this.counters;
    this.#onProgress({ phase, entries, files, bytes, totalBytes: this.totalBytes, storedBytes: this.session.storedBytes });
  }

  /** Every ten minutes what is stored is made to live, so that a killed run is not started from nothing. */
  async checkpointIfDue(): Promise<void> {
    if (this.#clock.now() < this.#checkpointAt) return;
    await this.session.checkpoint();
    this.#checkpointAt = this.#clock.now() + CHECKPOINT_MILLISECONDS;
  }

  /** A stream does not wait for its checkpoint; one that failed fails the stream when it ends. */
  #checkpointBeside(): void {
    if (this.#checkpointing !== undefined || this.#clock.now() < this.#checkpointAt) return;
    this.#checkpointing = this.checkpointIfDue().then(() => {
      this.#checkpointing = undefined;
    });
    this.#checkpointing.catch(() => undefined);
  }
}
