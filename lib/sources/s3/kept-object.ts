import * as z from 'zod';
import { fromText } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { KeptObject, ObjectAttribute } from '../source.ts';
import type { ObjectDescription } from './bucket.ts';

/** The extended attribute of an entry that says what the object was. One, because that fits where several may not. */
export const S3_ATTRIBUTE = fromText('user.s3.object');

/** What is kept of an object beside its bytes and its time. Absent fields: there was none of that. */
export interface S3Object extends ObjectDescription {
  /** UTF-8 text; only where the path is not the key. */
  readonly key?: string;
  readonly etag: string;
  readonly versionId?: string;
  /** Milliseconds since the epoch. */
  readonly modified: number;
  /** Absent: there were none, or they were not asked for. */
  readonly tags?: Readonly<Record<string, string>>;
}

const text = z.string();
const texts = z.record(text, text);
const schema = z.object({
  key: text.optional(), etag: text, versionId: text.optional(), modified: z.number(), tags: texts.optional(), metadata: texts.optional(),
  contentType: text.optional(), cacheControl: text.optional(), contentEncoding: text.optional(), contentDisposition: text.optional(), contentLanguage: text.optional(),
  expires: text.optional(), websiteRedirect: text.optional(), storageClass: text.optional(),
});

export function attributeOf(object: S3Object): ObjectAttribute {
  return { name: S3_ATTRIBUTE, value: Buffer.from(JSON.stringify(object)) };
}

/** Undefined for an entry that came from no bucket. Fails as `damaged` for one that says so and does not fit. */
export function s3ObjectOf(attributes: readonly { readonly name: ByteString; readonly value: Uint8Array }[]): S3Object | undefined {
  const attribute = attributes.find(({ name }) => name === S3_ATTRIBUTE);
  if (!attribute) return undefined;
  const parsed = schema.safeParse(parsedJson(attribute.value));
  if (!parsed.success) throw new HoldfastError('damaged', `The attribute ${S3_ATTRIBUTE} of an entry is not what a backup of a bucket writes: ${parsed.error.issues[0]?.message ?? 'it does not fit'}.`, { nextStep: 'Check the backup with `holdfast verify`.' });
  return parsed.data as S3Object;
}

/** By what a listing shows: the entry holds that very object. */
export function isSameObject({ size, attributes }: KeptObject, listed: { readonly size: number; readonly etag: string; readonly modified: number }): boolean {
  const kept = s3ObjectOf(attributes);
  return kept !== undefined && size === listed.size && kept.etag === listed.etag && kept.modified === listed.modified;
}

function parsedJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
