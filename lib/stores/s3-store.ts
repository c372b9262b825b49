import { createHash } from 'node:crypto';
import { DeleteObjectCommand, GetObjectCommand, HeadBucketCommand, HeadObjectCommand, ListObjectsV2Command, PutObjectCommand, type GetObjectCommandOutput, type S3Client, type StorageClass } from '@aws-sdk/client-s3';
import type { Clock } from '../model/clock.ts';
import { HoldfastError, invariant, isHoldfastError } from '../model/errors.ts';
import { pause, throwIfInterrupted } from './interruption.ts';
import { checkName, checkObject, checkPrefix, checkRange, isComponent, PRIVATE_FOLDER } from './object-name.ts';
import { resolveRange } from './read-range.ts';
import { parseContentRange, readBody } from './s3/body.ts';
import { S3Requests, watchDate, withHeader } from './s3/requests.ts';
import { outcomeOf } from './s3/s3-error.ts';
import { sha256Of, uploadBody } from './s3/upload-body.ts';
import { sameBytes } from './same-bytes.ts';
import { alreadyExists, notFound } from './store-errors.ts';
import type { ByteRange, ObjectInfo, PutOptions, PutResult, Store } from './store.ts';

export interface S3StoreOptions {
  /** Made by the composition with `s3ClientOptions`; its credentials may be a provider that is asked again. */
  readonly client: S3Client;
  readonly bucket: string;
  /** Whole components without a `/` at either end, or empty: the vault's root in the bucket. */
  readonly prefix: string;
  readonly clock: Clock;
  /** Evenly from [0, 1). */
  readonly random: () => number;
  /** By the object's name; undefined sends none: the bucket's standard. See `storageClassOfPacks`. */
  readonly storageClassOf?: ((name: string) => StorageClass | undefined) | undefined;
  /** Requests under way at once. */
  readonly maxConcurrency?: number | undefined;
  /** Names in one answer to a listing, at most 1000. */
  readonly pageSize?: number | undefined;
}

const DEFAULT_CONCURRENCY = 32;
const MAX_CONFLICTS = 8;
const CONFLICT_PAUSE_MS = 200;

/**
 * A store in a bucket of S3 or of what speaks its language. Objects are written with `If-None-Match: *` and their
 * SHA-256, which the store checks; encryption at rest is the bucket's own setting, so no header asks for it. A removal
 * names no version: in a versioned bucket it leaves a marker. Failed requests are not repeated here: compose with `retrying`.
 */
export function openS3Store(options: S3StoreOptions): Store {
  const { prefix } = options;
  // A key has at most 1024 bytes, half of which the names below may take.
  const isPrefix = prefix === '' || (prefix.length < 512 && prefix.split('/').every(isComponent));
  invariant(isPrefix, `${JSON.stringify(prefix)} is no prefix of a vault: wanted components of [A-Za-z0-9._-] joined by "/", fewer than 512 bytes`);
  return new BucketOfObjects(options);
}

interface Upload {
  readonly name: string;
  readonly parts: readonly Uint8Array[];
  readonly size: number;
  readonly sha256: Buffer;
}

class BucketOfObjects implements Store {
  readonly description: string;
  readonly #bucket: string;
  readonly #root: string;
  readonly #requests: S3Requests;
  readonly #options: S3StoreOptions;
  /** What was sent and not answered, by name: digest of the bytes. The same `put` comes again for it. */
  readonly #unanswered = new Map<string, string>();

  constructor(options: S3StoreOptions) {
    this.description = `s3://${[options.bucket, options.prefix].filter(Boolean).join('/')}`;
    this.#bucket = options.bucket;
    this.#root = options.prefix === '' ? '' : `${options.prefix}/`;
    this.#requests = new S3Requests(options.client, options.maxConcurrency ?? DEFAULT_CONCURRENCY);
    this.#options = options;
  }

  async put(name: string, bytes: Uint8Array | readonly Uint8Array[], { signal }: PutOptions = {}): Promise<PutResult> {
    throwIfInterrupted(signal);
    const { parts, size } = checkObject(name, bytes);
    const object = { name, parts, size, sha256: sha256Of(parts) };
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts += 1) {
      if (conflicts > 0) await pause(this.#options.clock, this.#options.random() * CONFLICT_PAUSE_MS * 2 ** conflicts, signal);
      const outcome = await this.#create(object, signal).catch((error: unknown) => this.#remember(object, error));
      if (outcome === 'created') return { created: true };
      if (outcome === 'conflict') continue;
      const isSame = await this.#isStored(object).catch((denied: unknown) => this.#isOurs(object, denied));
      this.#unanswered.delete(name);
      if (isSame === false) throw alreadyExists(name, this.description);
      if (isSame) return { created: false };
    }
    throw new HoldfastError('unavailable', `cannot write ${name} to ${this.description}: others write and remove that name all the time`);
  }

  async get(name: string, range?: ByteRange): Promise<Uint8Array> {
    checkName(name);
    checkRange(name, range);
    if (range?.length === 0) {
      // No range header can ask for nothing.
      resolveRange(name, (await this.stat(name)).size, range);
      return new Uint8Array(0);
    }
    return range === undefined ? this.#readWhole(name) : this.#readRange(name, range);
  }

  async stat(name: string): Promise<ObjectInfo> {
    checkName(name);
    const what = `look at ${name} in ${this.description}`;
    const head = await this.#requests.run(what, (send) => this.#present(name, send(new HeadObjectCommand(this.#at(name)))));
    return infoOf(name, head.ContentLength, head.LastModified);
  }

  async *list(prefix: string, after = ''): AsyncIterable<ObjectInfo> {
    checkPrefix(prefix);
    let token: string | undefined;
    let last = after;
    const StartAfter = after === '' ? undefined : `${this.#root}${after}`;
    do {
      const page = await this.#requests.run(`list ${prefix || 'everything'} in ${this.description}`, (send) =>
        send(new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: `${this.#root}${prefix}`, MaxKeys: this.#options.pageSize, StartAfter, ContinuationToken: token })),
      );
      for (const { Key = '', Size, LastModified } of page.Contents ?? []) {
        const name = Key.slice(this.#root.length);
        if (!isObjectName(name)) continue;
        if (name <= last) throw this.#unordered(last, name);
        last = name;
        yield infoOf(name, Size, LastModified);
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async remove(name: string): Promise<void> {
    checkName(name);
    await this.#requests.run(`remove ${name} from ${this.description}`, (send) => send(new DeleteObjectCommand(this.#at(name))));
  }

  async now(): Promise<number> {
    const command = new HeadBucketCommand({ Bucket: this.#bucket });
    const date = watchDate(command);
    await this.#requests.run(`ask ${this.description} for its time`, async (send) => {
      await send(command).catch((error: unknown) => {
        throw outcomeOf(error) === 'absent' ? new HoldfastError('vault-not-found', `There is no bucket ${this.#bucket}.`, { nextStep: 'Check the name of the bucket, its region and the endpoint.', cause: error }) : error;
      });
    });
    const now = date();
    if (Number.isNaN(now)) throw new HoldfastError('unsupported', `${this.description} answers without a Date: wanted its time, by which decisions about deletion are made`);
    return now;
  }

  async #create({ name, parts, size, sha256 }: Upload, signal: AbortSignal | undefined): Promise<'created' | 'exists' | 'conflict'> {
    const command = new PutObjectCommand({
      ...this.#at(name), Body: size === 0 ? new Uint8Array(0) : uploadBody(parts), ContentLength: size, IfNoneMatch: '*', ChecksumSHA256: sha256.toString('base64'), StorageClass: this.#options.storageClassOf?.(name),
    });
    // The signature takes the digest that is there instead of reading all bytes a second time.
    withHeader(command, 'x-amz-content-sha256', sha256.toString('hex'));
    return this.#requests.run(`write ${name} to ${this.description}`, async (send) => {
      try {
        await send(command);
        return 'created';
      } catch (error) {
        const outcome = outcomeOf(error);
        if (outcome === 'exists' || outcome === 'conflict') return outcome;
        throw error;
      }
    }, signal);
  }

  #remember({ name, sha256 }: Upload, error: unknown): never {
    if (isHoldfastError(error, 'unavailable')) this.#unanswered.set(name, sha256.toString('base64'));
    throw error;
  }

  /**
   * Whether a put of ours, whose answer was lost, has arrived, for a role that may write this object and not read it back:
   * S3 took only bytes of the digest that was sent, nobody had the name before, and the length is right.
   */
  async #isOurs(object: Upload, denied: unknown): Promise<boolean> {
    if (!isHoldfastError(denied, 'permission') || this.#unanswered.get(object.name) !== object.sha256.toString('base64')) throw denied;
    const { Contents = [] } = await this.#requests.run(`look for ${object.name} in ${this.description}`, (send) => send(new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: `${this.#root}${object.name}`, MaxKeys: 1 })));
    return Contents[0]?.Key === `${this.#root}${object.name}` && Contents[0].Size === object.size;
  }

  /** Undefined when it is gone again. */
  async #isStored({ name, parts, size, sha256 }: Upload): Promise<boolean | undefined> {
    const head = await this.#requests.run(`compare ${name} in ${this.description}`, (send) =>
      send(new HeadObjectCommand({ ...this.#at(name), ChecksumMode: 'ENABLED' })).catch((error: unknown) => {
        if (outcomeOf(error) === 'absent') return undefined;
        throw error;
      }),
    );
    if (head === undefined) return undefined;
    if (head.ContentLength !== size) return false;
    if (isOfWhole(head.ChecksumSHA256)) return head.ChecksumSHA256 === sha256.toString('base64');
    return sameBytes(await this.get(name), parts, size);
  }

  async #readWhole(name: string): Promise<Uint8Array> {
    const what = `read ${name} in ${this.description}`;
    const read = () =>
      this.#requests.run(what, async (send) => {
        const command = new GetObjectCommand(this.#at(name));
        // Asked for by hand: the SDK would hash all bytes in its own stream, and say "Error" when they differ.
        withHeader(command, 'x-amz-checksum-mode', 'ENABLED');
        const answer = await this.#present(name, send(command));
        resolveRange(name, answer.ContentLength ?? 0);
        return { bytes: await readBody(what, answer), sha256: answer.ChecksumSHA256 };
      });
    // Once more before it is called damaged: bytes can be spoiled on the way, too.
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const { bytes, sha256 } = await read();
      if (!isOfWhole(sha256) || createHash('sha256').update(bytes).digest('base64') === sha256) return bytes;
    }
    throw new HoldfastError('damaged', `${name} in ${this.description} does not have the SHA-256 that the store names for it`, { data: { name }, nextStep: 'Run `holdfast verify --level structure` to see which backups it touches.' });
  }

  async #readRange(name: string, range: ByteRange): Promise<Uint8Array> {
    const what = `read ${name} in ${this.description}`;
    const bytes = await this.#requests.run(what, async (send) => {
      const command = new GetObjectCommand({ ...this.#at(name), Range: `bytes=${range.offset}-${range.offset + range.length - 1}` });
      const answer = await this.#present(name, send(command)).catch((error: unknown) => {
        if (outcomeOf(error) === 'beyond-end') return undefined;
        throw error;
      });
      return answer && rangeOf(name, range, answer, await readBody(what, answer));
    });
    if (bytes !== undefined) return bytes;
    resolveRange(name, (await this.stat(name)).size, range);
    throw new HoldfastError('damaged', `${name} in ${this.description} refuses bytes ${range.offset} to ${range.offset + range.length}, which it should have`, { data: { name, ...range } });
  }

  async #present<T>(name: string, answer: Promise<T>): Promise<T> {
    return answer.catch((error: unknown) => {
      throw outcomeOf(error) === 'absent' ? notFound(name, this.description) : error;
    });
  }

  #at(name: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: `${this.#root}${name}` };
  }

  /** Merging of listings relies on their order: a store without it would lose objects from sight in silence. */
  #unordered(last: string, name: string): HoldfastError {
    return new HoldfastError('unsupported', `${this.description} lists ${name} after ${last}: wanted names in ascending byte order`, { nextStep: 'Keep the vault in a general purpose bucket; directory buckets (S3 Express) do not list in order.' });
  }
}

/** Checksums of multipart uploads are digests of digests and end in the number of parts. */
function isOfWhole(checksum: string | undefined): checksum is string {
  return checksum !== undefined && !checksum.includes('-');
}

/** Exactly the wanted bytes of an answer, whether the store cut the range out or sent everything. */
function rangeOf(name: string, range: ByteRange, { ContentRange, ContentLength }: GetObjectCommandOutput, bytes: Uint8Array): Uint8Array {
  const { offset, size } = parseContentRange(ContentRange) ?? { offset: 0, size: ContentLength ?? 0 };
  resolveRange(name, size, range);
  const begin = range.offset - offset;
  if (begin < 0 || begin + range.length > bytes.byteLength) {
    throw new HoldfastError('damaged', `${name} was asked for bytes ${range.offset} to ${range.offset + range.length}, and the store sent ${bytes.byteLength} from ${offset}`, { data: { name, ...range } });
  }
  return begin === 0 && bytes.byteLength === range.length ? bytes : bytes.slice(begin, begin + range.length);
}

/** Whole seconds, as answers about one object say it: listings of some stores are finer, and times are compared. */
function infoOf(name: string, size: number | undefined, lastModified: Date | undefined): ObjectInfo {
  return { name, size: size ?? 0, storedAt: Math.floor((lastModified?.getTime() ?? 0) / 1000) * 1000 };
}

/** What else lies in the bucket is passed over. */
function isObjectName(name: string): boolean {
  const components = name.split('/');
  return components[0] !== PRIVATE_FOLDER && components.every(isComponent);
}
