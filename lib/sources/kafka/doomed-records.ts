import type { KafkaRecord } from './record.ts';
import { finalConfigs } from './topic-configs.ts';
import type { WantedConfigs } from './topic-configs.ts';
import { isCompacted } from './topic-description.ts';

/** Records that are restored and that the cluster will take away again by the topic's own configuration: told, not left out. */
export class DoomedRecords {
  readonly #topic: string;
  readonly #retentionMs: number;
  /** Older records are beyond the topic's retention; undefined: none is. */
  readonly #limit: bigint | undefined;
  readonly #isCompacted: boolean;
  #old = 0;
  #keyless = 0;

  constructor(order: WantedConfigs & { readonly name: string; readonly now: number }) {
    const { name, now, description } = order;
    this.#topic = name;
    this.#isCompacted = isCompacted(description);
    this.#retentionMs = Number(finalConfigs(order)['retention.ms'] ?? description.effective['retention.ms'] ?? -1);
    const isDeleting = (description.effective['cleanup.policy'] ?? 'delete').split(',').includes('delete');
    this.#limit = isDeleting && this.#retentionMs >= 0 ? BigInt(now) - BigInt(this.#retentionMs) : undefined;
  }

  look({ key, timestamp }: Pick<KafkaRecord, 'key' | 'timestamp'>): void {
    if (this.#limit !== undefined && timestamp < this.#limit) this.#old++;
    if (this.#isCompacted && key === null) this.#keyless++;
  }

  warnings(): string[] {
    return [
      ...(this.#old > 0 ? [`${this.#old} records of topic ${this.#topic} are older than its retention.ms (${this.#retentionMs}): the cluster deletes them within minutes. To keep them, restore with retention=unlimited, or raise retention.ms now`] : []),
      ...(this.#keyless > 0 ? [`${this.#keyless} records of topic ${this.#topic} have no key, and the topic is compacted: compaction takes them away sooner or later, as it would have there`] : []),
    ];
  }
}
