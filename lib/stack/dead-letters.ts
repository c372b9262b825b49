import { Duration } from 'aws-cdk-lib';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';
import { runbookAlarm } from './alarm.ts';
import { ALARM_PERIOD } from './alerts.ts';

/**
 * Where events end that nobody took, for two weeks: names of plans and times, nothing secret, so SQS's own key is enough.
 * An alarm tells of every message in them.
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
    // One alarm each: what lies where tells which of the two has failed.
    const rows = [
      ['UndeliveredEvents', this.undelivered, 'An event was not delivered', 'A schedule or an event rule could not start its function.'],
      ['FailedEvents', this.failures, 'An event was given up', 'A function failed three times with the same event, which now waits in a queue.'],
    ] as const;
    for (const [alarm, queue, heading, means] of rows) runbookAlarm(this, alarm, { heading, means, metric: queue.metricApproximateNumberOfMessagesVisible({ period: ALARM_PERIOD, statistic: 'Maximum' }), rings: 'at-least-one', topic });
  }

  #queue(id: string): Queue {
    const queue = new Queue(this, id, { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, retentionPeriod: Duration.days(14) });
    acknowledge(queue, 'AwsSolutions-SQS3', 'This queue is where undelivered events go; an alarm tells of every message in it.');
    return queue;
  }
}
