import { Worker } from 'node:worker_threads';
import { runBackup } from '../../lib/backup/run-backup.ts';
import type { BackupRequest } from '../../lib/backup/run-backup.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { fromText } from '../../lib/model/byte-string.ts';
import { newHexId } from '../../lib/model/ids.ts';
import type { WriterId } from '../../lib/model/ids.ts';
import { newRepositoryConfig } from '../../lib/repository/index.ts';
import type { Manifest, RepositoryConfig } from '../../lib/repository/index.ts';
import { CommandSource } from '../../lib/sources/command.ts';

const writer = { id: newHexId<WriterId>(), host: 'vectors' };
/** A few KiB have to be several chunks. */
const SMALL_CHUNKS = { min: 4096, avg: 8192, max: 16_384 };

/** A vault of small chunks: what is big in it would be big in the checkout. */
export function smallConfig(): RepositoryConfig {
  return { ...newRepositoryConfig(), chunker: { files: SMALL_CHUNKS, streams: SMALL_CHUNKS } };
}

export type VectorBackup = Pick<BackupRequest, 'repository' | 'plan' | 'source'> & Partial<Pick<BackupRequest, 'packClass' | 'compression' | 'packSizes'>>;

/** One run of the product. */
export async function backUp(request: VectorBackup): Promise<Manifest> {
  const { manifest } = await runBackup(
    { writer, type: 'incremental', packClass: 'hot', compression: { algorithm: 'zstd', level: 3 }, threads: 1, ...request },
    { clock: systemClock, signal: new AbortController().signal, startThread: (workerData) => new Worker(new URL('../../lib/engine/worker.ts', import.meta.url), { workerData }) },
  );
  return manifest;
}

/** The output of `cat FILE` as a stream of that name. */
export function streamOf(file: string, name: string, endMarker?: string): CommandSource {
  return new CommandSource({ command: `cat ${file}`, name: fromText(name), minimumBytes: 1, ...(endMarker !== undefined && { endMarker }), environment: process.env, temporaryFolder: process.cwd(), clock: systemClock });
}
