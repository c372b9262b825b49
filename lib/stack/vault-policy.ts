import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';

export interface VaultRules {
  readonly bucketArn: string;
  readonly keyArn: string;
  readonly prunerRoleArn: string;
}

/**
 * What a vault's bucket refuses whoever asks, whatever their own policy says. Nothing here touches the bucket's policy
 * or its settings: its owner can always repair a mistake in it.
 */
export function vaultRules({ bucketArn, keyArn, prunerRoleArn }: VaultRules): PolicyStatement[] {
  const objects = `${bucketArn}/*`;
  return [
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html. The parts of a multipart
    // upload carry no such header, so this ends those too: Holdfast has none (format: objects are at most 64 MiB).
    deny('OnlyNewObjects', ['s3:PutObject'], objects, { Null: { 's3:if-none-match': 'true' } }),
    // Absent headers mean the bucket's own key; only a different one that is present is refused.
    deny('OnlyTheVaultsKey', ['s3:PutObject'], objects, { Null: { 's3:x-amz-server-side-encryption-aws-kms-key-id': 'false' }, StringNotEquals: { 's3:x-amz-server-side-encryption-aws-kms-key-id': keyArn } }),
    deny('OnlyKms', ['s3:PutObject'], objects, { Null: { 's3:x-amz-server-side-encryption': 'false' }, StringNotEquals: { 's3:x-amz-server-side-encryption': 'aws:kms' } }),
    deny('NoCustomerKeys', ['s3:PutObject'], objects, { Null: { 's3:x-amz-server-side-encryption-customer-algorithm': 'false' } }),
    deny('OnlyThePrunerDeletes', ['s3:DeleteObject'], objects, { ArnNotEquals: { 'aws:PrincipalArn': prunerRoleArn } }),
    // A deleted version is gone at once, so nobody has it while this stands; taking the statement away is an act that shows.
    deny('NobodyDeletesVersions', ['s3:DeleteObjectVersion'], objects),
  ];
}

function deny(sid: string, actions: readonly string[], resource: string, conditions?: Readonly<Record<string, Readonly<Record<string, string>>>>): PolicyStatement {
  return new PolicyStatement({ sid, effect: Effect.DENY, principals: [new AnyPrincipal()], actions: [...actions], resources: [resource], ...(conditions && { conditions }) });
}
