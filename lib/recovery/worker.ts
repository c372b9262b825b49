import { parentPort, workerData } from 'node:worker_threads';
import { END } from '../model/end-thread.ts';
import { answerFrameJob } from './frame-pool.ts';
import type { FrameJob } from './frame-pool.ts';
import { runWriteJob } from './write-files.ts';
import type { WriteSettings } from './write-files.ts';
import { unpackJob } from './write-job.ts';
import type { PackedJob } from './write-job.ts';

/** Entry of a restoring thread: receive, do it, answer. Jobs of one thread are answered in order. */
const settings = workerData as WriteSettings;

parentPort?.on('message', (job: PackedJob | FrameJob | typeof END) => {
  if (job === END) return parentPort?.close();
  if ('writes' in job) return parentPort?.postMessage(runWriteJob(unpackJob(job), settings));
  const answer = answerFrameJob(job, settings.opener);
  parentPort?.postMessage(answer, 'raw' in answer ? owned(answer.raw) : []);
});

/** Decompressed bytes have room for one byte more; small ones may lie in a pool and are copied. */
function owned({ buffer, byteLength }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer && buffer.byteLength - byteLength <= 1 ? [buffer] : [];
}
