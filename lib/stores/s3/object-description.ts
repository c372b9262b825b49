import type { GetObjectCommandOutput, PutObjectCommandInput, StorageClass } from '@aws-sdk/client-s3';

/** What S3 says of an object beside its bytes; as `ObjectDescription` of lib/sources/s3/bucket.ts. */
export interface ObjectDescription {
  readonly contentType?: string;
  readonly cacheControl?: string;
  readonly contentEncoding?: string;
  readonly contentDisposition?: string;
  readonly contentLanguage?: string;
  readonly expires?: string;
  readonly websiteRedirect?: string;
  readonly storageClass?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

type Text = Exclude<keyof ObjectDescription, 'metadata' | 'storageClass' | 'expires'>;
const HEADERS: readonly (readonly [Text, 'ContentType' | 'CacheControl' | 'ContentEncoding' | 'ContentDisposition' | 'ContentLanguage' | 'WebsiteRedirectLocation'])[] = [
  ['contentType', 'ContentType'],
  ['cacheControl', 'CacheControl'],
  ['contentEncoding', 'ContentEncoding'],
  ['contentDisposition', 'ContentDisposition'],
  ['contentLanguage', 'ContentLanguage'],
  ['websiteRedirect', 'WebsiteRedirectLocation'],
];

export function descriptionOf(answer: GetObjectCommandOutput): ObjectDescription {
  const { ExpiresString, StorageClass: storageClass, Metadata } = answer;
  const texts = HEADERS.flatMap(([name, field]) => (answer[field] === undefined ? [] : [[name, answer[field]] as const]));
  const isPlain = storageClass === undefined || storageClass === 'STANDARD';
  return {
    ...Object.fromEntries(texts),
    ...(ExpiresString !== undefined && { expires: ExpiresString }),
    ...(!isPlain && { storageClass }),
    ...(Metadata !== undefined && Object.keys(Metadata).length > 0 && { metadata: Metadata }),
  };
}

/** Classes in which nothing can be written, or that a restored object must not come back in: it would have to be thawed. */
const NOT_WRITTEN: readonly string[] = ['GLACIER', 'DEEP_ARCHIVE', 'OUTPOSTS', 'SNOW', 'EXPRESS_ONEZONE', 'FSX_OPENZFS', 'FSX_ONTAP'];

export type WrittenDescription = Pick<PutObjectCommandInput, 'ContentType' | 'CacheControl' | 'ContentEncoding' | 'ContentDisposition' | 'ContentLanguage' | 'WebsiteRedirectLocation' | 'Expires' | 'StorageClass' | 'Metadata'>;

/** The same, for a request that writes the object. */
export function headersOf(description: ObjectDescription): WrittenDescription {
  const { expires, storageClass, metadata } = description;
  const texts = HEADERS.flatMap(([name, field]) => (description[name] === undefined ? [] : [[field, description[name]] as const]));
  const date = expires === undefined ? Number.NaN : Date.parse(expires);
  return {
    ...Object.fromEntries(texts),
    ...(!Number.isNaN(date) && { Expires: new Date(date) }),
    ...(storageClass !== undefined && !NOT_WRITTEN.includes(storageClass) && { StorageClass: storageClass as StorageClass }),
    ...(metadata !== undefined && { Metadata: { ...metadata } }),
  };
}
