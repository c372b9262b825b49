import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { CreateBucketCommandInput, S3ClientConfig } from '@aws-sdk/client-s3';
import { systemClock } from '../../lib/model/clock.ts';
import { s3ClientOptions } from '../../lib/stores/s3/client-options.ts';
import { openS3Store } from '../../lib/stores/s3-store.ts';
import type { S3StoreOptions } from '../../lib/stores/s3-store.ts';
import type { Store } from '../../lib/stores/store.ts';

export const TEST_CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' };

/** A client as compositions make it, with the emulator's credentials. */
export function s3Client(endpoint: string, more: S3ClientConfig = {}): S3Client {
  return new S3Client({ ...s3ClientOptions({ endpoint, region: 'eu-central-1' }), credentials: TEST_CREDENTIALS, ...more });
}

export async function makeBucket(client: S3Client, bucket: string, more: Partial<CreateBucketCommandInput> = {}): Promise<string> {
  await client.send(new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' }, ...more }));
  return bucket;
}

/** Stores of one bucket, each with a prefix of its own. */
export function storesIn(client: S3Client, bucket: string, more: Partial<S3StoreOptions> = {}): () => Store {
  let made = 0;
  return () => openS3Store({ client, bucket, prefix: `vault-${(made += 1)}`, clock: systemClock, random: Math.random, ...more });
}
