import * as z from 'zod';
import { HoldfastError } from '../model/errors.ts';
import { isUlid } from '../model/ids.ts';
import type { RunId } from '../model/ids.ts';
import type { TaskState } from './task-launcher.ts';

/** The container that works and the variable that names its run; `lib/settings` holds the same for the launcher. */
const CONTAINER = 'worker';
const RUN_VARIABLE = 'HOLDFAST_RUN_ID';

/**
 * "ECS Task State Change" as "Amazon ECS task state change events" in the ECS developer guide shows it. ECS adds fields
 * without notice, so unknown ones pass.
 */
const event = z.object({
  source: z.literal('aws.ecs'),
  'detail-type': z.literal('ECS Task State Change'),
  detail: z.object({
    taskArn: z.string(),
    lastStatus: z.string(),
    startedBy: z.string().optional(),
    stopCode: z.string().optional(),
    stoppedReason: z.string().optional(),
    containers: z.array(z.object({ name: z.string(), exitCode: z.number().optional(), reason: z.string().optional() })).default([]),
    overrides: z.object({ containerOverrides: z.array(z.object({ environment: z.array(z.object({ name: z.string(), value: z.string() })).default([]) })).default([]) }).optional(),
  }),
});

/**
 * The run and the end of its task; undefined for tasks that have not stopped and for those that work on no run (a
 * restore). `usage` when it is not such an event.
 */
export function stoppedTaskOf(value: unknown): { readonly runId: RunId; readonly task: TaskState } | undefined {
  const parsed = event.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new HoldfastError('usage', `An event is not an "ECS Task State Change": ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}.`, { cause: parsed.error });
  }
  const { detail } = parsed.data;
  const runId = runOf(detail);
  if (detail.lastStatus !== 'STOPPED' || runId === undefined) return undefined;
  const worker = detail.containers.find(({ name }) => name === CONTAINER);
  const reason = [detail.stoppedReason, worker?.reason].filter((part) => part !== undefined && part !== '').join('; ');
  return {
    runId,
    task: {
      taskArn: detail.taskArn,
      status: 'stopped',
      ...(detail.stopCode !== undefined && { stopCode: detail.stopCode }),
      ...(worker?.exitCode !== undefined && { exitCode: worker.exitCode }),
      ...(reason !== '' && { reason }),
    },
  };
}

function runOf({ startedBy, overrides }: z.infer<typeof event>['detail']): RunId | undefined {
  const named = overrides?.containerOverrides.flatMap(({ environment }) => environment).find(({ name }) => name === RUN_VARIABLE)?.value;
  // Values of overrides may come redacted, as CloudTrail shows them; dispatch names the run twice.
  return [named, startedBy].find((name) => name !== undefined && isUlid(name)) as RunId | undefined;
}
