import { Worker } from 'node:worker_threads';
import { END, endThread } from '../../lib/model/end-thread.ts';

/** Counts what it decompressed, and ends at the message. */
const ENTRY = `
const { parentPort, workerData } = require('node:worker_threads');
const { zstdCompressSync, zstdDecompressSync } = require('node:zlib');
const done = new Int32Array(workerData);
const packed = zstdCompressSync(Buffer.alloc(1 << 20, 'holdfast'));
parentPort.on('message', (message) => {
  if (message === '${END}') return parentPort.close();
  zstdDecompressSync(packed);
  Atomics.add(done, 0, 1);
});`;

function busyThread(jobs: number): { readonly worker: Worker; readonly done: Int32Array; readonly exitCode: Promise<number> } {
  const done = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(ENTRY, { eval: true, workerData: done.buffer });
  const exitCode = new Promise<number>((resolve) => void worker.once('exit', resolve));
  for (let job = 0; job < jobs; job++) worker.postMessage(job);
  return { worker, done, exitCode };
}

it('lets a thread finish what it was given: terminated amid a decompression it can abort the process', async () => {
  const { worker, done, exitCode } = busyThread(50);
  await endThread(worker);
  expect([done[0], await exitCode]).toEqual([50, 0]);
});

it('ends at once for a thread that has ended', async () => {
  const { worker, exitCode } = busyThread(0);
  await worker.terminate();
  await exitCode;
  await endThread(worker);
});
