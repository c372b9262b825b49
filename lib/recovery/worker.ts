import { parentPort, workerData } from 'node:worker_threads';
import { runWriteJob } from './write-files.ts';
import type { WriteSettings } from './write-files.ts';
import { unpackJob } from './write-job.ts';
import type { PackedJob } from './write-job.ts';

/** Entry of a restoring thread: receive, do it, answer. Jobs of one thread are answered in order. */
const settings = workerData as WriteSettings;

parentPort?.on('message', (packed: PackedJob) => {
  parentPort?.postMessage(runWriteJob(unpackJob(packed), settings));
});
