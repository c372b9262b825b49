import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { DefinitionBody, LogLevel, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { restoreStepsEnvironment } from '../settings/restore-steps.ts';
import { runbookAlarm } from './alarm.ts';
import { ALARM_PERIOD } from './alerts.ts';
import type { ControlPlane } from './control-plane.ts';
import { environmentValues, grantConfig } from './control-plane.ts';
import { DeployedFunction } from './deployed-function.ts';
import { restoreStates } from './restore-states.ts';
import type { WorkerTask } from './worker-task.ts';

export interface RestoreWorkflowProps {
  readonly plane: ControlPlane;
  /** One for each declared target. */
  readonly tasks: readonly WorkerTask[];
  readonly failures: IQueue;
}

/** What a person starts to get data back: a state machine whose only tasks are those of declared targets. */
export class RestoreWorkflow extends Construct {
  readonly machine: StateMachine;
  readonly steps: readonly DeployedFunction[];

  constructor(scope: Construct, id: string, { plane, tasks, failures }: RestoreWorkflowProps) {
    super(scope, id);
    const [check, thaw, report] = [this.#step('Check', 'restore-check', { plane, failures }), this.#step('Thaw', 'restore-thaw', { plane, failures }), this.#step('Report', 'restore-report', { plane, failures })];
    this.steps = [check, thaw, report];
    grantConfig(check.role, plane);
    for (const { role } of [check, report]) plane.table.grantLedger(role);
    for (const vault of plane.vaults) for (const { role } of [check, thaw]) vault.access.grantFinding(role);
    plane.alerts.grantPublishing(report.role);
    const arns = { checkArn: check.function.functionArn, thawArn: thaw.function.functionArn, reportArn: report.function.functionArn };
    this.machine = this.#machine(Stack.of(this).toJsonString(restoreStates({ ...arns, clusterArn: plane.fleet.cluster.attrArn })));
    this.machine.addToRolePolicy(new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: Object.values(arns) }));
    plane.fleet.grantRunning(this.machine.role, ['restore']);
    for (const task of tasks) this.#letAnswer(task);
    this.#hearOfEnds(report, failures);
    this.#alarm(plane, report);
  }

  #step(id: string, name: string, { plane, failures }: Pick<RestoreWorkflowProps, 'plane' | 'failures'>): DeployedFunction {
    const stack = Stack.of(this);
    return new DeployedFunction(this, id, {
      name,
      functions: plane.functions,
      architecture: plane.architecture,
      description: `step ${id.toLowerCase()} of a restore`,
      environment: restoreStepsEnvironment(environmentValues(plane, stack), (value) => stack.toJsonString(value)),
      timeout: Duration.minutes(5),
      failures,
    });
  }

  #machine(definition: string): StateMachine {
    const log = new LogGroup(this, 'Log', { retention: RetentionDays.ONE_YEAR, removalPolicy: RemovalPolicy.DESTROY });
    const machine = new StateMachine(this, 'Machine', {
      comment: 'Holdfast: restore',
      definitionBody: DefinitionBody.fromString(definition),
      // Inputs and results hold names and counts, never a secret.
      logs: { destination: log, level: LogLevel.ALL, includeExecutionData: true },
      tracingEnabled: true,
    });
    return machine;
  }

  /** The worker reports progress and its end to the execution that waits for it. */
  #letAnswer(task: WorkerTask): void {
    task.role.addToPolicy(new PolicyStatement({ actions: ['states:SendTaskSuccess', 'states:SendTaskFailure', 'states:SendTaskHeartbeat'], resources: [this.machine.stateMachineArn] }));
  }

  /** An execution that somebody stopped, or that ran out of its time, never reaches its report: the report hears of it here. */
  #hearOfEnds(report: DeployedFunction, failures: IQueue): void {
    new Rule(this, 'Ended', {
      description: 'Holdfast: a restore did not reach its end',
      eventPattern: { source: ['aws.states'], detailType: ['Step Functions Execution Status Change'], detail: { stateMachineArn: [this.machine.stateMachineArn], status: ['FAILED', 'TIMED_OUT', 'ABORTED'] } },
      targets: [new LambdaFunction(report.function, { deadLetterQueue: failures, maxEventAge: Duration.hours(1), retryAttempts: 10 })],
    });
  }

  /** A restore that fails tells of itself; only one whose end could not be told needs an alarm. */
  #alarm({ alerts: { topic } }: ControlPlane, report: DeployedFunction): void {
    runbookAlarm(this, 'RestoreUnreported', { heading: 'A restore ended without a report', means: 'How a restore ended is neither in the catalog nor told to anybody: the function restore-report ended with an error.', metric: report.function.metricErrors({ period: ALARM_PERIOD }), rings: 'at-least-one', topic });
  }
}
