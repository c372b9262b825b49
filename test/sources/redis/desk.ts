import { systemClock } from '../../../lib/model/clock.ts';
import { RedisSource } from '../../../lib/sources/redis.ts';
import type { RedisOptions } from '../../../lib/sources/redis.ts';
import type { RedisConnection } from '../../../lib/sources/redis/place.ts';
import type { RedisServer } from '../../support/servers/redis.ts';
import { readToEnd } from '../reading.ts';
import { readPast } from '../mariadb/desk.ts';

export function sourceFor({ host, port, password }: RedisServer, temporaryFolder: string, changes: Partial<Omit<RedisOptions, 'connection'>> & { readonly connection?: Partial<RedisConnection> } = {}): RedisSource {
  const { connection, ...options } = changes;
  return new RedisSource({ type: 'redis', connection: { host, port, password, ...connection }, minimumBytes: 0, temporaryFolder, clock: systemClock, ...options });
}

/** Opens the snapshot, reads it to its end as the engine does, and answers its proof; `onFirst` is called when some of it has come. */
export async function snapshotWhole(source: RedisSource, onFirst?: () => unknown, signal: AbortSignal = new AbortController().signal) {
  for await (const stream of source.streams(signal)) {
    const opened = await stream.open();
    try {
      const head = onFirst === undefined ? 0 : await readPast(opened.fd, 200_000);
      await onFirst?.();
      const rest = await readToEnd(opened);
      return await opened.finish({ ...rest, bytes: head + rest.bytes });
    } finally {
      await opened.close();
    }
  }
  throw new Error('no stream');
}
