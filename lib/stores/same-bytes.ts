/** Compares without joining the parts. */
export function sameBytes(stored: Uint8Array, parts: readonly Uint8Array[], size: number): boolean {
  if (stored.byteLength !== size) return false;
  let offset = 0;
  return parts.every((part) => {
    const begin = offset;
    offset += part.byteLength;
    return Buffer.compare(stored.subarray(begin, offset), part) === 0;
  });
}
