import { once } from 'node:events';
import type { Writable } from 'node:stream';

export interface FeedOptions {
  readonly signal: AbortSignal;
  /** Told how many bytes went in so far. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/**
 * Writes everything into a program and closes its input, no faster than it reads. Returns early, without an error, when
 * the program reads no more: its exit code says what that means. Fails as reading fails, and with the signal's reason.
 */
export async function feed(bytes: AsyncIterable<Uint8Array>, input: Writable, { signal, onBytes }: FeedOptions): Promise<number> {
  let isClosed = false;
  input.on('error', () => (isClosed = true)); // EPIPE: it has ended.
  const closed = once(input, 'close').catch(() => undefined);
  let written = 0;
  for await (const part of bytes) {
    signal.throwIfAborted();
    if (isClosed || input.destroyed) return written;
    if (!input.write(part)) await Promise.race([once(input, 'drain', { signal }), closed]).catch(() => signal.throwIfAborted());
    written += part.length;
    onBytes?.(written);
  }
  input.end();
  return written;
}
