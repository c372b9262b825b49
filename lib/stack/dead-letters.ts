import { Duration } from 'aws-cdk-lib';
import { MathExpression } from 'aws-cdk-lib/aws-cloudwatch';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';
import { runbookAlarm } from './alarm.ts';
import { ALARM_PERIOD } from './alerts.ts';

/**
 * Where events end that nobody took, for two weeks: names of plans and times, nothing secret, so SQS's own key is enough.
 * One alarm tells of a message in any of them.
 */
export class DeadLetters extends Construct {
  /** Schedules and rules could not start a function. */
  readonly undelivered: Queue;
  /** A function was started and failed each time. */
  readonly failures: Queue;

  constructor(scope: Construct, id: string, topic: ITopic) {
    super(scope, id);
    this.undelivered = this.#queue('Undelivered');
    this.failures = this.#queue('Failures');
    const metric = new MathExpression({
      expression: 'FILL(undelivered, 0) + FILL(failures, 0)',
      usingMetrics: { undelivered: visible(this.undelivered), failures: visible(this.failures) },
      period: ALARM_PERIOD,
      label: 'events that nobody took',
    });
    runbookAlarm(this, 'DeadLetters', { heading: 'An event was given up', means: 'An event reached no function, or its function failed each time: the queues with undelivered events are not empty.', metric, rings: 'at-least-one', topic });
  }

  #queue(id: string): Queue {
    const queue = new Queue(this, id, { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, retentionPeriod: Duration.days(14) });
    acknowledge(queue, 'AwsSolutions-SQS3', 'This queue is where undelivered events go; an alarm tells of every message in it.');
    return queue;
  }
}

function visible(queue: Queue) {
  return queue.metricApproximateNumberOfMessagesVisible({ period: ALARM_PERIOD, statistic: 'Maximum' });
}
