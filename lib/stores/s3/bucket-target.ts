import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { AbortMultipartUploadCommand, CompleteMultipartUploadCommand, CreateMultipartUploadCommand, HeadObjectCommand, PutObjectCommand, PutObjectTaggingCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import type { CompletedPart } from '@aws-sdk/client-s3';
import { toBytes } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { patience } from '../retrying.ts';
import { BucketObjects } from './bucket-objects.ts';
import type { BucketOptions } from './bucket-objects.ts';
import { bucketError } from './bucket-error.ts';
import { headersOf } from './object-description.ts';
import type { ObjectDescription } from './object-description.ts';
import { partBytes, partsOf } from './object-parts.ts';
import { S3Requests } from './requests.ts';
import type { Send } from './requests.ts';
import { outcomeOf } from './s3-error.ts';

export interface TargetOptions extends BucketOptions {
  /** What keys begin with there; without a slash at either end; empty: nothing. */
  readonly prefix: string;
}

/** One object to be; as `WantedObject` of lib/recovery/objects/object-target.ts. */
export interface SentObject {
  readonly key: ByteString;
  readonly size: number;
  readonly description: ObjectDescription;
  readonly tags: Readonly<Record<string, string>>;
  read(): AsyncIterable<Uint8Array>;
}

interface Existing {
  readonly key: ByteString;
  readonly size: number;
  readonly etag: string;
  readonly modified: number;
}

type Condition = 'absent' | 'any';
const ALLOW = 's3:PutObject, s3:PutObjectTagging, s3:GetObject, s3:GetObjectTagging and s3:AbortMultipartUpload on its objects';
/** Of the parts of one object that are under way; at least one is. */
const OPEN_PART_BYTES = 32 << 20;

/** A bucket that objects are restored into. The promises are those of `ObjectTarget`. */
export class BucketTarget {
  readonly description: string;
  readonly #options: TargetOptions;
  readonly #objects: BucketObjects;
  readonly #requests: S3Requests;
  readonly #root: ByteString;

  constructor(options: TargetOptions) {
    this.description = `s3://${[options.bucket, options.prefix].filter(Boolean).join('/')}`;
    this.#options = options;
    this.#objects = new BucketObjects({ ...options, failsAs: 'target-failed' });
    this.#requests = new S3Requests(options.client, options.maxConcurrency ?? 32);
    this.#root = (options.prefix === '' ? '' : `${options.prefix}/`) as ByteString;
  }

  async *list(below: ByteString, signal: AbortSignal): AsyncGenerator<Existing> {
    for await (const listed of this.#objects.list((this.#root + below) as ByteString, signal)) yield { ...listed, key: listed.key.slice(this.#root.length) as ByteString };
  }

  holds(below: ByteString, signal: AbortSignal): Promise<boolean> {
    return this.#objects.holds((this.#root + below) as ByteString, signal);
  }

  async put(object: SentObject, condition: Condition, signal: AbortSignal): Promise<'written' | 'exists'> {
    const parts = partsOf(object);
    const first = await parts.next();
    const isWhole = first.done || first.value.length === object.size;
    return isWhole ? this.#putWhole(object, first.done ? new Uint8Array(0) : first.value, { condition, signal }) : this.#putInParts(object, { first: first.value, rest: parts }, { condition, signal });
  }

  async #putWhole(object: SentObject, bytes: Uint8Array, { condition, signal }: How): Promise<'written' | 'exists'> {
    if (bytes.length !== object.size) throw new HoldfastError('damaged', `${bytes.length} bytes of ${this.#name(object.key)} came from the vault, wanted ${object.size}.`);
    const md5 = createHash('md5').update(bytes).digest();
    const command = { ...this.#at(object.key), ...headersOf(object.description), ...tagging(object.tags), Body: bytes, ContentLength: bytes.length, ContentMD5: md5.toString('base64'), ...onlyIf(condition) };
    const outcome = await this.#send(object.key, signal, (send) => send(new PutObjectCommand(command)));
    return this.#judge(object, { outcome, etag: md5.toString('hex') }, signal);
  }

  async #putInParts(object: SentObject, { first, rest }: { readonly first: Uint8Array; readonly rest: AsyncGenerator<Uint8Array> }, { condition, signal }: How): Promise<'written' | 'exists'> {
    const at = this.#at(object.key);
    const begun = await this.#send(object.key, signal, (send) => send(new CreateMultipartUploadCommand({ ...at, ...headersOf(object.description), ...tagging(object.tags) })));
    const UploadId = 'answer' in begun ? begun.answer.UploadId : undefined;
    if (UploadId === undefined) throw new HoldfastError('target-failed', `The upload of ${this.#name(object.key)} could not be begun: the server gave no id.`, { nextStep: 'Look in docs/sources/s3.md for what a store must be able to do.' });
    try {
      const sent = await this.#sendParts(object, { UploadId, first, rest }, signal);
      const outcome = await this.#send(object.key, signal, (send) => send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts: sent.map(({ part }) => part) }, ...onlyIf(condition) })).catch(unlessCompleted));
      const etag = `${createHash('md5').update(Buffer.concat(sent.map(({ md5 }) => md5))).digest('hex')}-${sent.length}`;
      const judged = await this.#judge(object, { outcome, etag }, signal);
      if (judged === 'exists') await this.#abort(object.key, UploadId);
      else await this.#proveTags(object, signal);
      return judged;
    } catch (error) {
      // Parts of an upload that is not ended cost money for ever.
      await this.#abort(object.key, UploadId).catch(() => undefined);
      throw error;
    }
  }

  async #sendParts(object: SentObject, { UploadId, first, rest }: { readonly UploadId: string; readonly first: Uint8Array; readonly rest: AsyncGenerator<Uint8Array> }, signal: AbortSignal): Promise<SentPart[]> {
    const sent: Promise<SentPart>[] = [];
    let bytes = 0;
    const atOnce = Math.max(1, Math.floor(OPEN_PART_BYTES / partBytes(object.size)));
    const begin = (part: Uint8Array) => {
      bytes += part.length;
      const sending = this.#sendPart(object.key, { UploadId, PartNumber: sent.length + 1, part }, signal);
      sending.catch(() => undefined);
      sent.push(sending);
    };
    begin(first);
    for await (const part of rest) {
      begin(part);
      await sent[sent.length - atOnce];
    }
    const all = await Promise.all(sent);
    if (bytes !== object.size) throw new HoldfastError('damaged', `${bytes} bytes of ${this.#name(object.key)} came from the vault, wanted ${object.size}.`);
    return all;
  }

  async #sendPart(key: ByteString, { UploadId, PartNumber, part }: { readonly UploadId: string; readonly PartNumber: number; readonly part: Uint8Array }, signal: AbortSignal): Promise<SentPart> {
    const md5 = createHash('md5').update(part).digest();
    const outcome = await this.#send(key, signal, (send) => send(new UploadPartCommand({ ...this.#at(key), UploadId, PartNumber, Body: part, ContentLength: part.length, ContentMD5: md5.toString('base64') })));
    return { md5, part: { PartNumber, ETag: 'answer' in outcome ? outcome.answer.ETag : undefined } };
  }

  /** Some stores pass over the tags that an upload in parts begins with. */
  async #proveTags({ key, tags }: SentObject, signal: AbortSignal): Promise<void> {
    if (Object.keys(tags).length === 0) return;
    const found = await this.#objects.tags((this.#root + key) as ByteString, undefined, signal);
    if (isDeepStrictEqual({ ...tags }, found)) return;
    const TagSet = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
    await this.#send(key, signal, (send) => send(new PutObjectTaggingCommand({ ...this.#at(key), Tagging: { TagSet } })));
  }

  /** What is there is looked at: an answer may be lost, and a store may say yes to what it did not keep. */
  async #judge(object: SentObject, { outcome, etag }: { readonly outcome: Outcome<unknown>; readonly etag: string }, signal: AbortSignal): Promise<'written' | 'exists'> {
    const found = await this.#found(object.key, signal);
    const isMd5 = /^[0-9a-f]{32}(?:-\d+)?$/.test(found?.etag ?? '') && found?.isPlain === true;
    const isSame = found?.size === object.size && (!isMd5 || found.etag === etag);
    // After a lost answer the same request comes again, and meets what it wrote itself.
    if (outcome.kind === 'exists') return isSame && isMd5 && outcome.isRepeated ? 'written' : 'exists';
    if (isSame) return 'written';
    throw new HoldfastError('target-failed', `${this.#name(object.key)} was written and is not there as it was sent: ${found === undefined ? 'nothing is there' : `${found.size} bytes with ETag ${found.etag}`}, wanted ${object.size} bytes with ETag ${etag}.`, { nextStep: 'Look whether somebody else writes there, then restore it again with `--overwrite changed`.' });
  }

  async #found(key: ByteString, signal: AbortSignal): Promise<{ readonly size: number; readonly etag: string; readonly isPlain: boolean } | undefined> {
    const outcome = await this.#send(key, signal, (send) => send(new HeadObjectCommand(this.#at(key))).catch((error: unknown) => {
      if (outcomeOf(error) === 'absent') return undefined;
      throw error;
    }));
    if (!('answer' in outcome) || outcome.answer === undefined) return undefined;
    const { ContentLength = -1, ETag = '', ServerSideEncryption, SSECustomerAlgorithm } = outcome.answer;
    return { size: ContentLength, etag: ETag.replaceAll('"', ''), isPlain: !ServerSideEncryption?.startsWith('aws:') && SSECustomerAlgorithm === undefined };
  }

  async #abort(key: ByteString, UploadId: string): Promise<void> {
    await this.#requests.run(`end the upload of ${this.#name(key)}`, (send) => send(new AbortMultipartUploadCommand({ ...this.#at(key), UploadId })));
  }

  /** Repeats what fails in passing; `exists` when the condition was not met. */
  async #send<T>(key: ByteString, signal: AbortSignal, request: (send: Send) => Promise<T>): Promise<Outcome<T>> {
    const what = `write ${this.#name(key)}`;
    const giveUpOrWait = patience(this.#options, signal);
    for (let isRepeated = false; ; isRepeated = true) {
      try {
        return await this.#requests.run(what, async (send) => {
          try {
            return { kind: 'done', answer: await request(send) } as const;
          } catch (error) {
            const outcome = outcomeOf(error);
            if (outcome === 'exists') return { kind: 'exists', isRepeated } as const;
            if (outcome === 'conflict') throw new HoldfastError('unavailable', `cannot ${what}: another writer is at work on that key (409).`, { cause: error, nextStep: 'Wait until nobody else writes there, then run the same command again.' });
            throw bucketError(error, what, { allow: ALLOW, failsAs: 'target-failed' });
          }
        }, signal);
      } catch (error) {
        await giveUpOrWait(isHoldfastError(error) ? error : bucketError(error, what, { allow: ALLOW, failsAs: 'target-failed' }));
      }
    }
  }

  #at(key: ByteString): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#options.bucket, Key: toBytes((this.#root + key) as ByteString).toString('utf8') };
  }

  #name(key: ByteString): string {
    return JSON.stringify(`s3://${this.#options.bucket}/${this.#at(key).Key}`);
  }
}

/** An upload is gone when it was completed and the answer was lost: what is there then is looked at anyway. */
function unlessCompleted(error: unknown): undefined {
  if ((error as { readonly name?: unknown }).name !== 'NoSuchUpload') throw error;
}

interface How {
  readonly condition: Condition;
  readonly signal: AbortSignal;
}

interface SentPart {
  readonly md5: Buffer;
  readonly part: CompletedPart;
}

type Outcome<T> = { readonly kind: 'done'; readonly answer: T } | { readonly kind: 'exists'; readonly isRepeated: boolean };

function onlyIf(condition: Condition): { readonly IfNoneMatch?: string } {
  return condition === 'absent' ? { IfNoneMatch: '*' } : {};
}

function tagging(tags: Readonly<Record<string, string>>): { readonly Tagging?: string } {
  return Object.keys(tags).length === 0 ? {} : { Tagging: Object.entries(tags).map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&') };
}
