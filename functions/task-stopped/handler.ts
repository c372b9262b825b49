import { dynamoClient, ecsClient, kmsClient, s3Client, snsClient } from '../../lib/aws/clients.ts';
import { EcsLauncher } from '../../lib/aws/ecs-launcher.ts';
import { functionHandler, lazily } from '../../lib/aws/function-context.ts';
import { publisherTo, snapshotLook } from '../../lib/aws/function-ports.ts';
import { openLedger } from '../../lib/aws/open-catalog.ts';
import { topicOf } from '../../lib/aws/sns-publisher.ts';
import { stoppedTaskOf } from '../../lib/scheduling/ecs-events.ts';
import { taskStopped } from '../../lib/scheduling/reconcile.ts';
import type { Reconciled } from '../../lib/scheduling/reconcile.ts';
import { readTaskStoppedSettings } from '../../lib/settings/task-stopped.ts';

const clients = { dynamo: lazily(() => dynamoClient()), ecs: lazily(() => ecsClient()), kms: lazily(() => kmsClient()), s3: lazily(() => s3Client()), sns: lazily(() => snsClient()) };

/** ECS says that a task has stopped; the run that it was for is ended if nobody has. What this misses the monitor finds. */
export const handler = functionHandler('task-stopped', async (event, context): Promise<{ readonly done: Reconciled | 'not-a-run' }> => {
  const stopped = stoppedTaskOf(event);
  if (stopped === undefined) return { done: 'not-a-run' };
  const settings = readTaskStoppedSettings(context.environment);
  const { stackName } = settings;
  const done = await taskStopped(stopped.runId, stopped.task, {
    stackName,
    ledger: openLedger(clients.dynamo(), settings.table),
    // Describes and stops; starting is dispatch's and the monitor's.
    launcher: new EcsLauncher(clients.ecs(), { stackName, cluster: settings.cluster, networks: {} }),
    publisher: publisherTo(topicOf({ topicArn: settings.topic, stackName }, clients.sns())),
    snapshotExists: snapshotLook({ vaults: settings.vaults, s3: clients.s3, kms: clients.kms }, context),
    now: () => context.clock.now(),
    random: Math.random,
    writeLine: context.writeLine,
  });
  context.log.info({ event: 'task-stopped', run: stopped.runId, task: stopped.task, done }, `run ${stopped.runId}: ${done ?? 'unknown'}`);
  return { done: done ?? 'not-a-run' };
});
