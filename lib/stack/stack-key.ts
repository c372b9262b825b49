import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IGrantable } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';

/**
 * The key of the stack's messages. It is not the key of a vault: the alert that a vault's key is about to be deleted must
 * still be readable then, and who may publish an alert may not open a vault.
 */
export class StackKey extends Construct {
  readonly key: Key;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.key = new Key(this, 'Key', { description: 'Holdfast: messages of this stack', enableKeyRotation: true, removalPolicy: RemovalPolicy.DESTROY });
    // EventBridge sends no source conditions with its calls to KMS, so only CloudWatch can be held to this account.
    this.key.addToResourcePolicy(publisher('cloudwatch.amazonaws.com', Stack.of(this).account));
    this.key.addToResourcePolicy(publisher('events.amazonaws.com'));
  }

  /** For who publishes to a topic under this key. */
  grantPublishing(grantee: IGrantable): void {
    grantee.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({
      sid: 'SealMessages',
      actions: ['kms:GenerateDataKey', 'kms:Decrypt'],
      resources: [this.key.keyArn],
      conditions: { StringEquals: { 'kms:ViaService': `sns.${Stack.of(this).region}.amazonaws.com` } },
    }));
  }
}

function publisher(service: string, account?: string): PolicyStatement {
  return new PolicyStatement({
    effect: Effect.ALLOW,
    principals: [new ServicePrincipal(service)],
    actions: ['kms:GenerateDataKey', 'kms:Decrypt'],
    resources: ['*'],
    ...(account === undefined ? {} : { conditions: { StringEquals: { 'aws:SourceAccount': account } } }),
  });
}
