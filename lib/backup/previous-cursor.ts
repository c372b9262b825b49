import type { ByteString } from '../model/byte-string.ts';
import { comparePaths } from '../repository/index.ts';
import type { SnapshotReader } from '../repository/index.ts';
import type { MergedRecord } from './tree-builder.ts';

/** Walks the predecessor's records beside the walk of the source: a merge join of two sorted sequences. */
export class PreviousCursor {
  readonly #batches: AsyncGenerator<Iterable<MergedRecord>> | undefined;
  #records: MergedRecord[] = [];
  #position = 0;
  #isAtEnd: boolean;

  constructor(reader: SnapshotReader | undefined) {
    this.#batches = reader?.recordBatches();
    this.#isAtEnd = !reader;
  }

  /** True when `seek` can answer for this path without waiting. */
  isReady(path: ByteString): boolean {
    if (this.#isAtEnd) return true;
    const last = this.#records.at(-1);
    return last !== undefined && comparePaths(last.path, path) >= 0;
  }

  /** Reads on until `isReady`; records that are passed stay in order and are given out by `seek`. */
  async load(path: ByteString): Promise<void> {
    while (!this.isReady(path)) {
      const next = await this.#batches?.next();
      if (!next || next.done) {
        this.#isAtEnd = true;
        return;
      }
      this.#records = [...this.#records.slice(this.#position), ...next.value];
      this.#position = 0;
    }
  }

  /** The record of exactly this path; those before it are gone from the source and go to `onGone`. */
  seek(path: ByteString, onGone: (record: MergedRecord) => void): MergedRecord | undefined {
    for (let record = this.#records[this.#position]; record; record = this.#records[this.#position]) {
      const order = record.path === path ? 0 : comparePaths(record.path, path);
      if (order > 0) return undefined;
      this.#position++;
      if (order === 0) return record;
      onGone(record);
    }
    return undefined;
  }

  /** Everything that is left. */
  async drain(onGone: (record: MergedRecord) => void): Promise<void> {
    for (const record of this.#records.slice(this.#position)) onGone(record);
    this.#records = [];
    this.#position = 0;
    if (this.#isAtEnd || !this.#batches) return;
    for await (const records of this.#batches) for (const record of records) onGone(record);
  }
}
