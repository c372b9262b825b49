import { ArnFormat, Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IRole } from 'aws-cdk-lib/aws-iam';
import { singlesOf } from '../config/parts.ts';
import type { ResolvedSingleSource, ResolvedSource } from '../config/resolved-source.ts';

/** What a role may read of a bucket that is a source. */
export interface SourceBucket {
  readonly bucket: string;
  /** Of keys; empty: all. */
  readonly prefix: string;
  readonly isKeepingTags: boolean;
}

/** The buckets that a plan reads with the rights of its task. */
export function bucketsOf(source: ResolvedSource): SourceBucket[] {
  return singlesOf(source).flatMap((single) => bucketOf(single) ?? []);
}

/**
 * The bucket that a source reads with the rights of its task; undefined for every other source, and for a bucket elsewhere
 * or one whose keys the plan names.
 */
function bucketOf(source: ResolvedSingleSource): SourceBucket | undefined {
  if (source.type !== 's3' || source.endpoint !== undefined || source.credentials !== undefined) return undefined;
  return { bucket: source.bucket, prefix: source.prefix, isKeepingTags: source.tags };
}

/**
 * Lets a role list what begins with the prefix, and read those objects; nothing is written. Objects under a customer's own
 * KMS key need, beside this, `kms:Decrypt` for the role in that key's policy; a bucket of another account, its own policy.
 */
export function grantSourceBucket(role: IRole, { bucket, prefix, isKeepingTags }: SourceBucket): void {
  const arn = Stack.of(role).formatArn({ service: 's3', region: '', account: '', resource: bucket, arnFormat: ArnFormat.NO_RESOURCE_NAME });
  const below = literally(prefix);
  const conditions = prefix === '' ? {} : { conditions: { StringLike: { 's3:prefix': `${below}*` } } };
  role.addToPrincipalPolicy(new PolicyStatement({ actions: ['s3:ListBucket'], resources: [arn], ...conditions }));
  const tagging = isKeepingTags ? ['s3:GetObjectTagging', 's3:GetObjectVersionTagging'] : [];
  role.addToPrincipalPolicy(new PolicyStatement({ actions: ['s3:GetObject', 's3:GetObjectVersion', ...tagging], resources: [`${arn}/${below}*`] }));
}

/** Characters that mean something in a policy, as themselves (IAM, policy variables). */
function literally(text: string): string {
  return text.replaceAll(/[*?$]/g, (character) => `\${${character}}`);
}
