import { parentPort, workerData } from 'node:worker_threads';
import type { FrameOpener } from '../repository/index.ts';
import { runWriteJob } from './write-files.ts';
import { unpackJob } from './write-job.ts';
import type { PackedJob } from './write-job.ts';

/** Entry of a restoring thread: receive, do it, answer. Jobs of one thread are answered in order. */
const opener = workerData as FrameOpener;

parentPort?.on('message', (packed: PackedJob) => {
  parentPort?.postMessage(runWriteJob(unpackJob(packed), opener));
});
