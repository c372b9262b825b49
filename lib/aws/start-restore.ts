import { DescribeExecutionCommand, StartExecutionCommand } from '@aws-sdk/client-sfn';
import type { SFNClient } from '@aws-sdk/client-sfn';
import type { Catalog } from '../catalog/catalog.ts';
import type { RestoreRecord } from '../catalog/records.ts';
import type { Clock } from '../model/clock.ts';
import { fromWorkflowFailure } from '../recovery/workflow/failure-text.ts';
import type { Failure } from '../recovery/workflow/failure-text.ts';
import { restoreInput } from '../recovery/workflow/restore-request.ts';
import { fromAwsError } from './aws-error.ts';

const POLL_MILLISECONDS = 2000;

export interface AskedRestore {
  readonly backup: string;
  readonly target: string;
  readonly confirm: string;
  readonly part?: string;
  readonly select?: readonly string[];
}

/** Starts the restore workflow of a stack; answers the ARN of its execution. */
export async function startRestore(client: Pick<SFNClient, 'send'>, stateMachineArn: string, asked: AskedRestore): Promise<string> {
  const { executionArn } = await client.send(new StartExecutionCommand({ stateMachineArn, input: restoreInput(asked) })).catch((cause: unknown) => {
    throw fromAwsError(cause, 'The restore workflow could not be started');
  });
  return executionArn ?? '';
}

export interface EndedRestore {
  readonly isSuccess: boolean;
  readonly failure?: Failure;
  readonly record?: RestoreRecord;
}

export interface FollowOptions {
  readonly catalog: Pick<Catalog, 'listRestores'>;
  /** By which the catalog names it. */
  readonly restoreId: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress: (record: RestoreRecord) => void;
}

/** Waits for an execution to end, telling the record's stages on the way. Throws the signal's reason; the restore goes on. */
export async function followRestore(client: Pick<SFNClient, 'send'>, executionArn: string, { catalog, restoreId, clock, signal, onProgress }: FollowOptions): Promise<EndedRestore> {
  for (;;) {
    const { status, error, cause } = await client.send(new DescribeExecutionCommand({ executionArn })).catch((failed: unknown) => {
      throw fromAwsError(failed, 'The restore workflow could not be asked');
    });
    const record = (await catalog.listRestores({ limit: 100 })).find((candidate) => candidate.restoreId === restoreId);
    if (record) onProgress(record);
    if (status !== 'RUNNING') return { isSuccess: status === 'SUCCEEDED', ...(record && { record }), ...(status !== 'SUCCEEDED' && { failure: fromWorkflowFailure({ Error: error, Cause: cause }) }) };
    await clock.sleep(POLL_MILLISECONDS, signal);
  }
}
