import type { ResolvedStackVault } from './resolved-aws.ts';
import type { LocalSecretReference } from './secret-reference.ts';

/** Where backups are kept. */
export type ResolvedVault = ResolvedDirectoryVault | ResolvedS3Vault | ResolvedStackVault;

/** Every stored byte is read again within so many days, by runs that take no longer than told. */
export interface ResolvedCoverage {
  readonly withinDays: number;
  readonly maxDurationMs?: number;
}

export interface ResolvedDirectoryVault {
  readonly kind: 'directory';
  readonly name: string;
  readonly directory: string;
  readonly key: ResolvedKey;
  /** Writers whose packs are reused besides one's own. */
  readonly trustedWriters?: readonly string[];
  /** Files with the public halves of offline recipients. */
  readonly recipients?: readonly string[];
  readonly coverage?: ResolvedCoverage;
}

/** A bucket of any store that speaks S3, used by the local runtime. */
export interface ResolvedS3Vault {
  readonly kind: 's3';
  readonly name: string;
  readonly bucket: string;
  /** Without a slash at either end; empty: the whole bucket. */
  readonly prefix: string;
  /** Absent: AWS itself. */
  readonly endpoint?: string;
  readonly region?: string;
  /** The bucket's name in the path instead of the host name: what most stores but AWS want. */
  readonly pathStyle: boolean;
  /** PEM file of the authority that signed the endpoint's certificate. */
  readonly caFile?: string;
  readonly key: ResolvedKey;
  readonly trustedWriters?: readonly string[];
  readonly recipients?: readonly string[];
  readonly coverage?: ResolvedCoverage;
}

export type ResolvedKey =
  | { readonly kind: 'key-file' | 'passphrase-file'; readonly path: string }
  | { readonly kind: 'passphrase'; readonly secret: LocalSecretReference }
  /** ARN of a key or alias, or `alias/NAME`, of AWS KMS. */
  | { readonly kind: 'kms'; readonly keyId: string };
