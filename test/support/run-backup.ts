import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { BackupOutcome, BackupPorts, BackupRequest } from '../../lib/backup/run-backup.ts';
import { runBackup } from '../../lib/backup/run-backup.ts';
import type { CrunchSettings } from '../../lib/engine/crunch-settings.ts';
import { fromText } from '../../lib/model/byte-string.ts';
import { systemClock } from '../../lib/model/clock.ts';
import type { PlanId, RepositoryId, WriterId } from '../../lib/model/ids.ts';
import { CHUNKER_SIZES, ChunkReader, FORMAT_VERSION, SnapshotReader, isSnapshotFile, names, openRepository, sha256 } from '../../lib/repository/index.ts';
import type { Repository, RepositoryConfig, SnapshotEntry, VaultKeys, Writer } from '../../lib/repository/index.ts';
import { DEFAULT_TREE_OPTIONS, filesSource } from '../../lib/sources/files.ts';
import type { Source, TreeOptions } from '../../lib/sources/source.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import type { Store } from '../../lib/stores/store.ts';

export const TEST_KEYS: VaultKeys = { pairs: [{ number: 1, meta: new Uint8Array(32).fill(1), data: new Uint8Array(32).fill(2) }], chunker: new Uint8Array(32).fill(3) };
export const TEST_PLAN = { id: 'ab'.repeat(16) as PlanId, name: 'plan' };
export const TEST_WRITER: Writer = { id: 'cd'.repeat(16) as WriterId, host: 'host' };
/** Small enough that a test of 100 KB meets many chunks. */
export const TINY_CHUNKS = { min: 4096, avg: 8192, max: 16384 };

export function startThread(settings: CrunchSettings): Worker {
  return new Worker(join(__dirname, '..', '..', 'lib', 'engine', 'worker.ts'), { workerData: settings });
}

export function testRepository(store: Store = new MemoryStore(systemClock), chunker: RepositoryConfig['chunker'] = CHUNKER_SIZES, keys = TEST_KEYS): Repository {
  return openRepository(store, { format: FORMAT_VERSION, repository: '12'.repeat(16) as RepositoryId, chunker }, keys);
}

export interface TestBackup extends Partial<Omit<BackupRequest, 'repository' | 'source'>>, Partial<TreeOptions> {
  readonly ports?: Partial<BackupPorts>;
}

/** One run with the product's composition: real threads unless `ports` says otherwise. `source`: a path, several, or a source. */
export function backUp(repository: Repository, source: string | readonly string[] | Source, options: TestBackup = {}): Promise<BackupOutcome> {
  const { ports, ...rest } = options;
  const given = typeof source === 'string' ? [source] : source;
  const resolved: Source = 'shape' in given ? given : filesSource(given.map(fromText), { ...DEFAULT_TREE_OPTIONS, ...rest });
  return runBackup(
    { writer: TEST_WRITER, plan: TEST_PLAN, type: 'incremental', packClass: 'hot', compression: { algorithm: 'zstd', level: 1 }, threads: 1, ...rest, repository, source: resolved },
    { clock: systemClock, startThread, signal: new AbortController().signal, ...ports },
  );
}

/** What a backup holds of one path. */
export interface HeldEntry {
  readonly entry: SnapshotEntry;
  /** Of files and streams: read chunk by chunk, each proved against its id, all against the digest of the whole. */
  readonly content?: Buffer;
}

export async function heldBy(repository: Repository, { manifest }: Pick<BackupOutcome, 'manifest'>): Promise<Map<string, HeldEntry>> {
  const reader = await SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup));
  const chunks = new ChunkReader(repository.store, repository.keys, 'frame', async (name) => (await repository.store.stat(name)).size);
  const held = new Map<string, HeldEntry>();
  for await (const entry of reader.entries()) {
    if (!isSnapshotFile(entry)) {
      held.set(entry.path, { entry });
      continue;
    }
    const placed = await reader.chunksOf(entry);
    const parts = await Promise.all(placed.map(({ id, packId }) => chunks.read(reader.pack(packId).name, id)));
    const content = Buffer.concat(parts.map((part) => part ?? Buffer.from('<missing>')));
    if (entry.sha256 && !sha256(content).equals(entry.sha256)) throw new Error(`${entry.path} is not what its digest says`);
    held.set(entry.path, { entry, content });
  }
  return held;
}

/** The entry of one path as the test expects it to be; absent is an error. */
export function entryOf<T>(held: ReadonlyMap<string, HeldEntry>, path: string): T {
  const one = held.get(path);
  if (!one) throw new Error(`the backup does not hold ${path}`);
  return one.entry as unknown as T;
}

/** Names of all objects under a prefix. */
export async function objectNames(store: Pick<Store, 'list'>, prefix = ''): Promise<string[]> {
  return (await Array.fromAsync(store.list(prefix))).map(({ name }) => name);
}
