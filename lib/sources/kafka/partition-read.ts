import { HoldfastError } from '../../model/errors.ts';
import type { Clock } from '../../model/clock.ts';
import type { KafkaCluster } from './cluster.ts';
import { fetchBatches } from './fetch.ts';
import type { AbortedTransaction, Fetched } from './fetch.ts';
import { offsetsOf } from './offsets.ts';
import { readBatches } from './record-batch.ts';
import type { RecordBatch } from './record-batch.ts';
import { PartitionWriter } from './record-format.ts';

export interface PartitionRange {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  /** First offset of the log, and the one behind the last that is read, both as they were when the run began. */
  readonly begin: number;
  readonly end: number;
  readonly clusterId: string;
  /** Compaction takes records out and leaves their offsets unused. */
  readonly isCompacted: boolean;
}

export interface PartitionReadOptions {
  readonly cluster: Pick<KafkaCluster, 'ask'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** An offset that is neither a record, a marker, an aborted record nor compacted fails the run. */
  readonly isRefusingHoles: boolean;
}

/** Every offset of the range is one of these. */
export interface PartitionCounts {
  records: number;
  /** Markers at the end of transactions. */
  markers: number;
  /** Of transactions that were given up. */
  aborted: number;
  /** Unused, or compacted. */
  missing: number;
  /** Deleted by the cluster before they were read. */
  expired: number;
}

const PIECE_BYTES = 1 << 20;
/** So often a leader says that nothing is there before it is believed: a broker that fetches old segments from elsewhere says so, too, when that takes long. */
const SILENT_ANSWERS = 4;
const SILENCE_MS = 200;

/** One partition from one offset to another, as committed: one reader, one pass. */
export class PartitionRead {
  readonly counts: PartitionCounts = { records: 0, markers: 0, aborted: 0, missing: 0, expired: 0 };
  readonly #range: PartitionRange;
  readonly #options: PartitionReadOptions;
  readonly #writer: PartitionWriter;
  /** The next offset that is wanted. */
  #position: number;
  #firstMissing: number | undefined;

  constructor(range: PartitionRange, options: PartitionReadOptions) {
    const { topic, partition, topicId, clusterId } = range;
    this.#range = range;
    this.#options = options;
    this.#position = range.begin;
    this.#writer = new PartitionWriter({ topic, partition, topicId, cluster: clusterId });
  }

  get firstMissing(): number | undefined {
    return this.#firstMissing;
  }

  /** In the format of a partition, to its end mark. Fails as `source-failed`, `permission`, `unsupported`, `interrupted`. */
  async *body(): AsyncGenerator<Uint8Array> {
    const { begin, end } = this.#range;
    let next = this.#fetch();
    while (this.#position < end) {
      const batches = await this.#whole(next);
      if (batches === undefined) {
        next = this.#fetch();
        continue;
      }
      const { answer, list } = batches;
      // The leader looks for the next ones while these are decoded.
      const follows = Math.max(this.#position, (list.at(-1)?.lastOffset ?? -1) + 1);
      if (follows < end) next = this.#fetch(follows);
      yield* this.#decode(answer, list);
      this.#position = Math.max(this.#position, follows);
    }
    this.#writer.end({ begin, end });
    yield this.#writer.take();
  }

  #fetch(offset = this.#position): Promise<Fetched | 'out-of-range' | undefined> {
    const { topic, topicId, partition } = this.#range;
    const fetching = fetchBatches(this.#options.cluster, { topic, topicId, partition, offset });
    // It is asked for ahead, and what fails is told when it is waited for.
    fetching.catch(() => undefined);
    return fetching;
  }

  /** Undefined: ask again, from where the position is now. */
  async #whole(fetching: Promise<Fetched | 'out-of-range' | undefined>): Promise<{ readonly answer: Fetched; readonly list: readonly RecordBatch[] } | undefined> {
    let answer = await fetching;
    for (let silent = 1; answer === undefined || (answer !== 'out-of-range' && answer.batches.length === 0); silent++) {
      if (silent > SILENT_ANSWERS && answer !== undefined && answer.lastStable >= this.#range.end) return this.#miss(this.#range.end);
      if (silent > SILENT_ANSWERS * 4 && answer !== undefined) throw this.#failed(`the log ends at offset ${answer.lastStable} by now, and ended at ${this.#range.end} when the run began`, 'A leader without all records was elected (unclean.leader.election.enable)? Run it again.');
      await this.#options.clock.sleep(Math.min(SILENCE_MS * silent, 2000), this.#options.signal).catch(() => undefined);
      answer = await this.#fetch();
    }
    if (answer === 'out-of-range') return this.#expire();
    const list = [...readBatches(answer.batches, this.#name())];
    const last = list.at(-1);
    if (last === undefined) throw this.#failed(`the broker sent ${answer.batches.length} bytes of a batch and not all of it`);
    if (last.lastOffset < this.#position) throw this.#failed(`the broker sent batches up to offset ${last.lastOffset} only`);
    return { answer, list };
  }

  *#decode({ aborted }: Fetched, batches: readonly RecordBatch[]): Generator<Uint8Array> {
    const given = new AbortedProducers(aborted);
    for (const batch of batches) {
      const isGivenUp = given.isAborted(batch);
      if (batch.lastOffset < this.#position) continue;
      if (this.#position >= this.#range.end) return;
      this.#miss(Math.min(batch.baseOffset, this.#range.end));
      if (batch.isControl || isGivenUp) this.#pass(batch);
      else yield* this.#records(batch);
    }
  }

  *#records(batch: RecordBatch): Generator<Uint8Array> {
    const { end } = this.#range;
    for (const record of batch.records()) {
      if (record.offset >= end) break;
      if (record.offset < this.#position) continue;
      this.#miss(record.offset);
      this.#writer.record(record);
      this.counts.records++;
      this.#position = record.offset + 1;
      if (this.#writer.size >= PIECE_BYTES) yield this.#writer.take();
    }
    this.#miss(Math.min(batch.lastOffset + 1, end));
  }

  #pass(batch: RecordBatch): void {
    const to = Math.min(batch.lastOffset + 1, this.#range.end);
    this.counts[batch.isControl ? 'markers' : 'aborted'] += Math.max(0, to - this.#position);
    this.#position = Math.max(this.#position, to);
  }

  /** Nothing is there from the position to this offset. */
  #miss(to: number): undefined {
    if (to <= this.#position) return undefined;
    if (!this.#range.isCompacted && this.#options.isRefusingHoles) {
      throw this.#failed(`no record has an offset from ${this.#position} to ${to - 1}, and the topic is not compacted`, 'Was it compacted before? Then say `holes: warn` in the source, and the run tells of them as a warning. Otherwise this replica lost records: look at the log of the broker.');
    }
    this.#firstMissing ??= this.#position;
    this.counts.missing += to - this.#position;
    this.#position = to;
    return undefined;
  }

  /** The log begins later than it did: retention, or somebody who deletes records. */
  async #expire(): Promise<undefined> {
    const { topic, partition, end } = this.#range;
    const from = this.#position;
    const { begin } = await offsetsOf(this.#options.cluster, topic, partition);
    if (begin <= from) throw this.#failed(`offset ${from} is out of range although the log begins at ${begin}: it lost its end`, 'A leader without all records was elected (unclean.leader.election.enable)? Run it again.');
    const to = Math.min(begin, end);
    this.#writer.gap({ from, to });
    this.counts.expired += to - from;
    this.#position = to;
    return undefined;
  }

  #failed(what: string, nextStep = 'Run it again.'): HoldfastError {
    return new HoldfastError('source-failed', `Reading ${this.#name()} failed at offset ${this.#position}: ${what}.`, { nextStep });
  }

  #name(): string {
    return `partition ${this.#range.partition} of topic ${this.#range.topic}`;
  }
}

/** Whose records count as never written; a producer has one transaction at a time. */
class AbortedProducers {
  readonly #waiting: AbortedTransaction[];
  readonly #now = new Set<bigint>();

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#waiting = aborted.toSorted((left, right) => left.firstOffset - right.firstOffset);
  }

  /** To be asked of each batch of an answer, in their order. */
  isAborted(batch: RecordBatch): boolean {
    for (let first = this.#waiting[0]; first !== undefined && first.firstOffset <= batch.lastOffset; first = this.#waiting[0]) {
      this.#now.add(first.producerId);
      this.#waiting.shift();
    }
    if (batch.isControl) {
      if (batch.isAbort()) this.#now.delete(batch.producerId);
      return false;
    }
    return batch.isTransactional && this.#now.has(batch.producerId);
  }
}
