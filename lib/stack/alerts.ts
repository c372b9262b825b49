import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IGrantable } from 'aws-cdk-lib/aws-iam';
import { Subscription, SubscriptionProtocol, Topic } from 'aws-cdk-lib/aws-sns';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { ResolvedNotifications } from '../config/resolved-aws.ts';
import { StackKey } from './stack-key.ts';

/**
 * Where alerts go. E-mail hangs on the topic itself and depends on no code of ours. A topic that is brought keeps its
 * own key and policy: they must let this stack's roles, CloudWatch and EventBridge publish.
 */
export class Alerts extends Construct {
  readonly topic: ITopic;
  readonly #key: StackKey | undefined;

  constructor(scope: Construct, id: string, { emails, existingTopic }: ResolvedNotifications) {
    super(scope, id);
    this.#key = existingTopic === undefined ? new StackKey(this, 'Key') : undefined;
    this.topic = this.#key === undefined ? Topic.fromTopicArn(this, 'Topic', existingTopic as string) : this.#make(this.#key);
    // By address, not by place in the list: a new address must not end the subscription of another.
    for (const address of emails) new Subscription(this, `Email ${address}`, { topic: this.topic, protocol: SubscriptionProtocol.EMAIL, endpoint: address });
  }

  /** Sends alerts, and can do nothing else with the topic. */
  grantPublishing(grantee: IGrantable): void {
    grantee.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions: ['sns:Publish'], resources: [this.topic.topicArn] }));
    this.#key?.grantPublishing(grantee);
  }

  /** Sees who has not confirmed that they want alerts. */
  grantListing(grantee: IGrantable): void {
    grantee.grantPrincipal.addToPrincipalPolicy(new PolicyStatement({ actions: ['sns:ListSubscriptionsByTopic'], resources: [this.topic.topicArn] }));
  }

  #make(key: StackKey): Topic {
    const topic = new Topic(this, 'Topic', { displayName: `Holdfast ${Stack.of(this).stackName}`, masterKey: key.key });
    for (const rule of topicRules(topic.topicArn, Stack.of(this))) topic.addToResourcePolicy(rule);
    return topic;
  }
}

function topicRules(topicArn: string, stack: Stack): PolicyStatement[] {
  const alarms = stack.formatArn({ service: 'cloudwatch', resource: 'alarm', resourceName: '*', arnFormat: ArnFormat.COLON_RESOURCE_NAME });
  return [
    new PolicyStatement({ sid: 'OnlyTls', effect: Effect.DENY, principals: [new AnyPrincipal()], actions: ['sns:Publish'], resources: [topicArn], conditions: { Bool: { 'aws:SecureTransport': 'false' } } }),
    new PolicyStatement({ sid: 'Alarms', principals: [new ServicePrincipal('cloudwatch.amazonaws.com')], actions: ['sns:Publish'], resources: [topicArn], conditions: { ArnLike: { 'aws:SourceArn': alarms } } }),
    // EventBridge sends no source conditions when it publishes to a topic.
    new PolicyStatement({ sid: 'Rules', principals: [new ServicePrincipal('events.amazonaws.com')], actions: ['sns:Publish'], resources: [topicArn] }),
  ];
}

/** How long CloudWatch looks back when it counts errors. */
export const ALARM_PERIOD = Duration.minutes(5);
