import { RESTORE_VARIABLE, TASK_TOKEN_VARIABLE } from '../settings/worker.ts';
import { WORKER_CONTAINER } from '../settings/ids.ts';

export interface RestoreStatesProps {
  readonly checkArn: string;
  readonly thawArn: string;
  readonly reportArn: string;
  readonly clusterArn: string;
}

/** Heartbeats come every 30 seconds; a task that says nothing for this long is dead. */
const HEARTBEAT_SECONDS = 300;
/** A restore of what fits on a task's disk and a database's wire does not take longer. */
const TASK_TIMEOUT_SECONDS = 5 * 24 * 3600;
/** All of it, with the 48 hours that the deepest archive may need. */
const WORKFLOW_TIMEOUT_SECONDS = 10 * 24 * 3600;

/**
 * The restore in fixed states: check → confirm → thaw until done → one task → report. Shapes: lib/recovery/workflow/states.ts.
 * Whatever fails ends in the report, which tells the catalog and the people, and then the execution fails. The task is named
 * by its family, so a deploy while somebody waits here changes nothing.
 */
export function restoreStates(props: RestoreStatesProps): Readonly<Record<string, unknown>> {
  return {
    Comment: 'Holdfast restore. Input: {"backup": id, "target": name, "confirm": the same name, "select"?: [patterns]}',
    TimeoutSeconds: WORKFLOW_TIMEOUT_SECONDS,
    StartAt: 'Order',
    States: {
      Order: {
        Type: 'Pass',
        Parameters: { 'execution': { 'id.$': '$$.Execution.Id', 'startTime.$': '$$.Execution.StartTime' }, 'input.$': '$$.Execution.Input' },
        Next: 'Check',
      },
      Check: step(props.checkArn, { Payload: { 'execution.$': '$.execution', 'input.$': '$.input' }, ResultPath: '$.checked', Next: 'Confirm', ...caught }),
      Confirm: { Type: 'Choice', Choices: [{ Variable: '$.input.confirm', StringEqualsPath: '$.checked.value.targetName', Next: 'Thaw' }], Default: 'NotConfirmed' },
      NotConfirmed: {
        Type: 'Pass',
        Result: { Error: 'usage', Cause: 'usage: The confirm of the input is not the name of the target.\nNext: Start a new execution that repeats the target in confirm. Nothing was restored.' },
        ResultPath: '$.error',
        Next: 'ReportFailure',
      },
      Thaw: step(props.thawArn, { Payload: '$.checked.value', ResultPath: '$.thawed', Next: 'Thawed', ...caught }),
      Thawed: { Type: 'Choice', Choices: [{ Variable: '$.thawed.value.isDone', BooleanEquals: true, Next: 'Restore' }], Default: 'WaitForThaw' },
      WaitForThaw: { Type: 'Wait', SecondsPath: '$.thawed.value.waitSeconds', Next: 'Thaw' },
      Restore: runTask(props.clusterArn),
      ReportSuccess: step(props.reportArn, { Payload: { 'execution.$': '$.execution', 'input.$': '$.input', 'result.$': '$.result' }, OutputPath: '$.value', End: true }),
      ReportFailure: step(props.reportArn, { Payload: { 'execution.$': '$.execution', 'input.$': '$.input', 'error.$': '$.error' }, ResultPath: '$.reported', Next: 'Failed' }),
      Failed: { Type: 'Fail', ErrorPath: '$.error.Error', CausePath: '$.reported.value.message' },
    },
  };
}

const caught = { Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.error', Next: 'ReportFailure' }] };

/** A function; its answer lies below `value` of the result. What Lambda itself could not do is tried again. */
function step(functionArn: string, { Payload, ...rest }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::lambda:invoke',
    Parameters: { FunctionName: functionArn, ...(typeof Payload === 'string' ? { 'Payload.$': Payload } : { Payload }) },
    ResultSelector: { 'value.$': '$.Payload' },
    TimeoutSeconds: 900,
    Retry: [{ ErrorEquals: ['Lambda.ServiceException', 'Lambda.AWSLambdaException', 'Lambda.SdkClientException', 'Lambda.TooManyRequestsException'], IntervalSeconds: 2, MaxAttempts: 6, BackoffRate: 2, JitterStrategy: 'FULL' }],
    ...rest,
  };
}

/** Not tried again: a second task could write to the target beside the first. */
function runTask(clusterArn: string): Readonly<Record<string, unknown>> {
  return {
    Type: 'Task',
    Resource: 'arn:aws:states:::ecs:runTask.waitForTaskToken',
    Parameters: {
      'Cluster': clusterArn,
      'LaunchType': 'FARGATE',
      'TaskDefinition.$': '$.checked.value.task.family',
      'NetworkConfiguration.$': '$.checked.value.task.networkConfiguration',
      'Overrides': {
        ContainerOverrides: [{
          Name: WORKER_CONTAINER,
          Environment: [{ 'Name': RESTORE_VARIABLE, 'Value.$': '$.checked.value.task.order' }, { 'Name': TASK_TOKEN_VARIABLE, 'Value.$': '$$.Task.Token' }],
        }],
      },
    },
    HeartbeatSeconds: HEARTBEAT_SECONDS,
    TimeoutSeconds: TASK_TIMEOUT_SECONDS,
    ResultPath: '$.result',
    Next: 'ReportSuccess',
    ...caught,
  };
}
