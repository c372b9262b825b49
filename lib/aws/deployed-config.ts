import { GetObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { HoldfastError } from '../model/errors.ts';
import type { DeployedConfig } from '../settings/deployed.ts';
import { parseDeployedConfig } from '../settings/parse-deployed.ts';
import { fromAwsError } from './aws-error.ts';

export interface ReadConfig {
  readonly config: DeployedConfig;
  /** Name of the asset without folder and ending: the hash of its bytes. */
  readonly hash: string;
  /** Milliseconds; when it was first published. A stack that goes back to an older configuration says an older time. */
  readonly since: number;
}

/** The asset is named by its hash and never changes, so a function that stays warm reads it once. */
const known = new Map<string, Promise<ReadConfig>>();

/** Reads the deployed configuration at `s3://bucket/key`. Fails as `config-invalid`, `unsupported-version`, `not-found`, `permission`, `unavailable`. */
export function readDeployedConfig(client: Pick<S3Client, 'send'>, url: string): Promise<ReadConfig> {
  const there = known.get(url);
  if (there !== undefined) return there;
  const reading = read(client, url);
  known.set(url, reading);
  // A failure is not remembered: the next call asks again.
  reading.catch(() => known.delete(url));
  return reading;
}

async function read(client: Pick<S3Client, 'send'>, url: string): Promise<ReadConfig> {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(url) ?? [];
  if (bucket === undefined || key === undefined) throw new HoldfastError('config-invalid', `The address of the deployed configuration is ${url}, wanted s3://bucket/key.`, { nextStep: 'Deploy the stack again.' });
  const { text, since } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key })).then(
    async ({ Body, LastModified }) => ({ text: (await Body?.transformToString()) ?? '', since: LastModified?.getTime() ?? 0 }),
  ).catch((cause: unknown) => {
    throw fromAwsError(cause, `The deployed configuration ${url} could not be read`);
  });
  return { config: parseDeployedConfig(text), since, hash: key.slice(key.lastIndexOf('/') + 1).replace(/\..*$/, '') };
}
