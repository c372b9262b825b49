import { DynamoDBClient, UpdateContinuousBackupsCommand, UpdateTimeToLiveCommand } from '@aws-sdk/client-dynamodb';
import { LambdaClient, UpdateFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { GetObjectCommand, GetObjectRetentionCommand, PutBucketEncryptionCommand, PutBucketLifecycleConfigurationCommand, PutBucketVersioningCommand, PutObjectCommand, PutObjectLockConfigurationCommand, S3Client, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import type { ObjectLockRule, ServerSideEncryptionRule, TransitionStorageClass } from '@aws-sdk/client-s3';
import { deployedTemplates } from './deployed-template.ts';
import type { DeployedTemplate, TemplateResource } from './deployed-template.ts';
import type { Emulator } from './emulator.ts';

// As CloudFormation documents each type; nothing else reads them.
// oxlint-disable-next-line typescript/no-explicit-any
type Properties = Readonly<Record<string, any>>;
interface Place {
  readonly template: DeployedTemplate;
  readonly name: string;
  readonly clients: { readonly s3: S3Client; readonly dynamodb: DynamoDBClient; readonly lambda: LambdaClient };
}

/** What the emulator's CloudFormation accepts and drops, by resource type and property; the property of the template decides. */
const DROPPED: readonly { readonly type: string; readonly property: string; readonly apply: (properties: Properties, place: Place) => Promise<unknown> }[] = [
  { type: 'AWS::S3::Bucket', property: 'ObjectLockEnabled', apply: applyObjectLock },
  { type: 'AWS::S3::Bucket', property: 'BucketEncryption', apply: applyEncryption },
  { type: 'AWS::S3::Bucket', property: 'LifecycleConfiguration', apply: applyLifecycle },
  // After both of the above.
  { type: 'AWS::S3::Bucket', property: 'ObjectLockConfiguration', apply: storeAgain },
  { type: 'AWS::DynamoDB::Table', property: 'TimeToLiveSpecification', apply: applyTimeToLive },
  { type: 'AWS::DynamoDB::Table', property: 'PointInTimeRecoverySpecification', apply: applyPointInTimeRecovery },
  { type: 'AWS::DynamoDB::GlobalTable', property: 'TimeToLiveSpecification', apply: applyTimeToLive },
  { type: 'AWS::DynamoDB::GlobalTable', property: 'Replicas', apply: applyReplicaRecovery },
  { type: 'AWS::Lambda::Function', property: 'DeadLetterConfig', apply: applyDeadLetter },
];

/** Says what it applied, one line each. Callable after every deploy. */
export async function completeTemplates(cloudAssembly: string, emulator: Emulator): Promise<string[]> {
  const clients = { s3: new S3Client({ ...emulator.client, forcePathStyle: true }), dynamodb: new DynamoDBClient(emulator.client), lambda: new LambdaClient(emulator.client) };
  const applied: string[] = [];
  for (const template of await deployedTemplates(cloudAssembly, emulator)) {
    for (const [id, resource] of Object.entries(template.resources)) applied.push(...(await complete(id, resource, { template, clients })));
  }
  return applied;
}

async function complete(id: string, { Type, Properties = {} }: TemplateResource, around: Omit<Place, 'name'>): Promise<string[]> {
  const rows = DROPPED.filter(({ type, property }) => type === Type && Properties[property]);
  const name = rows.length > 0 ? around.template.physical(id) : '';
  for (const { apply } of rows) await apply(around.template.value<Properties>(Properties), { ...around, name });
  return rows.map(({ property }) => `${around.template.stackName} ${id}: ${property}`);
}

/** S3 turns versioning on with Object Lock; the emulator waits to be told. */
async function applyObjectLock({ ObjectLockConfiguration }: Properties, { name, clients }: Place): Promise<unknown> {
  await clients.s3.send(new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration: { Status: 'Enabled' } }));
  const rule = ObjectLockConfiguration?.Rule as ObjectLockRule | undefined;
  return clients.s3.send(new PutObjectLockConfigurationCommand({ Bucket: name, ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', ...(rule && { Rule: rule }) } }));
}

/** What a custom resource stored while the stack was deployed came before lock and encryption: stored again, it has both. */
async function storeAgain(_: Properties, { name, clients: { s3 } }: Place): Promise<void> {
  for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket: name })) {
    for (const { Key } of Contents) {
      const isLocked = await s3.send(new GetObjectRetentionCommand({ Bucket: name, Key })).then(() => true, () => false);
      if (isLocked) continue;
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: name, Key }));
      await s3.send(new PutObjectCommand({ Bucket: name, Key, Body: (await Body?.transformToByteArray()) ?? new Uint8Array() }));
    }
  }
}

function applyEncryption({ BucketEncryption }: Properties, { name, clients }: Place): Promise<unknown> {
  const rules = (BucketEncryption.ServerSideEncryptionConfiguration as Properties[]).map((rule) => ({
    ApplyServerSideEncryptionByDefault: rule['ServerSideEncryptionByDefault'], BucketKeyEnabled: rule['BucketKeyEnabled'],
  }) as ServerSideEncryptionRule);
  return clients.s3.send(new PutBucketEncryptionCommand({ Bucket: name, ServerSideEncryptionConfiguration: { Rules: rules } }));
}

function applyLifecycle({ LifecycleConfiguration }: Properties, { name, clients }: Place): Promise<unknown> {
  return clients.s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket: name, LifecycleConfiguration: { Rules: (LifecycleConfiguration.Rules as Properties[]).map(lifecycleRule) } }));
}

function lifecycleRule(rule: Properties) {
  const minimum = rule['ObjectSizeGreaterThan'] === undefined ? undefined : Number(rule['ObjectSizeGreaterThan']);
  const prefix = rule['Prefix'] ?? '';
  return {
    ID: rule['Id'], Status: rule['Status'],
    Filter: minimum === undefined ? { Prefix: prefix } : { And: { Prefix: prefix, ObjectSizeGreaterThan: minimum } },
    ...(rule['ExpirationInDays'] && { Expiration: { Days: rule['ExpirationInDays'] } }),
    ...(rule['ExpiredObjectDeleteMarker'] && { Expiration: { ExpiredObjectDeleteMarker: true } }),
    ...(rule['Transitions'] && { Transitions: (rule['Transitions'] as Properties[]).map((move) => ({ Days: move['TransitionInDays'] as number, StorageClass: move['StorageClass'] as TransitionStorageClass })) }),
    ...(rule['NoncurrentVersionExpiration'] && { NoncurrentVersionExpiration: rule['NoncurrentVersionExpiration'] }),
    ...(rule['AbortIncompleteMultipartUpload'] && { AbortIncompleteMultipartUpload: rule['AbortIncompleteMultipartUpload'] }),
  };
}

async function applyTimeToLive({ TimeToLiveSpecification }: Properties, { name, clients }: Place): Promise<unknown> {
  const order = new UpdateTimeToLiveCommand({ TableName: name, TimeToLiveSpecification: { AttributeName: TimeToLiveSpecification.AttributeName, Enabled: true } });
  return clients.dynamodb.send(order).catch((error: Error) => {
    if (!/already enabled/i.test(error.message)) throw error;
  });
}

function applyPointInTimeRecovery(_: Properties, { name, clients }: Place): Promise<unknown> {
  return clients.dynamodb.send(new UpdateContinuousBackupsCommand({ TableName: name, PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } }));
}

async function applyReplicaRecovery({ Replicas }: Properties, place: Place): Promise<unknown> {
  const isAsked = (Replicas as Properties[]).some((replica) => replica['PointInTimeRecoverySpecification']?.PointInTimeRecoveryEnabled);
  return isAsked ? applyPointInTimeRecovery({}, place) : undefined;
}

function applyDeadLetter({ DeadLetterConfig }: Properties, { name, clients }: Place): Promise<unknown> {
  return clients.lambda.send(new UpdateFunctionConfigurationCommand({ FunctionName: name, DeadLetterConfig: DeadLetterConfig as { TargetArn: string } }));
}
