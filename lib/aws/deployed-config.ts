import { GetObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { HoldfastError } from '../model/errors.ts';
import type { DeployedConfig } from '../settings/deployed.ts';
import { fromAwsError } from './aws-error.ts';

export interface ReadConfig {
  readonly config: DeployedConfig;
  /** Name of the asset without folder and ending: the hash of its bytes. */
  readonly hash: string;
}

/** The asset is named by its hash and never changes, so a function that stays warm reads it once. */
const known = new Map<string, Promise<ReadConfig>>();

/** Reads the deployed configuration at `s3://bucket/key`. Fails as `config-invalid`, `not-found`, `permission`, `unavailable`. */
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
  if (bucket === undefined || key === undefined) throw invalid(url, 'that is no address', 's3://bucket/key');
  const text = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key })).then(({ Body }) => Body?.transformToString() ?? '', (cause: unknown) => {
    throw fromAwsError(cause, `The deployed configuration ${url} could not be read`);
  });
  return { config: parse(url, text), hash: key.slice(key.lastIndexOf('/') + 1).replace(/\..*$/, '') };
}

/** Synth wrote it and its name is its hash: only that it is of this version is asked here. */
function parse(url: string, text: string): DeployedConfig {
  let json: Partial<DeployedConfig> | null;
  try {
    json = JSON.parse(text) as Partial<DeployedConfig> | null;
  } catch {
    throw invalid(url, 'it is not JSON', 'JSON that `cdk deploy` wrote');
  }
  if (json?.version !== 1) throw invalid(url, `it has version ${String(json?.version)}`, 'version 1');
  for (const field of ['plans', 'restoreTargets', 'vaults'] as const) if (!Array.isArray(json[field])) throw invalid(url, `${field} is no list`, 'a list');
  return json as DeployedConfig;
}

function invalid(url: string, seen: string, wanted: string): HoldfastError {
  return new HoldfastError('config-invalid', `The deployed configuration ${url} cannot be used: ${seen}, wanted ${wanted}.`, { nextStep: 'Deploy the stack again with the same version of Holdfast.' });
}
