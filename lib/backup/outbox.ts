import type { ByteString } from '../model/byte-string.ts';
import type { MergedRecord, TreeWriter } from './tree-builder.ts';

/** What becomes of one path; `body` is filled in when its batch is done. */
export interface OutItem {
  readonly path: ByteString;
  readonly previous: MergedRecord | undefined;
  state: 'waiting' | 'put' | 'keep' | 'gone';
  body?: Uint8Array;
  /** Ids of packs that the body needs, perhaps with a few that only its neighbours need. */
  packs?: readonly string[];
}

/** Brings results that arrive in any order into the order of the tree. */
export class Outbox {
  readonly #builder: TreeWriter;
  #queue: OutItem[] = [];
  #head = 0;

  constructor(builder: TreeWriter) {
    this.#builder = builder;
  }

  push(item: OutItem): void {
    this.#queue.push(item);
  }

  /** Hands on everything up to the first item that still waits. */
  async drain(): Promise<void> {
    for (let item = this.#queue[this.#head]; item && item.state !== 'waiting'; item = this.#queue[this.#head]) {
      this.#head++;
      const slow = this.#deliver(item);
      if (slow) await slow;
    }
    if (this.#head > 4096) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
  }

  get length(): number {
    return this.#queue.length - this.#head;
  }

  #deliver(item: OutItem): Promise<void> | undefined {
    if (item.state === 'put') return this.#builder.put(item.path, item.body as Uint8Array, item.packs);
    if (!item.previous) return undefined;
    return item.state === 'keep' ? this.#builder.keep(item.previous) : this.#builder.remove(item.previous);
  }
}
