import { Duration, Stack } from 'aws-cdk-lib';
import { LambdaSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { RemoteSecretReference } from '../config/secret-reference.ts';
import { secretText } from '../config/secret-reference.ts';
import { notifyEnvironment } from '../settings/notify.ts';
import { runbookAlarm } from './alarm.ts';
import { ALARM_PERIOD } from './alerts.ts';
import type { ControlPlane } from './control-plane.ts';
import { DeployedFunction } from './deployed-function.ts';
import { grantSecrets } from './secret-grants.ts';

export interface NotifyProps {
  readonly plane: ControlPlane;
  readonly failures: IQueue;
  readonly slackWebhook: RemoteSecretReference;
}

/** Brings alerts from the topic to Slack. When it fails, its alarm goes to e-mail, which needs no code of ours. */
export class Notify extends Construct {
  readonly notify: DeployedFunction;

  constructor(scope: Construct, id: string, { plane, failures, slackWebhook }: NotifyProps) {
    super(scope, id);
    const stack = Stack.of(this);
    this.notify = new DeployedFunction(this, 'Notify', {
      name: 'notify',
      functions: plane.functions,
      architecture: plane.architecture,
      description: 'brings alerts to Slack',
      environment: notifyEnvironment({ stackName: stack.stackName, table: plane.table.table.tableName, slackWebhook: secretText(slackWebhook) }),
      timeout: Duration.minutes(1),
      failures,
    });
    plane.table.grantLedger(this.notify.role);
    grantSecrets(this.notify.role, [slackWebhook]);
    plane.alerts.topic.addSubscription(new LambdaSubscription(this.notify.function, { deadLetterQueue: failures }));
    runbookAlarm(this, 'NotifyFailing', { heading: 'The notify function fails', means: 'Alerts do not reach Slack: the function notify ended with an error.', metric: this.notify.function.metricErrors({ period: ALARM_PERIOD }), rings: 'at-least-one', topic: plane.alerts.topic });
  }
}
