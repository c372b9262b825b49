import { PutObjectCommand } from '@aws-sdk/client-s3';
import type { PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3';
import { fromText } from '../../../lib/model/byte-string.ts';
import { S3Source } from '../../../lib/sources/s3.ts';
import type { S3SourceOptions } from '../../../lib/sources/s3.ts';
import { s3ObjectOf } from '../../../lib/sources/s3/kept-object.ts';
import { BucketObjects } from '../../../lib/stores/s3/bucket-objects.ts';
import type { BucketOptions } from '../../../lib/stores/s3/bucket-objects.ts';
import { LeapingClock } from '../../support/fake-clock.ts';
import type { HeldEntry } from '../../support/run-backup.ts';

/** What no path is, or not the same one everywhere. */
export const ODD_KEYS = [
  'plain.txt', 'a//b', 'folder/', '/leading', '//', 'a/../b', '..', './here', 'a', 'a/b', 'a-1', 'a.txt', 'a0', '!mark', ' space ', 'plus+and space',
  'percent%20', 'ü/ñ/日本/😀', 'x'.repeat(1024), `${'y'.repeat(255)}/${'z'.repeat(260)}`, 'tab\there', '<&">\'', 'back\\slash', '~', 'q?x=1#y', 'A', 'e\u0301', '\u00e9',
];

export type SourceOptions = Partial<Omit<S3SourceOptions, 'prefix' | 'bucket'>> & { readonly prefix?: string; readonly requests?: Partial<BucketOptions> };

/** A source as compositions make it; pauses between attempts take no time. */
export function sourceFor(client: S3Client, bucket: string, { prefix = '', requests, ...more }: SourceOptions = {}): S3Source {
  return new S3Source({ bucket: bucketFor(client, bucket, requests), prefix: fromText(prefix), isKeepingTags: true, parallel: 16, ...more });
}

export function bucketFor(client: S3Client, bucket: string, more: Partial<BucketOptions> = {}): BucketObjects {
  return new BucketObjects({ client, bucket, clock: new LeapingClock(), random: () => 0.5, ...more });
}

export async function putAll(client: S3Client, bucket: string, objects: Iterable<Partial<PutObjectCommandInput> & { readonly Key: string }>): Promise<void> {
  const waiting = [...objects];
  await Promise.all(Array.from({ length: 16 }, async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) await client.send(new PutObjectCommand({ Bucket: bucket, Body: next.Key, ...next }));
  }));
}

/** Objects of a backup by their keys; folders left out. */
export function objectsOf(held: ReadonlyMap<string, HeldEntry>): Map<string, { readonly path: string; readonly content: Buffer; readonly kept: ReturnType<typeof s3ObjectOf> }> {
  return new Map([...held].flatMap(([path, { entry, content }]) => {
    const kept = s3ObjectOf('xattrs' in entry ? (entry.xattrs ?? []) : []);
    return kept && content ? [[kept.key ?? Buffer.from(path, 'latin1').toString('utf8'), { path, content, kept }] as const] : [];
  }));
}
