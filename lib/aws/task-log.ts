import { DescribeTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import type { ECSClient } from '@aws-sdk/client-ecs';
import { WORKER_CONTAINER } from '../settings/ids.ts';
import { fromAwsError } from './aws-error.ts';

export interface TaskLog {
  readonly logStream: string;
  /** Absent: `problem` says why it is not known. */
  readonly logGroup?: string;
  readonly problem?: string;
}

/**
 * Where a task writes its log. The stream follows from the family and the task's id, also for tasks that ECS has
 * forgotten (an hour after their end); the group stands in the family's newest definition. Never fails: whoever looks
 * for a log has trouble enough.
 */
export async function findTaskLog(client: Pick<ECSClient, 'send'>, family: string, taskArn: string): Promise<TaskLog> {
  const logStream = `${family}/${WORKER_CONTAINER}/${taskArn.slice(taskArn.lastIndexOf('/') + 1)}`;
  try {
    const { taskDefinition } = await client.send(new DescribeTaskDefinitionCommand({ taskDefinition: family }));
    const container = taskDefinition?.containerDefinitions?.find(({ name }) => name === WORKER_CONTAINER);
    const logGroup = container?.logConfiguration?.options?.['awslogs-group'];
    return logGroup === undefined ? { logStream, problem: `The task definition ${family} names no log group.` } : { logStream, logGroup };
  } catch (cause) {
    return { logStream, problem: fromAwsError(cause, `The task definition ${family} could not be read`).message };
  }
}
