import { fromText } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import { attributesAt } from './attributes.ts';
import { openRedisLink } from './redis/connection.ts';
import { serverName, userName } from './redis/place.ts';
import type { RedisConnection } from './redis/place.ts';
import { introduce, openSnapshot } from './redis/sync.ts';
import type { SourceStream, StreamSource } from './source.ts';

export type RedisSourceType = 'redis' | 'valkey';

export interface RedisOptions {
  /** The word alone; both servers speak the same. */
  readonly type: RedisSourceType;
  readonly connection: RedisConnection;
  /** A smaller snapshot fails the run. */
  readonly minimumBytes: number;
  /** For a pipe; never for data. */
  readonly temporaryFolder: string;
  readonly clock: Clock;
}

export const RDB_ENTRY = 'dump.rdb';

/**
 * All databases of a Redis or Valkey server as of one moment: the snapshot that a replica gets, as one entry (S4). Nothing but
 * this code speaks with the server.
 */
export class RedisSource implements StreamSource {
  readonly shape = 'streams';
  readonly type: RedisSourceType;
  readonly description: string;
  readonly #options: RedisOptions;

  constructor(options: RedisOptions) {
    this.#options = options;
    this.type = options.type;
    this.description = `all databases at ${serverName(options.connection)} as ${userName(options.connection)}`;
  }

  /** Connects, and says what a replica says of itself, but does not ask for a snapshot: that alone costs the server something. */
  async check(): Promise<void> {
    const link = await openRedisLink(this.#options.connection, undefined);
    try {
      await introduce(link);
    } finally {
      link.close();
    }
  }

  async *streams(signal: AbortSignal): AsyncIterable<SourceStream> {
    yield { name: fromText(RDB_ENTRY), attributes: attributesAt(this.#options.clock.now()), open: () => openSnapshot(this.#options, signal) };
  }
}
