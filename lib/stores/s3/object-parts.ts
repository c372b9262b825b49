const MIB = 1 << 20;
/** Larger objects are sent in parts. The sizes are those of the AWS command line, so that an ETag mostly comes back, too. */
const LARGEST_WHOLE = 8 * MIB;
const SMALLEST_PART = 8 * MIB;
/** S3 takes no more. */
const MOST_PARTS = 10_000;

/** Bytes of each part but the last, of an object of that size. */
export function partBytes(size: number): number {
  return Math.max(SMALLEST_PART, Math.ceil(Math.ceil(size / MOST_PARTS) / MIB) * MIB);
}

/** The bytes of an object in parts, each in memory of its own; one part when it may be sent whole; none when it is empty. */
export async function* partsOf({ size, read }: { readonly size: number; read(): AsyncIterable<Uint8Array> }): AsyncGenerator<Uint8Array> {
  const limit = size <= LARGEST_WHOLE ? LARGEST_WHOLE : partBytes(size);
  let part = Buffer.allocUnsafe(Math.min(size, limit));
  let filled = 0;
  let left = size;
  for await (const piece of read()) {
    for (let from = 0; from < piece.length; ) {
      if (filled === part.length) {
        // More bytes than were announced end up in a part too many, and whoever counts refuses them.
        if (filled > 0) yield part;
        left -= filled;
        part = Buffer.allocUnsafe(left > 0 ? Math.min(left, limit) : limit);
        filled = 0;
      }
      const taken = Math.min(piece.length - from, part.length - filled);
      part.set(piece.subarray(from, from + taken), filled);
      filled += taken;
      from += taken;
    }
  }
  if (filled > 0) yield part.subarray(0, filled);
}
