import { Worker } from 'node:worker_threads';

/** Entries of the worker threads: bundles beside the program, sources in tests. */
export interface WorkerEntries {
  readonly crunch: URL;
  readonly restore: URL;
  readonly verify: URL;
}

/** Threads work on shared buffers: a large young generation would only hold garbage longer, in every thread. */
const YOUNG_GENERATION_MB = 8;

export function startWorker(entry: URL, workerData: unknown): Worker {
  return new Worker(entry, { workerData, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB } });
}
