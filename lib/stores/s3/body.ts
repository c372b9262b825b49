import { HoldfastError } from '../../model/errors.ts';
import { MAX_OBJECT_BYTES } from '../store.ts';

interface Answer {
  readonly Body?: unknown;
  readonly ContentLength?: number | undefined;
}

/** All bytes of an answer in memory of their own; `unavailable` when they are not as many as it announced. */
export async function readBody(what: string, { Body, ContentLength: announced }: Answer): Promise<Uint8Array> {
  const stream = Body as (AsyncIterable<Uint8Array> & { destroy?(): void }) | undefined;
  const whole = new Uint8Array(Math.min(announced ?? 0, MAX_OBJECT_BYTES));
  if (announced === undefined || announced > MAX_OBJECT_BYTES) {
    stream?.destroy?.();
    throw new HoldfastError('unsupported', `cannot ${what}: the store announces ${announced ?? 'no number of'} bytes, wanted at most ${MAX_OBJECT_BYTES}`);
  }
  let length = 0;
  for await (const piece of stream ?? []) {
    if (length + piece.byteLength <= announced) whole.set(piece, length);
    length += piece.byteLength;
  }
  if (length === announced) return whole;
  throw new HoldfastError('unavailable', `cannot ${what}: ${length} bytes came, ${announced} were announced`);
}

/** `bytes FIRST-LAST/SIZE` (RFC 9110, 14.4); undefined when the store did not answer with a range. */
export function parseContentRange(header: string | undefined): { readonly offset: number; readonly size: number } | undefined {
  const [, first, size] = /^bytes (\d+)-\d+\/(\d+)$/.exec(header ?? '') ?? [];
  return first === undefined || size === undefined ? undefined : { offset: Number(first), size: Number(size) };
}
