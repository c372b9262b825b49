import { isAllowed } from '../support/iam-evaluate.ts';
import type { Statement } from '../support/iam-evaluate.ts';
import { ACCOUNT, allRoles, arnOf, bucketPolicy, onlyOne, roleOf } from '../support/stack/deployed-names.ts';
import { EXAMPLE, ofType, templateOf } from '../support/stack/synthesize.ts';

const template = templateOf();
const bucketId = onlyOne(template, 'AWS::S3::Bucket');
const bucket = arnOf(template, bucketId);
const properties = template.Resources[bucketId]?.Properties as Record<string, never>;
const rules = bucketPolicy(template, bucketId);
const vaultKey = arnOf(template, Object.keys(template.Resources).find((id) => /^Vaultmain.*Key/.test(id)) as string);

/** The most powerful person of the account: what no deny of ours stops, they can do. */
const OWNER: readonly Statement[] = [{ Effect: 'Allow', Action: '*', Resource: '*' }];
const owner = (action: string, name: string, context: Readonly<Record<string, string>>) =>
  isAllowed({ action, resource: name === '' ? bucket : `${bucket}/${name}`, principal: `arn:aws:iam::${ACCOUNT}:root`, context: { 'aws:SecureTransport': 'true', ...context } }, { identity: OWNER, resource: rules });

describe("a vault's bucket (K1, K7)", () => {
  test.each([
    ['new object', { 's3:if-none-match': '*' }, true],
    ['object that may exist', {}, false],
    ['object under the vault\'s key by name', { 's3:if-none-match': '*', 's3:x-amz-server-side-encryption': 'aws:kms', 's3:x-amz-server-side-encryption-aws-kms-key-id': vaultKey }, true],
    ['object under another key', { 's3:if-none-match': '*', 's3:x-amz-server-side-encryption': 'aws:kms', 's3:x-amz-server-side-encryption-aws-kms-key-id': 'arn:aws:kms:eu-central-1:999999999999:key/x' }, false],
    ['object under S3\'s own key', { 's3:if-none-match': '*', 's3:x-amz-server-side-encryption': 'AES256' }, false],
    ['object under a key of the caller', { 's3:if-none-match': '*', 's3:x-amz-server-side-encryption-customer-algorithm': 'AES256' }, false],
    ['object without TLS', { 's3:if-none-match': '*', 'aws:SecureTransport': 'false' }, false],
  ] as const)('takes a %s from the owner, with %j: %s', (_what, context, expected) => {
    expect(owner('s3:PutObject', 'packs/hot/w/aa/p', context)).toBe(expected);
  });

  test('lets the pruner alone delete, by marker and never a version', () => {
    expect(owner('s3:DeleteObject', 'packs/hot/w/aa/p', {})).toBe(false);
    const pruner = roleOf(template, 'removes what retention and prune have ruled');
    const as = (action: string) => isAllowed({ action, resource: `${bucket}/packs/hot/w/aa/p`, principal: pruner.arn, context: { 'aws:SecureTransport': 'true' } }, { identity: [...pruner.statements, ...OWNER], resource: rules });
    expect(as('s3:DeleteObject')).toBe(true);
    expect(as('s3:DeleteObjectVersion')).toBe(false);
  });

  test('never locks its owner out: policy, settings and reading stay theirs', () => {
    for (const action of ['s3:PutBucketPolicy', 's3:DeleteBucketPolicy', 's3:GetBucketPolicy', 's3:PutLifecycleConfiguration', 's3:PutEncryptionConfiguration', 's3:DeleteBucket']) expect([action, owner(action, '', {})]).toEqual([action, true]);
    expect(owner('s3:GetObject', 'packs/hot/w/aa/p', {})).toBe(true);
    const denied = rules.filter(({ Effect, Condition }) => Effect === 'Deny' && Condition?.['Bool']?.['aws:SecureTransport'] === undefined).flatMap(({ Action }) => Action);
    expect([...new Set(denied)].sort()).toEqual(['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:PutObject']);
  });

  test('is versioned, locked by default for 30 days in governance mode, private, under the vault\'s key with a bucket key', () => {
    expect(properties).toMatchObject({
      VersioningConfiguration: { Status: 'Enabled' },
      ObjectLockEnabled: true,
      ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 30 } } },
      PublicAccessBlockConfiguration: { BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true },
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
      BucketEncryption: { ServerSideEncryptionConfiguration: [{ BucketKeyEnabled: true, ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' } }] },
    });
    for (const [id, { Properties }] of ofType(template, 'AWS::KMS::Key')) expect([id, Properties['EnableKeyRotation']]).toEqual([id, true]);
  });

  test('moves packs by class, never metadata or hot ones, and nothing under 1 MiB (K4); of what it holds only notes about WAL expire', () => {
    const { Rules } = (properties as unknown as { LifecycleConfiguration: { Rules: { Id: string; Prefix?: string }[] } }).LifecycleConfiguration;
    expect(Rules).toEqual([
      { Id: 'warm-packs', Prefix: 'packs/warm/', ObjectSizeGreaterThan: 1_048_576, Status: 'Enabled', Transitions: [{ StorageClass: 'STANDARD_IA', TransitionInDays: 30 }] },
      { Id: 'cold-packs', Prefix: 'packs/cold/', ObjectSizeGreaterThan: 1_048_576, Status: 'Enabled', Transitions: [{ StorageClass: 'GLACIER_IR', TransitionInDays: 30 }] },
      { Id: 'wal-notes', Prefix: 'wal-kept/', ExpirationInDays: 7, Status: 'Enabled' },
      { Id: 'deleted-versions', NoncurrentVersionExpiration: { NoncurrentDays: 14 }, Status: 'Enabled' },
      { Id: 'delete-markers', ExpiredObjectDeleteMarker: true, Status: 'Enabled' },
      { Id: 'unfinished-uploads', AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 }, Status: 'Enabled' },
    ]);
  });

  test('is locked in compliance mode only by a file that types the name of the vault again', () => {
    const compliance = (rest: string) => EXAMPLE.replace('{ mode: governance, days: 30 }', `{ mode: compliance, days: 400${rest} }`);
    expect(() => templateOf({ yaml: compliance('') })).toThrow(/confirm-compliance/);
    const made = templateOf({ yaml: compliance(', confirm-compliance: main') });
    expect(made.Resources[bucketId]?.Properties['ObjectLockConfiguration']).toMatchObject({ Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 400 } } });
  });

  test('nobody can take versions away, pass by governance, or change the lock (K7)', () => {
    for (const role of allRoles(template)) {
      for (const action of ['s3:DeleteObjectVersion', 's3:BypassGovernanceRetention', 's3:PutBucketObjectLockConfiguration', 's3:PutObjectRetention', 's3:PutObjectLegalHold', 's3:PutBucketVersioning', 's3:PutLifecycleConfiguration', 's3:PutBucketPolicy', 'kms:ScheduleKeyDeletion', 'kms:DisableKey', 'kms:PutKeyPolicy', 'dynamodb:DeleteTable', 'dynamodb:UpdateTable', 'dynamodb:UpdateContinuousBackups', 'dynamodb:BatchWriteItem']) {
        const resource = action.startsWith('kms') ? vaultKey : action.startsWith('dynamodb') ? arnOf(template, onlyOne(template, 'AWS::DynamoDB::GlobalTable')) : `${bucket}/packs/hot/w/aa/p`;
        expect([role.logicalId, action, isAllowed({ action, resource, principal: role.arn }, { identity: role.statements })]).toEqual([role.logicalId, action, false]);
      }
    }
  });
});
