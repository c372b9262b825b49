import type { Task } from '@aws-sdk/client-ecs';
import type { TaskState } from '../scheduling/task-launcher.ts';
import { WORKER_CONTAINER } from '../settings/ids.ts';

/** What DescribeTasks and the event "ECS Task State Change" both say of a task. */
export interface ReportedTask {
  readonly taskArn?: string | undefined;
  readonly lastStatus?: string | undefined;
  readonly stopCode?: string | undefined;
  readonly stoppedReason?: string | undefined;
  readonly containers?: readonly { readonly name?: string | undefined; readonly exitCode?: number | undefined; readonly reason?: string | undefined }[] | undefined;
}

const COMING: ReadonlySet<string> = new Set(['PROVISIONING', 'PENDING', 'ACTIVATING']);

/**
 * A task in the scheduler's words; undefined without an ARN. Until ECS says STOPPED it counts as running: the container
 * of a task that is being taken down may still write.
 */
export function taskState(task: ReportedTask | Task): TaskState | undefined {
  const { taskArn, lastStatus = '', stopCode, stoppedReason, containers = [] } = task;
  if (taskArn === undefined) return undefined;
  const worker = containers.find(({ name }) => name === WORKER_CONTAINER);
  const reason = [stoppedReason, worker?.reason].filter((part) => part !== undefined && part !== '').join('; ');
  return {
    taskArn,
    status: lastStatus === 'STOPPED' ? 'stopped' : COMING.has(lastStatus) ? 'coming' : 'running',
    ...(stopCode !== undefined && { stopCode }),
    ...(worker?.exitCode !== undefined && { exitCode: worker.exitCode }),
    ...(reason !== '' && { reason }),
  };
}
