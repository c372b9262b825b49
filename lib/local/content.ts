import { availableParallelism } from 'node:os';
import type { WorkerEntries } from '../engine/start-thread.ts';
import { inlineFramePool, threadFramePool } from '../recovery/frame-pool.ts';
import { readContent } from '../recovery/read-content.ts';
import { frameOpener } from '../repository/index.ts';
import type { SnapshotFile, SnapshotReader } from '../repository/index.ts';

/** Below this threads cost more than they bring. */
const THREADS_FROM_BYTES = 16 << 20;
/** Whoever writes the bytes to one place is one thread: more than this would only wait for it. */
const MAX_THREADS = 4;

/** The bytes of one file of a backup in order, each chunk proved against its id and lent until the next is asked for; large files are opened by threads, ahead of who reads. */
export async function* contentOf(reader: SnapshotReader, file: SnapshotFile, { workers }: { readonly workers: WorkerEntries }): AsyncGenerator<Uint8Array> {
  const opener = frameOpener(reader.repository.keys, 'frame');
  const pool = file.size < THREADS_FROM_BYTES ? inlineFramePool(opener) : threadFramePool(workers.restore, Math.min(availableParallelism(), MAX_THREADS), opener);
  try {
    yield* readContent(reader, file, pool);
  } finally {
    await pool.close();
  }
}
