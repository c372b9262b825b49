import { S3Client } from '@aws-sdk/client-s3';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { openS3Store } from '../stores/s3-store.ts';
import { s3ClientOptions } from '../stores/s3/client-options.ts';
import { BucketObjects } from '../stores/s3/bucket-objects.ts';
import { BucketTarget } from '../stores/s3/bucket-target.ts';
import { DIRECT_CLASSES, storageClassOfPacks } from '../stores/s3/storage-class.ts';
import type { ProbeCheck } from '../stores/probe.ts';
import { s3ProbeChecks } from '../stores/s3/probe-s3.ts';
import type { Store } from '../stores/store.ts';
import type { Environment } from './places.ts';
import type { S3Place } from './s3-place.ts';
import type { LocalContext } from './vault.ts';

export interface S3Vault {
  readonly client: S3Client;
  readonly store: Store;
  readonly probes: (folder: string) => readonly ProbeCheck[];
}

/** S3 in a region of its own choice is what a store elsewhere calls itself. */
const REGION_ELSEWHERE = 'us-east-1';

/** The one place where the local runtime makes S3 clients. Loaded only for vaults and sources in a bucket: the SDK is large. */
export function openS3Vault(place: S3Place, { environment, clock }: LocalContext): S3Vault {
  const client = new S3Client(s3ClientOptions(accessOf(place, environment)));
  const store = openS3Store({ client, bucket: place.bucket, prefix: place.prefix, clock, random: Math.random, storageClassOf: storageClassOfPacks(DIRECT_CLASSES) });
  return { client, store, probes: (folder) => s3ProbeChecks({ client, bucket: place.bucket, prefix: place.prefix }, folder) };
}

/** Somebody's bucket, by the credentials that are given or else by the chain of the SDK. */
export function openBucket(place: Omit<S3Place, 'prefix'>, credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined, { environment, clock }: LocalContext): BucketObjects {
  const client = new S3Client({ ...s3ClientOptions(accessOf(place, environment)), ...(credentials && { credentials }) });
  return new BucketObjects({ client, bucket: place.bucket, clock, random: Math.random });
}

/** A bucket to restore into, by the chain of the SDK. */
export function openTarget(place: S3Place, { environment, clock }: LocalContext): BucketTarget {
  const client = new S3Client(s3ClientOptions(accessOf(place, environment)));
  return new BucketTarget({ client, bucket: place.bucket, prefix: place.prefix, clock, random: Math.random });
}

/** What the SDK reads from the environment by itself decides how a bucket is addressed, too. */
function accessOf(place: Omit<S3Place, 'prefix'>, { variables }: Environment): Parameters<typeof s3ClientOptions>[0] {
  const endpoint = place.endpoint ?? nonEmpty(variables['AWS_ENDPOINT_URL_S3']) ?? nonEmpty(variables['AWS_ENDPOINT_URL']);
  const region = place.region ?? nonEmpty(variables['AWS_REGION']) ?? nonEmpty(variables['AWS_DEFAULT_REGION']) ?? (endpoint === undefined ? undefined : REGION_ELSEWHERE);
  return { endpoint, region, pathStyle: place.pathStyle ?? endpoint !== undefined, caFile: place.caFile ?? nonEmpty(variables['AWS_CA_BUNDLE']) };
}

/** A wrong --vault must not scatter a vault among somebody's objects; what a killed `init` left is no obstacle. */
export async function refuseOccupiedPrefix(store: Store, configName: string): Promise<void> {
  const isVault = await store.get(configName).then(() => true, (error: unknown) => {
    if (isHoldfastError(error, 'not-found')) return false;
    throw error;
  });
  if (isVault) throw new HoldfastError('vault-exists', `A vault is at ${store.description} already.`, { nextStep: 'Use it, or name another prefix with --vault.' });
  for await (const { name } of store.list('')) {
    if (name.startsWith('keys/')) continue;
    throw new HoldfastError('refused', `${store.description} holds other things (${name}), wanted an empty prefix.`, { nextStep: 'Name a prefix of its own with --vault, for example s3://BUCKET/holdfast.' });
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
