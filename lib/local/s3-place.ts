import { resolve } from 'node:path';
import { HoldfastError } from '../model/errors.ts';

/** Where a vault in a bucket is; nothing secret: credentials come from the SDK's own chain. */
export interface S3Place {
  readonly bucket: string;
  /** Without a slash at either end; empty: the whole bucket. */
  readonly prefix: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly pathStyle?: boolean;
  readonly caFile?: string;
}

export const S3_SCHEME = 's3://';
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const COMPONENTS = /^(?:(?!\.\.?(?:\/|$))[A-Za-z0-9._-]{1,255}(?:\/(?=.)|$))*$/;
const PARAMETERS = ['endpoint', 'region', 'path-style', 'ca-file'];
const WANTED = 's3://BUCKET/PREFIX with endpoint, region, path-style and ca-file as parameters';

/** `s3://bucket/prefix?endpoint=URL&region=NAME&path-style=true&ca-file=FILE`. Fails as `usage`. */
export function parseS3Place(text: string, workingFolder: string): S3Place {
  const [, bucket = '', path = '', query = ''] = /^s3:\/\/([^/?]*)\/?([^?]*)(?:\?(.*))?$/.exec(text) ?? [];
  if (bucket.includes('@')) throw new HoldfastError('usage', 'The vault holds credentials, wanted none in a command line.', { nextStep: 'Give them by AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role.' });
  const prefix = path.replace(/\/$/, '');
  if (!BUCKET.test(bucket)) throw wrong(text, `the bucket is ${JSON.stringify(bucket)}`);
  if (prefix.length >= 512 || !COMPONENTS.test(prefix)) throw wrong(text, `the prefix is ${JSON.stringify(prefix)}, of letters, digits, ".", "_", "-" and "/" alone`);
  const parameters = new URLSearchParams(query);
  const stranger = [...parameters.keys()].find((name) => !PARAMETERS.includes(name));
  if (stranger !== undefined) throw wrong(text, `there is no parameter ${stranger}`);
  const endpoint = endpointOf(text, parameters.get('endpoint'));
  const region = parameters.get('region');
  const caFile = parameters.get('ca-file');
  const pathStyle = flagOf(text, parameters.get('path-style'));
  return {
    bucket, prefix,
    ...(endpoint && { endpoint }), ...(region && { region }), ...(caFile && { caFile: resolve(workingFolder, caFile) }), ...(pathStyle !== undefined && { pathStyle }),
  };
}

/** For people and messages: what tells vaults apart. */
export function describePlace({ bucket, prefix }: S3Place): string {
  return `${S3_SCHEME}${[bucket, prefix].filter(Boolean).join('/')}`;
}

function endpointOf(text: string, endpoint: string | null): string | undefined {
  if (endpoint === null || endpoint === '') return undefined;
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw wrong(text, `the endpoint is ${JSON.stringify(endpoint)}, no URL of http or https`);
  if (url.username || url.password) throw wrong(`${S3_SCHEME}…`, 'the endpoint holds credentials');
  return endpoint.replace(/\/$/, '');
}

function flagOf(text: string, value: string | null): boolean | undefined {
  if (value === null) return undefined;
  if (value !== 'true' && value !== 'false') throw wrong(text, `path-style is ${JSON.stringify(value)}, neither true nor false`);
  return value === 'true';
}

function wrong(text: string, seen: string): HoldfastError {
  return new HoldfastError('usage', `The vault ${text} cannot be used: ${seen}. Wanted ${WANTED}.`);
}
