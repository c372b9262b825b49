/**
 * A store keeps immutable objects under names. Everything above it relies on these sentences; the contract suite
 * (`test/contract/store.ts`) runs them against every implementation.
 *
 * Names are relative, `/`-separated, made of `[A-Za-z0-9._-]+` components, no component `.` or `..`, at most 512 bytes.
 * No name is a folder of another; stores that have folders refuse such a one as `broken-invariant`, others cannot tell.
 * Objects are at most 64 MiB (`MAX_OBJECT_BYTES`); a longer `put` is refused as `broken-invariant`.
 */
export interface Store {
  /** For messages only; never holds a secret. */
  readonly description: string;

  /**
   * Writes an object once. When it returns, the object is durable and whole: readers see all of it or none, also
   * after a power cut. If the name exists with exactly the same bytes, that is success (`created: false`); with other
   * bytes it is `already-exists` and the old object is untouched. Callable again after any failure.
   * Fails with `no-space`, `permission`, `read-only`, `unavailable` (retryable).
   */
  put(name: string, bytes: Uint8Array | readonly Uint8Array[], options?: PutOptions): Promise<PutResult>;

  /**
   * Reads an object or a range of it. `not-found` when absent. A range that begins at or beyond the end, or ends
   * beyond it, is `damaged` (the object is shorter than what was promised), never a short answer.
   */
  get(name: string, range?: ByteRange, options?: GetOptions): Promise<Uint8Array>;

  /** Size and the store's time of writing; `not-found` when absent. */
  stat(name: string): Promise<ObjectInfo>;

  /**
   * All objects whose name begins with `prefix` (a whole number of components, ending in `/`, or empty), in byte
   * order of the names. Objects written or removed meanwhile may be there or not; all others are there exactly once.
   * Names up to `after` may be left out: who goes on with a listing that broke off need not have them again.
   */
  list(prefix: string, after?: string): AsyncIterable<ObjectInfo>;

  /** Removes an object. Absent is success: callable twice. */
  remove(name: string): Promise<void>;

  /**
   * The store's own present time in milliseconds: the only clock that decisions about deletion may use. For a
   * directory it is the time that the file system stamps on a new file; for S3 the Date of a response.
   */
  now(): Promise<number>;
}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface GetOptions {
  /**
   * Memory, also shared, that the answer may lie in, from its beginning: who reads much spares the system the work of
   * finding new memory for each object. Stores may ignore it, and do when the object is longer. Its content is lost in
   * either case, and nobody may touch it before the call has ended.
   */
  readonly spare?: Uint8Array;
}

export interface PutOptions {
  readonly signal?: AbortSignal;
}

export interface PutResult {
  /** False when the same bytes were there already. */
  readonly created: boolean;
}

export interface ObjectInfo {
  readonly name: string;
  readonly size: number;
  /** Milliseconds, by the store's clock, when the object was written (directory: ctime; S3: LastModified). */
  readonly storedAt: number;
}

export const MAX_OBJECT_BYTES = 64 * 1024 * 1024;
