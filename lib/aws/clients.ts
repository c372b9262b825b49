import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ECSClient } from '@aws-sdk/client-ecs';
import { KMSClient } from '@aws-sdk/client-kms';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SNSClient } from '@aws-sdk/client-sns';
import { SSMClient } from '@aws-sdk/client-ssm';
import { s3ClientOptions } from '../stores/s3/client-options.ts';

/**
 * The one place that makes SDK clients. Region, credentials and endpoint come from the environment by the SDK's own
 * rules (AWS_REGION, the task's or function's role, AWS_ENDPOINT_URL); connections are kept alive by its default.
 * Make each client once in a process: every one has its own connections and credentials.
 */
export interface ClientOptions {
  /** Connections at once; 50 when not given. */
  readonly maxSockets?: number;
  /** Of one call, the first included; 4 when not given. Adapters that retry by themselves ask for 1. */
  readonly maxAttempts?: number;
  /** For tests, instead of the environment. */
  readonly endpoint?: string;
  readonly region?: string;
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** Of a bucket that is not the vault's: all as its plan says it. */
export interface BucketClientOptions extends Pick<ClientOptions, 'endpoint' | 'region' | 'credentials'> {
  readonly pathStyle: boolean;
  readonly caFile?: string;
}

/** A lost peer is noticed after these; no call here waits longer for a first byte, S3 of 64 MiB bodies included. */
const CONNECTION_TIMEOUT_MS = 5_000;
const IDLE_TIMEOUT_MS = 60_000;

export function dynamoClient(options: ClientOptions = {}): DynamoDBClient {
  return new DynamoDBClient(common(options));
}

export function ecsClient(options: ClientOptions = {}): ECSClient {
  return new ECSClient(common(options));
}

export function kmsClient(options: ClientOptions = {}): KMSClient {
  return new KMSClient(common(options));
}

/**
 * As a store wants it, which retries by itself: one attempt when `maxAttempts` is not given. Path style with
 * AWS_ENDPOINT_URL: emulators and most S3-compatible stores have no host name for each bucket.
 */
export function s3Client({ maxAttempts, endpoint, region, credentials }: ClientOptions = {}): S3Client {
  const pathStyle = endpoint !== undefined || process.env['AWS_ENDPOINT_URL'] !== undefined || process.env['AWS_ENDPOINT_URL_S3'] !== undefined;
  return new S3Client({ ...s3ClientOptions({ endpoint, region, pathStyle }), ...(maxAttempts !== undefined && { maxAttempts }), ...(credentials && { credentials }) });
}

/** For somebody's bucket; without an endpoint of its own where AWS_ENDPOINT_URL says. */
export function bucketClient({ endpoint, region, pathStyle, caFile, credentials }: BucketClientOptions): S3Client {
  const isElsewhere = endpoint === undefined && (process.env['AWS_ENDPOINT_URL'] !== undefined || process.env['AWS_ENDPOINT_URL_S3'] !== undefined);
  return new S3Client({ ...s3ClientOptions({ endpoint, region, pathStyle: pathStyle || isElsewhere, caFile }), ...(credentials && { credentials }) });
}

export function logsClient(options: ClientOptions = {}): CloudWatchLogsClient {
  return new CloudWatchLogsClient(common(options));
}

export function secretsClient(options: ClientOptions = {}): SecretsManagerClient {
  return new SecretsManagerClient(common(options));
}

export function snsClient(options: ClientOptions = {}): SNSClient {
  return new SNSClient(common(options));
}

export function ssmClient(options: ClientOptions = {}): SSMClient {
  return new SSMClient(common(options));
}

export function stepFunctionsClient(options: ClientOptions = {}): SFNClient {
  return new SFNClient(common(options));
}

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

function common({ maxSockets = 50, maxAttempts = 4, endpoint, region, credentials }: ClientOptions) {
  const agent = { keepAlive: true, maxSockets };
  return {
    maxAttempts,
    // Left out, the SDK tells console.warn of each retry; what matters is told as errors and retries of the house.
    logger: SILENT,
    requestHandler: { connectionTimeout: CONNECTION_TIMEOUT_MS, socketTimeout: IDLE_TIMEOUT_MS, httpAgent: agent, httpsAgent: agent },
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(credentials && { credentials }),
  };
}
