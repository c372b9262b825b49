import { systemClock } from '../../../lib/model/clock.ts';
import { MariadbSource } from '../../../lib/sources/mariadb.ts';
import type { MariadbOptions } from '../../../lib/sources/mariadb.ts';
import type { SqlConnection } from '../../../lib/sources/mariadb/connection.ts';
import type { MariadbServer } from '../../support/servers/mariadb.ts';
import { readSome } from '../postgres/dumps.ts';
import { readToEnd } from '../reading.ts';

export function connectionTo({ host, port, user, password }: MariadbServer): SqlConnection {
  return { host, port, user, password };
}

export function sourceFor(server: MariadbServer, temporaryFolder: string, changes: Partial<Omit<MariadbOptions, 'connection'>> & { readonly connection?: Partial<SqlConnection> } = {}): MariadbSource {
  const { connection, ...options } = changes;
  return new MariadbSource({
    type: 'mariadb', databases: ['app'], connection: { ...connectionTo(server), ...connection },
    excludeTables: [], minimumBytes: 0, environment: process.env, temporaryFolder, clock: systemClock, ...options,
  });
}

/** Opens every stream, reads it to its end as the engine does, and answers the proofs; `onFirst` is called when rows have come. */
export async function dumpWhole(source: MariadbSource, onFirst?: () => unknown) {
  const dumps = [];
  for await (const stream of source.streams(new AbortController().signal)) {
    const opened = await stream.open();
    try {
      const head = onFirst === undefined ? 0 : await readPast(opened.fd, 1_000_000);
      await onFirst?.();
      const rest = await readToEnd(opened);
      const seen = { ...rest, bytes: head + rest.bytes };
      dumps.push({ name: stream.name as string, proof: await opened.finish(seen), seen });
    } finally {
      await opened.close();
    }
  }
  return dumps;
}

/** Answers how many bytes were read: so many at least, or all. The program then waits for its reader. */
export async function readPast(fd: number, wanted: number): Promise<number> {
  let bytes = 0;
  for (let part = -1; part !== 0 && bytes < wanted; bytes += part) part = (await readSome(fd)).length;
  return bytes;
}
