import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../../lib/model/clock.ts';
import { executeDatabaseRestore, planDatabaseRestore } from '../../../lib/recovery/restore-database.ts';
import type { DatabaseRestoreReport } from '../../../lib/recovery/restore-database.ts';
import { SnapshotReader, names } from '../../../lib/repository/index.ts';
import type { LoadRequest } from '../../../lib/sources/database-loader.ts';
import { TAIL_BYTES } from '../../../lib/sources/source.ts';
import { SearchSource } from '../../../lib/sources/search.ts';
import type { SearchOptions } from '../../../lib/sources/search.ts';
import type { SearchConnection } from '../../../lib/sources/search/connection.ts';
import { SearchLoader } from '../../../lib/sources/search/loader.ts';
import { backUp, testRepository } from '../../support/run-backup.ts';
import { readSome } from '../postgres/dumps.ts';
import type { SearchServerUnderTest } from '../../support/servers/search.ts';

export function sourceFor({ product, connection }: Pick<SearchServerUnderTest, 'product' | 'connection'>, temporaryFolder: string, changes: Partial<Omit<SearchOptions, 'connection'>> & { readonly connection?: Partial<SearchConnection> } = {}): SearchSource {
  const { connection: other, ...options } = changes;
  return new SearchSource({ type: product, connection: { ...connection, ...other }, indices: ['*'], exclude: [], isWithTemplates: true, temporaryFolder, clock: systemClock, ...options });
}

/** Every stream, read to its proof as the engine does, without an engine; `onStream` is called before each. */
export async function readAll(source: SearchSource, onStream?: (name: string) => unknown): Promise<Map<string, string>> {
  const kept = new Map<string, string>();
  for await (const stream of source.streams(new AbortController().signal)) {
    await onStream?.(stream.name);
    const opened = await stream.open();
    try {
      const content = Buffer.concat(await Array.fromAsync(readingOf(opened.fd)));
      await opened.finish({ bytes: content.length, tail: content.subarray(-TAIL_BYTES) });
      kept.set(stream.name, content.toString());
    } finally {
      await opened.close();
    }
  }
  return kept;
}

async function* readingOf(fd: number): AsyncGenerator<Buffer> {
  for (let part = await readSome(fd); part.length > 0; part = await readSome(fd)) yield part;
}

/** A backup in a vault, to be restored. */
export async function backUpFrom(source: SearchSource) {
  const repository = testRepository();
  const { manifest } = await backUp(repository, source);
  return { manifest, reader: await SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup)) };
}

export interface RestoreTo {
  readonly connection: SearchConnection;
  readonly rename?: string;
  readonly wanted?: Partial<LoadRequest>;
  readonly signal?: AbortSignal;
}

export async function restore(reader: SnapshotReader, { connection, rename = '', wanted = {}, signal = new AbortController().signal }: RestoreTo): Promise<{ readonly reports: readonly DatabaseRestoreReport[]; readonly missing: readonly string[] }> {
  const loader = new SearchLoader({ connection, rename, clock: systemClock });
  const plan = await planDatabaseRestore(reader, loader, { wanted: { mode: 'empty', ...wanted }, signal });
  const reports = await executeDatabaseRestore(plan, { clock: systemClock, signal });
  return { reports, missing: (await Promise.all(plan.loads.map((load) => load.missingTables(signal)))).flat() };
}

/** What a proxy makes of the answers of a server; undefined: as they are. `times` counts the answers to requests of that path before. */
export type Rewrite = (path: string, text: string, times: number) => string | undefined;

/** Does something through a proxy that lies. */
export async function throughLies<T>(upstream: SearchConnection, rewrite: Rewrite, work: (endpoint: string) => Promise<T>): Promise<T> {
  const proxy = await startLyingProxy(upstream, rewrite);
  try {
    return await work(proxy.endpoint);
  } finally {
    await proxy.stop();
  }
}

/** Stands between until it is stopped. */
export async function startLyingProxy(upstream: SearchConnection, rewrite: Rewrite): Promise<{ readonly endpoint: string; stop(): Promise<void> }> {
  const seen = new Map<string, number>();
  const server = createServer((request, response) => {
    void (async () => {
      const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
      const path = request.url ?? '';
      const { 'content-type': type, authorization } = request.headers;
      const answer = await fetch(`${upstream.endpoint}${path}`, { method: request.method ?? 'GET', headers: { ...(type !== undefined && { 'content-type': type }), ...(authorization !== undefined && { authorization }) }, ...(body.length > 0 && { body }) });
      const text = await answer.text();
      const times = seen.get(path) ?? 0;
      seen.set(path, times + 1);
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(rewrite(path, text, times) ?? text);
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}
