import { EventField, Rule, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { SnsTopic } from 'aws-cdk-lib/aws-events-targets';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';

export interface KeyWatchProps {
  /** ARNs of the vaults' keys. */
  readonly keys: readonly string[];
  readonly topic: ITopic;
}

/** Heading of the runbook, as an alarm has one. */
export const KEY_AT_RISK_HEADING = "A vault's key is about to be lost";

/**
 * Tells at once when somebody schedules the deletion of a vault's key or disables it: without it everything in the
 * vault is lost. EventBridge hears of it from CloudTrail, which must record management events; the monitor asks KMS too.
 */
export class KeyWatch extends Construct {
  readonly rule: Rule;

  constructor(scope: Construct, id: string, { keys, topic }: KeyWatchProps) {
    super(scope, id);
    const what = EventField.fromPath('$.detail.eventName');
    const who = EventField.fromPath('$.detail.userIdentity.arn');
    const key = EventField.fromPath('$.detail.resources[0].ARN');
    this.rule = new Rule(this, 'KeyAtRisk', {
      description: `A vault's key is being deleted or disabled. What to do: docs/runbook.md, "${KEY_AT_RISK_HEADING}".`,
      eventPattern: {
        source: ['aws.kms'],
        detailType: ['AWS API Call via CloudTrail'],
        detail: { eventSource: ['kms.amazonaws.com'], eventName: ['ScheduleKeyDeletion', 'DisableKey'], resources: { ARN: [...keys] } },
      },
      targets: [new SnsTopic(topic, { message: RuleTargetInput.fromText(`CRITICAL ${KEY_AT_RISK_HEADING}: ${what} on ${key} by ${who}. Without this key nothing in its vault can be read. Cancel it now: aws kms cancel-key-deletion --key-id ${key} ; aws kms enable-key --key-id ${key}. See docs/runbook.md.`) })],
    });
    acknowledge(this.rule, '@aws-cdk/aws-events:ruleUnresolvedEnvironment', 'A topic that is brought lies in the region of the stack, as the configuration says.');
  }
}
