import { Duration, Stack } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { monitorEnvironment } from '../settings/monitor.ts';
import { runbookAlarm } from './alarm.ts';
import { ALARM_PERIOD } from './alerts.ts';
import type { ControlPlane } from './control-plane.ts';
import { environmentValues, grantConfig } from './control-plane.ts';
import { DeployedFunction } from './deployed-function.ts';

/** Three looks that did not happen are no accident any more. */
const SILENT_PERIOD = Duration.minutes(15);

export interface MonitorProps {
  readonly plane: ControlPlane;
  readonly failures: IQueue;
}

/**
 * Looks every five minutes after everything that does not look after itself, driven by EventBridge and not by the
 * Scheduler that it watches. Its own silence is the one alarm that rings when data is missing (M2).
 */
export class Monitor extends Construct {
  readonly monitor: DeployedFunction;

  constructor(scope: Construct, id: string, { plane, failures }: MonitorProps) {
    super(scope, id);
    const stack = Stack.of(this);
    this.monitor = new DeployedFunction(this, 'Monitor', {
      name: 'monitor',
      functions: plane.functions,
      architecture: plane.architecture,
      description: 'looks after runs, queue, freshness and alerts',
      environment: monitorEnvironment(environmentValues(plane, stack), (value) => stack.toJsonString(value)),
      timeout: Duration.minutes(4),
      failures,
    });
    this.#grant(plane);
    new Rule(this, 'EveryFiveMinutes', { description: 'Holdfast: the monitor looks', schedule: Schedule.rate(Duration.minutes(5)), targets: [new LambdaFunction(this.monitor.function, { deadLetterQueue: failures, maxEventAge: Duration.minutes(5), retryAttempts: 2 })] });
    this.#alarms(plane);
  }

  #grant(plane: ControlPlane): void {
    const { role } = this.monitor;
    plane.table.grantLedger(role);
    plane.table.grantQueue(role);
    grantConfig(role, plane);
    // What waits in the queue, and what reads new backups back (V4).
    plane.fleet.grantRunning(role, ['backup', 'verify']);
    plane.fleet.grantStopping(role);
    plane.alerts.grantPublishing(role);
    plane.alerts.grantListing(role);
    for (const vault of plane.vaults) {
      vault.access.grantLooking(role);
      // Tells of a key that is disabled or about to be deleted.
      role.addToPrincipalPolicy(new PolicyStatement({ actions: ['kms:DescribeKey'], resources: [vault.key.keyArn] }));
    }
  }

  #alarms({ alerts: { topic } }: ControlPlane): void {
    const { function: monitor } = this.monitor;
    runbookAlarm(this, 'MonitorSilent', { heading: 'The monitor is silent', means: 'Nobody looks after backups: the function monitor has not run for 15 minutes.', metric: monitor.metricInvocations({ period: SILENT_PERIOD, statistic: 'Sum' }), rings: 'none', topic });
    runbookAlarm(this, 'MonitorFailing', { heading: 'The monitor fails', means: 'What the monitor would have found is not known: the function monitor ended with an error.', metric: monitor.metricErrors({ period: ALARM_PERIOD }), rings: 'at-least-one', topic });
  }
}
