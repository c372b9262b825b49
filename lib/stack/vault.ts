import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Key } from 'aws-cdk-lib/aws-kms';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectLockRetention, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { ResolvedStackVault } from '../config/resolved-aws.ts';
import { acknowledge } from './acknowledge.ts';
import { vaultLifecycle } from './vault-lifecycle.ts';
import { vaultRules } from './vault-policy.ts';
import { VaultAccess } from './vault-access.ts';

/**
 * Where backups are kept: a bucket that only ever gains objects, under a key of its own. Both outlive the stack, but
 * not a first deploy that is rolled back: nothing is in them then. A bucket
 * that is brought keeps its own settings; `holdfast doctor` says which of them are missing.
 */
export class Vault extends Construct {
  readonly vaultName: string;
  readonly bucket: IBucket;
  readonly key: IKey;
  /** Who may do what in it. */
  readonly access: VaultAccess;

  constructor(scope: Construct, id: string, vault: ResolvedStackVault) {
    super(scope, id);
    this.vaultName = vault.name;
    this.key = vault.existingKey === undefined ? this.#makeKey() : Key.fromKeyArn(this, 'Key', vault.existingKey);
    const made = vault.existingBucket === undefined ? this.#makeBucket(vault) : undefined;
    this.bucket = (made as IBucket | undefined) ?? Bucket.fromBucketName(this, 'Bucket', vault.existingBucket as string);
    this.access = new VaultAccess(this, 'Access', { bucketArn: this.bucket.bucketArn, keyArn: this.key.keyArn });
    for (const rule of made ? vaultRules({ bucketArn: made.bucketArn, keyArn: this.key.keyArn, prunerRoleArn: this.access.pruner.roleArn }) : []) made?.addToResourcePolicy(rule);
    // With the bucket, or what a destroyed stack leaves behind could be overwritten and deleted by whoever has a right to.
    made?.policy?.applyRemovalPolicy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE);
  }

  /** As `HOLDFAST_VAULTS` and the stack's output name it. */
  get place(): { readonly bucket: string; readonly prefix: string; readonly keyArn: string } {
    return { bucket: this.bucket.bucketName, prefix: '', keyArn: this.key.keyArn };
  }

  #makeKey(): Key {
    return new Key(this, 'Key', {
      description: `Holdfast: vault ${this.vaultName} of ${Stack.of(this).stackName}. Without this key nothing in the vault can be read.`,
      enableKeyRotation: true,
      pendingWindow: Duration.days(30),
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
  }

  #makeBucket(vault: ResolvedStackVault): Bucket {
    const bucket = new Bucket(this, 'Bucket', {
      versioned: true,
      ...lockOf(vault.lock),
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      encryption: BucketEncryption.KMS,
      encryptionKey: this.key,
      bucketKeyEnabled: true,
      enforceSSL: true,
      lifecycleRules: vaultLifecycle(vault),
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    acknowledge(bucket, 'CloudFormation-Validate::W9003', 'The construct writes ObjectSizeGreaterThan as a number; CloudFormation reads it as one.');
    acknowledge(bucket, 'AwsSolutions-S1', 'Who read or wrote which object is asked of CloudTrail data events, which the owner of the account turns on for all buckets; server access logs would need a second bucket that is itself not logged.');
    return bucket;
  }
}

/** Once made, Object Lock cannot be taken away; without default retention it waits for single objects to be locked. */
function lockOf({ mode, days }: ResolvedStackVault['lock']): { objectLockEnabled: true; objectLockDefaultRetention?: ObjectLockRetention } {
  if (mode === 'none') return { objectLockEnabled: true };
  const retention = mode === 'compliance' ? ObjectLockRetention.compliance : ObjectLockRetention.governance;
  return { objectLockEnabled: true, objectLockDefaultRetention: retention.call(ObjectLockRetention, Duration.days(days)) };
}
