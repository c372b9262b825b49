/** One record as Holdfast keeps it. */
export interface KafkaRecord {
  readonly offset: number;
  /** Milliseconds since the epoch by whoever wrote it; any 64 bits. */
  readonly timestamp: bigint;
  /** The broker took the time, not the producer. */
  readonly isLogAppend: boolean;
  /** How its batch was compressed: 0 not, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  readonly codec: number;
  readonly key: Buffer | null;
  /** Null: a tombstone. */
  readonly value: Buffer | null;
  /** In their order; names may come twice. */
  readonly headers: readonly KafkaHeader[];
}

export interface KafkaHeader {
  readonly name: Buffer;
  readonly value: Buffer | null;
}
