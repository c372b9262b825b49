import type { ByteString } from '../../model/byte-string.ts';
import type { ObjectDescription } from '../../sources/s3/bucket.ts';

/**
 * Where objects are restored to. Calls repeat what fails in passing, and fail as `target-failed`, `permission`,
 * `unavailable`, `unsupported`, `interrupted`, in the server's own words.
 */
export interface ObjectTarget {
  /** For people: `s3://BUCKET/PREFIX`, never with a secret. */
  readonly description: string;
  /** Every object there whose key begins so, ascending by the bytes of keys; all keys are without the prefix of the target. */
  list(below: ByteString, signal: AbortSignal): AsyncIterable<ExistingObject>;
  /** Whether there is any. */
  holds(below: ByteString, signal: AbortSignal): Promise<boolean>;
  /** Writes one object whole, or nothing, and proves that it is there as it was sent. */
  put(object: WantedObject, condition: PutCondition, signal: AbortSignal): Promise<'written' | 'exists'>;
}

export interface ExistingObject {
  readonly key: ByteString;
  readonly size: number;
  readonly etag: string;
  /** Milliseconds since the epoch. */
  readonly modified: number;
}

/** `absent`: only where nothing is, which the store itself decides at the moment of writing. */
export type PutCondition = 'absent' | 'any';

export interface WantedObject {
  /** UTF-8, without the prefix of the target. */
  readonly key: ByteString;
  readonly size: number;
  readonly description: ObjectDescription;
  readonly tags: Readonly<Record<string, string>>;
  /** All bytes in order, each piece lent until the next; callable again. */
  read(): AsyncIterable<Uint8Array>;
}
