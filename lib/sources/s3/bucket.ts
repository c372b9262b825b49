import type { ByteString } from '../../model/byte-string.ts';

/**
 * Somebody's bucket as this source reads it. Every call may be made again, repeats what fails in passing, ends at an
 * abort of the signal as `interrupted`, and fails as `source-failed`, `permission`, `unavailable` or `unsupported` in
 * the server's own words.
 */
export interface SourceBucket {
  /** `s3://BUCKET`, never with a secret. */
  readonly description: string;
  /** Every object whose key begins with the prefix, strictly ascending by the bytes of their keys; ends only when all were given. */
  list(prefix: ByteString, signal: AbortSignal): AsyncIterable<ListedObject>;
  /** The first of them only. */
  holds(prefix: ByteString, signal: AbortSignal): Promise<boolean>;
  /** One version, whole: `etag` is the one that must be there. */
  get(key: ByteString, etag: string | undefined, signal: AbortSignal): Promise<ReadObject | Missed>;
  /** Name and value of each tag. `versionId` when the object has one. */
  tags(key: ByteString, versionId: string | undefined, signal: AbortSignal): Promise<Readonly<Record<string, string>> | 'absent'>;
}

export interface ListedObject {
  /** UTF-8. */
  readonly key: ByteString;
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  /** Milliseconds since the epoch, of a whole second. */
  readonly modified: number;
  readonly storageClass: string | undefined;
}

/** `absent`: it is gone. `changed`: it is another one than was asked for. `archived`: it has to be thawed before it can be read. */
export type Missed = 'absent' | 'changed' | 'archived';

export interface ReadObject {
  readonly size: number;
  readonly etag: string;
  readonly versionId: string | undefined;
  readonly modified: number;
  /** When it was answered, by the server's clock. */
  readonly readAt: number;
  readonly description: ObjectDescription;
  /** How many tags the server counts; undefined when it does not say. */
  readonly tagCount: number | undefined;
  /** The ETag is the MD5 of the bytes. */
  readonly isEtagMd5: boolean;
  /**
   * Once; all bytes of exactly this version, also over several connections. Fails as `stale` when the object was replaced or removed
   * before its end, which only a broken connection lets one notice.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** When the body is not wanted after all. */
  discard(): void;
}

/** What a server says of an object beside its bytes; all of it goes back with a restore. Absent is what the server did not say. */
export interface ObjectDescription {
  readonly contentType?: string;
  readonly cacheControl?: string;
  readonly contentEncoding?: string;
  readonly contentDisposition?: string;
  readonly contentLanguage?: string;
  /** As the server wrote it. */
  readonly expires?: string;
  readonly websiteRedirect?: string;
  /** When absent: STANDARD. */
  readonly storageClass?: string;
  /** `x-amz-meta-…`, names without that. */
  readonly metadata?: Readonly<Record<string, string>>;
}
