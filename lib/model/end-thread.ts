import type { Worker } from 'node:worker_threads';

/** The message that ends a thread: it is the last that it looks at. */
export const END = 'end';
/** A thread that has not ended by then hangs, and is terminated. */
const GRACE_MILLISECONDS = 10_000;

/**
 * Ends a thread whose entry closes its port at `END`, after what it was given before. Terminating a thread that compresses
 * or decompresses can abort the whole process: Node (24.21) asserts when it finds a stream of zlib that was made and not
 * yet initialised ("close before init").
 */
export async function endThread(worker: Worker): Promise<void> {
  // Of a thread that has ended already.
  if (worker.threadId === -1) return;
  const ended = new Promise<void>((resolve) => void worker.once('exit', () => resolve()));
  const timer = setTimeout(() => void worker.terminate(), GRACE_MILLISECONDS);
  worker.postMessage(END);
  await ended;
  clearTimeout(timer);
}
