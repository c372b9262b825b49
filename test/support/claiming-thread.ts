import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { ChunkTables } from '../../lib/engine/chunk-table.ts';

export interface ClaimingOrder {
  readonly buffers: readonly SharedArrayBuffer[];
  /** Set to 1 when all threads may begin. */
  readonly start: SharedArrayBuffer;
  readonly pack: number;
  readonly ids: number;
}

/** A thread that claims the same ids as all others of its kind, as fast as it can; answers with what each claim said. */
const { buffers, start, pack, ids } = workerData as ClaimingOrder;
const tables = new ChunkTables(buffers);
const all = Array.from({ length: ids }, (_, index) => createHash('sha256').update(String(index)).digest());
const answers = new Int32Array(ids);
parentPort?.postMessage('ready');
Atomics.wait(new Int32Array(start), 0, 0);
for (const [index, id] of all.entries()) answers[index] = tables.claim(id, pack);
parentPort?.postMessage(answers);
