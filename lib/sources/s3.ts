import type { ByteString } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import type { ListedObject, SourceBucket } from './s3/bucket.ts';
import { isSameObject } from './s3/kept-object.ts';
import { pathOfKey } from './s3/key-paths.ts';
import { readObject } from './s3/read-object.ts';
import { inTreeOrder } from './s3/tree-order.ts';
import type { ObjectSource, ObjectsProof, SourceObject } from './source.ts';

export interface S3SourceOptions {
  readonly bucket: SourceBucket;
  /** Only keys that begin so; empty: all. Any text, not a folder. */
  readonly prefix: ByteString;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** One more request for each object that is read. */
  readonly isKeepingTags: boolean;
  /** Objects that are read at once. */
  readonly parallel: number;
  /** Less than this in all fails the run. */
  readonly minimumBytes?: number | undefined;
}

/**
 * The objects of a bucket, each an entry (S7): bytes, headers, metadata, tags. Unchanged is what has the ETag, the size
 * and the time of the backup before; only other objects are read.
 */
export class S3Source implements ObjectSource {
  readonly shape = 'objects';
  readonly type = 's3';
  readonly description: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly parallel: number;
  readonly minimumBytes: number | undefined;
  readonly #options: S3SourceOptions;

  constructor(options: S3SourceOptions) {
    const { bucket, prefix, include = [], exclude = [] } = options;
    this.#options = options;
    this.include = include;
    this.exclude = exclude;
    this.parallel = options.parallel;
    this.minimumBytes = options.minimumBytes;
    this.description = prefix === '' ? bucket.description : `${bucket.description}/${Buffer.from(prefix, 'latin1').toString('utf8')}`;
  }

  async check(): Promise<void> {
    const { bucket, prefix } = this.#options;
    if (!(await bucket.holds(prefix, new AbortController().signal))) throw this.#empty();
  }

  async *objects(signal: AbortSignal): AsyncGenerator<SourceObject, ObjectsProof> {
    const { bucket, prefix } = this.#options;
    const keys = { list: (below: ByteString) => bucket.list(below, signal), holds: (below: ByteString) => bucket.holds(below, signal) };
    let count = 0;
    for await (const { item, isFolder } of inTreeOrder(keys, prefix)) {
      count++;
      yield this.#object(item, pathOfKey(item.key, isFolder), signal);
    }
    if (count === 0) throw this.#empty();
    return { evidence: [`a listing of ${count} ${count === 1 ? 'key' : 'keys'} that ended`], facts: { 's3-keys': count } };
  }

  #object(listed: ListedObject, path: ByteString, signal: AbortSignal): SourceObject {
    const { bucket, isKeepingTags } = this.#options;
    return {
      path,
      size: listed.size,
      isUnchanged: (previous) => isSameObject(previous, listed),
      open: () => readObject(listed, { bucket, isKeepingTags, path, signal }),
    };
  }

  /** A wrong prefix or a bucket of another account looks like that, and a backup of nothing protects nobody. */
  #empty(): HoldfastError {
    return new HoldfastError('source-failed', `${this.description} holds no object.`, { nextStep: 'Check `bucket`, `prefix`, `endpoint` and `region`. Nothing of this run is kept, so that an empty bucket never counts as a good backup.' });
  }
}
