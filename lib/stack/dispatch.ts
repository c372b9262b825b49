import { Duration, Stack } from 'aws-cdk-lib';
import { Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { dispatchEnvironment } from '../settings/dispatch.ts';
import { taskStoppedEnvironment } from '../settings/task-stopped.ts';
import { runbookAlarm } from './alarm.ts';
import { ALARM_PERIOD } from './alerts.ts';
import type { ControlPlane } from './control-plane.ts';
import { environmentValues, grantConfig } from './control-plane.ts';
import { DeployedFunction } from './deployed-function.ts';

export interface DispatchProps {
  readonly plane: ControlPlane;
  readonly failures: IQueue;
}

/**
 * Starts runs: claims an occurrence, admits its run, runs its task. And hears from ECS how tasks ended.
 * No concurrency is reserved: an account may have as few as ten executions at once, and the ledger's conditional writes
 * keep any number of dispatches apart.
 */
export class Dispatch extends Construct {
  readonly dispatch: DeployedFunction;
  readonly taskStopped: DeployedFunction;

  constructor(scope: Construct, id: string, { plane, failures }: DispatchProps) {
    super(scope, id);
    const stack = Stack.of(this);
    const values = environmentValues(plane, stack);
    const toJson = (value: unknown) => stack.toJsonString(value);
    const common = { functions: plane.functions, architecture: plane.architecture, timeout: Duration.minutes(1), failures };
    this.dispatch = new DeployedFunction(this, 'Dispatch', { ...common, name: 'dispatch', description: 'starts runs', environment: dispatchEnvironment(values, toJson) });
    this.taskStopped = new DeployedFunction(this, 'TaskStopped', { ...common, name: 'task-stopped', description: 'ends runs whose task ended', environment: taskStoppedEnvironment(values, toJson) });

    plane.table.grantLedger(this.dispatch.role);
    plane.table.grantQueue(this.dispatch.role);
    grantConfig(this.dispatch.role, plane);
    // Restores are started by their workflow alone.
    plane.fleet.grantRunning(this.dispatch.role, ['backup']);

    plane.table.grantLedger(this.taskStopped.role);
    plane.table.grantQueue(this.taskStopped.role);
    for (const vault of plane.vaults) vault.access.grantLooking(this.taskStopped.role);
    plane.fleet.grantStopping(this.taskStopped.role);
    plane.alerts.grantPublishing(this.taskStopped.role);
    this.#hearOfTasks(plane, failures);
    this.#alarms(plane);
  }

  #hearOfTasks({ fleet }: ControlPlane, failures: IQueue): void {
    new Rule(this, 'Stopped', {
      description: 'Holdfast: a task of this stack has ended',
      eventPattern: { source: ['aws.ecs'], detailType: ['ECS Task State Change'], detail: { clusterArn: [fleet.cluster.attrArn], lastStatus: ['STOPPED'] } },
      targets: [new LambdaFunction(this.taskStopped.function, { deadLetterQueue: failures, maxEventAge: Duration.hours(1), retryAttempts: 10 })],
    });
  }

  #alarms({ alerts }: ControlPlane): void {
    const rows = [
      ['DispatchFailing', this.dispatch, 'The dispatch function fails', 'Runs may not start: the function dispatch ended with an error.'],
      ['TaskStoppedFailing', this.taskStopped, 'The task-stopped function fails', 'Runs that died are noticed late: the function task-stopped ended with an error.'],
    ] as const;
    for (const [id, deployed, heading, means] of rows) runbookAlarm(this, id, { heading, means, metric: deployed.function.metricErrors({ period: ALARM_PERIOD }), rings: 'at-least-one', topic: alerts.topic });
  }
}
