import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';

/** Small parts are gathered into pieces of this size; larger ones are handed to the socket as they are. */
const PIECE_BYTES = 64 * 1024;

/**
 * A fresh stream over the parts of an object, for one attempt. Nothing large is copied: a pack under way would else be
 * in memory twice, and packs under way are most of what a run holds.
 */
export function uploadBody(parts: readonly Uint8Array[]): Readable {
  return Readable.from(pieces(parts), { objectMode: false, highWaterMark: PIECE_BYTES });
}

export function sha256Of(parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function* pieces(parts: readonly Uint8Array[]): Iterable<Buffer> {
  let small: Uint8Array[] = [];
  let size = 0;
  for (const part of parts) {
    const isLarge = part.byteLength >= PIECE_BYTES;
    if (size > 0 && (isLarge || size + part.byteLength > PIECE_BYTES)) {
      yield Buffer.concat(small, size);
      [small, size] = [[], 0];
    }
    if (isLarge) yield* slices(part);
    else {
      small.push(part);
      size += part.byteLength;
    }
  }
  if (size > 0) yield Buffer.concat(small, size);
}

/** In steps, so that an abort is heard in the middle of a large part. */
function* slices(part: Uint8Array): Iterable<Buffer> {
  for (let at = 0; at < part.byteLength; at += 16 * PIECE_BYTES) yield Buffer.from(part.buffer, part.byteOffset + at, Math.min(16 * PIECE_BYTES, part.byteLength - at));
}
