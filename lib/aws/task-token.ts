import { SendTaskFailureCommand, SendTaskHeartbeatCommand, SendTaskSuccessCommand } from '@aws-sdk/client-sfn';
import type { SFNClient } from '@aws-sdk/client-sfn';
import { toWorkflowFailure } from '../recovery/workflow/failure-text.ts';
import type { TaskResult } from '../recovery/workflow/states.ts';
import { awsErrorName, fromAwsError } from './aws-error.ts';

/**
 * How the restore task answers the execution that waits for it. Exactly one of `succeed` and `fail` ends the wait;
 * heartbeats keep it alive meanwhile. All fail as `unavailable` (retryable) and `permission`.
 */
export interface TaskToken {
  /** False: nobody waits any more (timed out, stopped, answered). Stop working: the restore was reported already. */
  heartbeat(): Promise<boolean>;
  /** False as above. */
  succeed(result: TaskResult): Promise<boolean>;
  /** False as above. The words of the error reach the catalog and the alert. */
  fail(error: unknown): Promise<boolean>;
}

/** The token itself appears in no message. */
export function taskToken(client: Pick<SFNClient, 'send'>, token: string): TaskToken {
  return {
    heartbeat: () => whileAwaited(client.send(new SendTaskHeartbeatCommand({ taskToken: token }))),
    succeed: (result) => whileAwaited(client.send(new SendTaskSuccessCommand({ taskToken: token, output: JSON.stringify(result) }))),
    fail: (error) => whileAwaited(client.send(new SendTaskFailureCommand({ taskToken: token, ...toWorkflowFailure(error) }))),
  };
}

const NOBODY_WAITS: ReadonlySet<string> = new Set(['TaskTimedOut', 'TaskDoesNotExist', 'InvalidToken']);

async function whileAwaited(sent: Promise<unknown>): Promise<boolean> {
  try {
    await sent;
    return true;
  } catch (cause) {
    if (NOBODY_WAITS.has(awsErrorName(cause))) return false;
    throw fromAwsError(cause, 'The restore workflow could not be told how its task goes');
  }
}
