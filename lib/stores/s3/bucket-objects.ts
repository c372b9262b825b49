import { GetObjectCommand, GetObjectTaggingCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { GetObjectCommandOutput, ListObjectsV2CommandOutput, S3Client, _Object } from '@aws-sdk/client-s3';
import { fromText, toBytes } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import { patience } from '../retrying.ts';
import type { PatienceOptions } from '../retrying.ts';
import { parseContentRange } from './body.ts';
import { bucketError } from './bucket-error.ts';
import { descriptionOf } from './object-description.ts';
import type { ObjectDescription } from './object-description.ts';
import { S3Requests, watchDate } from './requests.ts';
import { outcomeOf } from './s3-error.ts';

export interface BucketOptions extends PatienceOptions {
  /** Made with `s3ClientOptions`: one attempt, what fails in passing is repeated here. */
  readonly client: S3Client;
  readonly bucket: string;
  /** Requests under way at once, bodies that are being read not counted; 32 when absent. */
  readonly maxConcurrency?: number | undefined;
  /** Keys in one answer to a listing, at most 1000. */
  readonly pageSize?: number | undefined;
  /** Of a bucket that is not there or cannot be listed; `source-failed` when absent. */
  readonly failsAs?: 'source-failed' | 'target-failed' | undefined;
}

export interface ListedObject {
  readonly key: ByteString;
  readonly size: number;
  readonly etag: string;
  readonly modified: number;
  readonly storageClass: string | undefined;
}

export interface ReadObject {
  readonly size: number;
  readonly etag: string;
  readonly versionId: string | undefined;
  readonly modified: number;
  readonly readAt: number;
  readonly description: ObjectDescription;
  readonly tagCount: number | undefined;
  readonly isEtagMd5: boolean;
  readonly body: AsyncIterable<Uint8Array>;
  discard(): void;
}

interface Answered {
  readonly answer: GetObjectCommandOutput;
  /** By the server's clock; NaN when it does not say. */
  readonly readAt: number;
}

/** Whose bytes are read, and from where on. */
interface Wanted {
  readonly etag?: string | undefined;
  readonly versionId?: string | undefined;
  readonly from?: number | undefined;
}

/**
 * The objects of somebody's bucket, for sources: whatever their keys, with everything that S3 says about them. The
 * promises are those of `SourceBucket` (lib/sources/s3/bucket.ts).
 */
export class BucketObjects {
  readonly description: string;
  readonly #options: BucketOptions;
  readonly #requests: S3Requests;

  constructor(options: BucketOptions) {
    this.description = `s3://${options.bucket}`;
    this.#options = options;
    this.#requests = new S3Requests(options.client, options.maxConcurrency ?? 32);
  }

  async *list(prefix: ByteString, signal: AbortSignal): AsyncGenerator<ListedObject> {
    let last: ByteString | undefined;
    let token: string | undefined;
    do {
      const page = await this.#page(prefix, this.#options.pageSize, token, signal);
      for (const listed of this.#listed(page, prefix)) {
        if (last !== undefined && listed.key <= last) throw this.#unlistable(prefix, `the key ${JSON.stringify(listed.key)} came after ${JSON.stringify(last)}, wanted ascending keys: directory buckets and some other stores do not sort`);
        last = listed.key;
        yield listed;
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
      if (page.IsTruncated && token === undefined) throw this.#unlistable(prefix, 'the answer says that there is more, and not how to go on');
    } while (token !== undefined);
  }

  async holds(prefix: ByteString, signal: AbortSignal): Promise<boolean> {
    return this.#listed(await this.#page(prefix, 1, undefined, signal), prefix).length > 0;
  }

  async get(key: ByteString, etag: string | undefined, signal: AbortSignal): Promise<ReadObject | 'absent' | 'changed' | 'archived'> {
    const got = await this.#ask(key, { etag }, signal);
    if (typeof got === 'string') return got;
    const { answer, readAt } = got;
    const { ContentLength: size, ETag, LastModified, VersionId, TagCount } = answer;
    if (size === undefined || ETag === undefined || LastModified === undefined) throw this.#unreadable(key, 'the answer lacks Content-Length, ETag or Last-Modified');
    const read = { size, etag: unquoted(ETag), versionId: VersionId === 'null' ? undefined : VersionId };
    return {
      ...read,
      modified: wholeSecond(LastModified),
      readAt: Number.isNaN(readAt) ? this.#options.clock.now() : readAt,
      description: descriptionOf(answer),
      tagCount: TagCount,
      isEtagMd5: /^[0-9a-f]{32}$/.test(read.etag) && !answer.ServerSideEncryption?.startsWith('aws:') && answer.SSECustomerAlgorithm === undefined,
      body: this.#wholeBody(key, read, answer, signal),
      discard: () => discard(answer),
    };
  }

  async tags(key: ByteString, versionId: string | undefined, signal: AbortSignal): Promise<Readonly<Record<string, string>> | 'absent'> {
    const what = `read the tags of ${this.#name(key)}`;
    return this.#patiently(signal, () => this.#requests.run(what, async (send) => {
      try {
        const { TagSet = [] } = await send(new GetObjectTaggingCommand({ ...this.#at(key), VersionId: versionId }));
        return Object.fromEntries(TagSet.map(({ Key = '', Value = '' }) => [Key, Value]));
      } catch (error) {
        if (outcomeOf(error) === 'absent' || nameOf(error) === 'NoSuchVersion' || nameOf(error) === 'MethodNotAllowed') return 'absent' as const;
        throw bucketError(error, what, { allow: 's3:GetObjectTagging (and s3:GetObjectVersionTagging where the bucket keeps versions), or set `tags: false`' });
      }
    }, signal));
  }

  async #page(prefix: ByteString, keys: number | undefined, token: string | undefined, signal: AbortSignal): Promise<ListObjectsV2CommandOutput> {
    const what = `list ${this.#name(prefix)}`;
    return this.#patiently(signal, () => this.#requests.run(what, async (send) => {
      // Without the encoding, control characters would break the answer and spaces at its ends would be lost.
      const command = new ListObjectsV2Command({ Bucket: this.#options.bucket, Prefix: textOf(prefix), MaxKeys: keys, ContinuationToken: token, EncodingType: 'url' });
      return send(command).catch((error: unknown) => {
        throw bucketError(error, what, { allow: 's3:ListBucket on the bucket', failsAs: this.#options.failsAs });
      });
    }, signal));
  }

  #listed({ Contents = [], EncodingType, KeyCount, CommonPrefixes, IsTruncated }: ListObjectsV2CommandOutput, prefix: ByteString): ListedObject[] {
    // An empty answer, or the page of a proxy, looks like the end of the listing.
    if (IsTruncated === undefined) throw this.#unlistable(prefix, 'an answer does not say whether there is more');
    if (KeyCount !== undefined && KeyCount !== Contents.length + (CommonPrefixes?.length ?? 0)) throw this.#unlistable(prefix, `an answer announces ${KeyCount} keys and holds ${Contents.length}`);
    return Contents.map((object) => this.#oneListed(object, EncodingType === 'url', prefix));
  }

  #oneListed({ Key, Size, ETag, LastModified, StorageClass }: _Object, isEncoded: boolean, prefix: ByteString): ListedObject {
    if (Key === undefined || Size === undefined || ETag === undefined || LastModified === undefined) throw this.#unlistable(prefix, `an answer lacks the key, size, ETag or time of an object (${JSON.stringify(Key)})`);
    const key = fromText(isEncoded ? decoded(Key) : Key);
    if (!key.startsWith(prefix)) throw this.#unlistable(prefix, `an answer holds the key ${JSON.stringify(key)}, which does not begin so`);
    return { key, size: Size, etag: unquoted(ETag), modified: wholeSecond(LastModified), storageClass: StorageClass };
  }

  async #ask(key: ByteString, { etag, versionId, from = 0 }: Wanted, signal: AbortSignal): Promise<Answered | 'absent' | 'changed' | 'archived'> {
    const what = `read ${this.#name(key)}`;
    const range = from === 0 ? { ChecksumMode: 'ENABLED' as const } : { Range: `bytes=${from}-` };
    return this.#patiently(signal, () => this.#requests.run(what, async (send) => {
      try {
        const command = new GetObjectCommand({ ...this.#at(key), ...range, VersionId: versionId, IfMatch: etag === undefined ? undefined : `"${etag}"` });
        const date = watchDate(command);
        return { answer: await send(command), readAt: date() };
      } catch (error) {
        const outcome = outcomeOf(error);
        if (outcome === 'absent' || nameOf(error) === 'NoSuchVersion') return 'absent';
        if (outcome === 'exists' || outcome === 'beyond-end') return 'changed';
        if (nameOf(error) === 'InvalidObjectState') return 'archived';
        throw bucketError(error, what, { allow: 's3:GetObject (and s3:GetObjectVersion where the bucket keeps versions) on its objects, and kms:Decrypt of their key where they have one' });
      }
    }, signal));
  }

  /** A connection that breaks is followed by one that goes on where it ended, in the same version. */
  async *#wholeBody(key: ByteString, { size, etag, versionId }: Pick<ReadObject, 'size' | 'etag' | 'versionId'>, first: GetObjectCommandOutput, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    let offset = 0;
    let answer = first;
    /** Bytes at the beginning of this answer that were given already: a server may answer with everything to who asks for a part. */
    let known = 0;
    let giveUpOrWait = patience(this.#options, signal);
    for (;;) {
      try {
        for await (const whole of piecesOf(answer, `read ${this.#name(key)}`, signal)) {
          const piece = whole.subarray(Math.min(known, whole.byteLength));
          known -= whole.byteLength - piece.byteLength;
          if (piece.byteLength === 0) continue;
          offset += piece.byteLength;
          if (offset > size) throw this.#unreadable(key, `more than the ${size} bytes came that were announced`);
          giveUpOrWait = patience(this.#options, signal);
          yield piece;
        }
        if (offset === size) return;
        throw new HoldfastError('unavailable', `cannot read ${this.#name(key)}: ${offset} bytes came, ${size} were announced`, { nextStep: 'Check the network and the endpoint, then start the backup again.' });
      } catch (error) {
        // All bytes came, and something was still wrong with them: a checksum of the server.
        if (offset === size) throw error;
        await giveUpOrWait(error);
      }
      const next = await this.#ask(key, { etag, versionId, from: offset }, signal);
      if (typeof next === 'string') throw new HoldfastError('stale', `${this.#name(key)} was replaced or removed while it was read.`, { nextStep: 'Nothing of it is kept; start the backup again.' });
      answer = next.answer;
      const range = parseContentRange(answer.ContentRange) ?? { offset: 0, size: answer.ContentLength };
      known = offset - range.offset;
      if (known < 0 || range.size !== size || unquoted(answer.ETag ?? '') !== etag) {
        discard(answer);
        throw this.#unreadable(key, `asked to go on at byte ${offset} of ${size}, the server answered with ${answer.ContentRange ?? 'no range'} of ${answer.ETag ?? 'no ETag'}`);
      }
    }
  }

  async #patiently<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
    const giveUpOrWait = patience(this.#options, signal);
    for (;;) {
      try {
        return await call();
      } catch (error) {
        await giveUpOrWait(error);
      }
    }
  }

  #at(key: ByteString): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#options.bucket, Key: textOf(key) };
  }

  /** For messages: control characters of keys must not steer a terminal. */
  #name(key: ByteString): string {
    return JSON.stringify(`${this.description}/${textOf(key)}`);
  }

  #unlistable(prefix: ByteString, complaint: string): HoldfastError {
    return new HoldfastError(this.#options.failsAs ?? 'source-failed', `The listing of ${this.#name(prefix)} cannot be relied on: ${complaint}.`, { nextStep: 'Ask whoever runs the store; what relies on a listing that lacks keys would lack objects.' });
  }

  #unreadable(key: ByteString, complaint: string): HoldfastError {
    return new HoldfastError('source-failed', `cannot read ${this.#name(key)}: ${complaint}.`, { nextStep: 'Nothing of this run is kept. Ask whoever runs the store, or leave the object out with `exclude`.' });
  }
}

/** Listings may show parts of a second that the header of an answer has no room for. */
function wholeSecond(date: Date): number {
  return Math.floor(date.getTime() / 1000) * 1000;
}

/** AWS and those that do as it does write a space as "+" and a plus as "%2B". */
function decoded(key: string): string {
  return decodeURIComponent(key.replaceAll('+', ' '));
}

function textOf(key: ByteString): string {
  return toBytes(key).toString('utf8');
}

function unquoted(etag: string): string {
  return etag.replace(/^(?:W\/)?"(.*)"$/, '$1');
}

function nameOf(error: unknown): unknown {
  return (error as { readonly name?: unknown }).name;
}

async function* piecesOf(answer: GetObjectCommandOutput, what: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const onAbort = () => discard(answer);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    yield* (answer.Body ?? []) as AsyncIterable<Uint8Array>;
  } catch (error) {
    signal.throwIfAborted();
    throw bucketError(error, what, { allow: 's3:GetObject on its objects' });
  } finally {
    signal.removeEventListener('abort', onAbort);
    discard(answer);
  }
}

function discard(answer: GetObjectCommandOutput): void {
  // A stream that nobody listens to tells its end to the process.
  (answer.Body as { on?(event: 'error', listener: () => void): unknown; destroy?(): void } | undefined)?.on?.('error', () => undefined);
  (answer.Body as { destroy?(): void } | undefined)?.destroy?.();
}
