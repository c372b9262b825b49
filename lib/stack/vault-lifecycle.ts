import { Duration } from 'aws-cdk-lib';
import { StorageClass } from 'aws-cdk-lib/aws-s3';
import type { LifecycleRule } from 'aws-cdk-lib/aws-s3';
import type { ResolvedStackVault } from '../config/resolved-aws.ts';
import { HoldfastError } from '../model/errors.ts';

/** S3 refuses Standard-IA before day 30, and bills an object there for at least this many days. */
const LEAST_DAYS_TO_INFREQUENT_ACCESS = 30;
/** Smaller packs stay in Standard: the colder classes bill at least 128 KiB an object and each move costs a request. */
const LEAST_BYTES_TO_MOVE = 1024 * 1024;
/** A wrong prune can be undone for this long (design: Locks). */
const NONCURRENT_DAYS = 14;

/** Notes that all WAL is kept: the newest tell, and whoever stores them may not delete (decision 0028). */
const NOTE_DAYS = 7;

/**
 * Rules by class (K4): warm packs to Standard-IA, cold ones to Glacier Instant Retrieval, both readable at once.
 * Hot packs and metadata never move. Fails with `config-invalid` when S3 would refuse the days.
 */
export function vaultLifecycle(vault: Pick<ResolvedStackVault, 'name' | 'warmAfterDays' | 'coldAfterDays'>): LifecycleRule[] {
  refuseEarlyMove(vault);
  return [
    move('warm-packs', 'packs/warm/', StorageClass.INFREQUENT_ACCESS, vault.warmAfterDays),
    move('cold-packs', 'packs/cold/', StorageClass.GLACIER_INSTANT_RETRIEVAL, vault.coldAfterDays),
    { id: 'wal-notes', prefix: 'wal-kept/', expiration: Duration.days(NOTE_DAYS) },
    { id: 'deleted-versions', noncurrentVersionExpiration: Duration.days(NONCURRENT_DAYS) },
    { id: 'delete-markers', expiredObjectDeleteMarker: true },
    { id: 'unfinished-uploads', abortIncompleteMultipartUploadAfter: Duration.days(1) },
  ];
}

function move(id: string, prefix: string, storageClass: StorageClass, days: number): LifecycleRule {
  return { id, prefix, objectSizeGreaterThan: LEAST_BYTES_TO_MOVE, transitions: [{ storageClass, transitionAfter: Duration.days(days) }] };
}

function refuseEarlyMove({ name, warmAfterDays, coldAfterDays }: Pick<ResolvedStackVault, 'name' | 'warmAfterDays' | 'coldAfterDays'>): void {
  if (warmAfterDays >= LEAST_DAYS_TO_INFREQUENT_ACCESS && coldAfterDays >= 0) return;
  throw new HoldfastError('config-invalid', `Vault ${name} moves warm packs after ${warmAfterDays} days and cold ones after ${coldAfterDays}, wanted at least ${LEAST_DAYS_TO_INFREQUENT_ACCESS} and at least 0: S3 moves nothing to Standard-IA earlier.`, {
    nextStep: `Raise the days of vault ${name} in holdfast.yaml.`,
  });
}
