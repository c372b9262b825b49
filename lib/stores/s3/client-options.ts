import { readFileSync } from 'node:fs';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { HoldfastError } from '../../model/errors.ts';

/** Where a bucket is reached; all may be left out for a bucket of AWS in the region of the environment. */
export interface S3Access {
  /** URL of an S3-compatible store. */
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`; when absent: exactly for an endpoint of one's own. */
  readonly pathStyle?: boolean | undefined;
  /** PEM file with the authority that signed the endpoint's certificate. */
  readonly caFile?: string | undefined;
}

/** Most connections at once; a store of this client has fewer requests under way. */
const MAX_SOCKETS = 64;
const CONNECTION_TIMEOUT_MS = 10_000;
/** Without any byte in either direction; a slow line that moves is no failure. */
const SOCKET_TIMEOUT_MS = 60_000;

/** Failures are translated and told by whoever called; the SDK would write some of them to standard error as well. */
const SILENT = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {}

/**
 * Options of an S3Client for a vault. Credentials are left to the SDK's chain, which asks its provider again before they
 * expire. `missing-key` is never meant: fails as `config-invalid` when the CA file cannot be read.
 */
export function s3ClientOptions({ endpoint, region, pathStyle, caFile }: S3Access): S3ClientConfig {
  return {
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    forcePathStyle: pathStyle ?? endpoint !== undefined,
    // `retrying` repeats calls, with one budget and full jitter; retries in here would multiply with its.
    maxAttempts: 1,
    // With `Expect: 100-continue` the SDK opens a connection of its own for each object, which knows no CA file.
    expectContinueHeader: false,
    logger: SILENT,
    // The store sends a SHA-256 with every object; another checksum on top is work for nobody. Reading asks for it itself.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      socketTimeout: SOCKET_TIMEOUT_MS,
      httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS, ...(caFile !== undefined && { ca: readAuthority(caFile) }) },
    },
  };
}

function readAuthority(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new HoldfastError('config-invalid', `The CA file ${file} cannot be read (${(cause as NodeJS.ErrnoException).code}), wanted a PEM file.`, { nextStep: 'Check `ca-file` of the vault, or AWS_CA_BUNDLE.', cause });
  }
}
