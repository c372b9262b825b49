import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';

/** Entries of the worker threads: bundles beside the program, sources in tests. */
export interface WorkerEntries {
  readonly crunch: URL;
  readonly restore: URL;
  readonly verify: URL;
}

/** Threads work on shared buffers: a large young generation would only hold garbage longer, in every thread. */
const YOUNG_GENERATION_MB = 2;
const SEMI_SPACE_MB = 1;
/** By how much a heap may grow beyond what lived at the last collection before the next. */
const HEAP_GROWTH_PERCENT = 60;

/**
 * The collector keeps heaps small from now on, in the threads and here: nearly all bytes lie outside the heaps.
 * `--optimize-for-size` keeps them smaller still, and collects a walking main thread so often that a run with few changes
 * takes a quarter more time (decision 0022).
 */
export function startWorker(entry: URL, workerData: unknown): Worker {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  setFlagsFromString(`--max-semi-space-size=${SEMI_SPACE_MB}`);
  return new Worker(entry, { workerData, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB } });
}
