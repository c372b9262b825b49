/** Memory of one thread that is used again and again: what was taken before is overwritten by what is taken next. */
export class Scratch {
  #buffer = Buffer.alloc(0);

  take(length: number): Buffer {
    // Longer than what is asked for, so that nobody can take the answer for a buffer of its own and release it.
    if (this.#buffer.length < length + 2) this.#buffer = Buffer.allocUnsafeSlow(length + (length >> 3) + 64);
    return this.#buffer.subarray(0, length);
  }
}

/**
 * Gives the memory of bytes back at once instead of at the next garbage collection: threads that open frame after
 * frame would hold tens of MiB in vain. Only for bytes that nobody else sees; views of larger buffers are left alone.
 */
export function releaseBytes(bytes: Uint8Array): void {
  const { buffer, byteLength } = bytes;
  if (buffer instanceof ArrayBuffer && 'transfer' in buffer && byteLength > 4096 && buffer.byteLength - byteLength <= 1) buffer.transfer(0);
}

/** Buffers of so many bytes are nobody's pool. */
const LARGE_BYTES = 1 << 20;

/** The same of all memory that large bytes are a view of: what a compressor answers has room behind it that was not needed. */
export function releaseAll({ buffer }: Uint8Array): void {
  if (buffer.byteLength >= LARGE_BYTES) releaseBytes(new Uint8Array(buffer));
}
