import { dynamoClient, ecsClient, s3Client } from '../../lib/aws/clients.ts';
import { readDeployedConfig } from '../../lib/aws/deployed-config.ts';
import { EcsLauncher } from '../../lib/aws/ecs-launcher.ts';
import { functionHandler, lazily } from '../../lib/aws/function-context.ts';
import { dispatchPorts } from '../../lib/aws/function-ports.ts';
import { openCatalog, openLedger } from '../../lib/aws/open-catalog.ts';
import { dispatchOccurrence } from '../../lib/scheduling/dispatch.ts';
import type { Dispatched } from '../../lib/scheduling/dispatch.ts';
import { parseTrigger } from '../../lib/scheduling/trigger.ts';
import { readDispatchSettings } from '../../lib/settings/dispatch.ts';

const clients = { dynamo: lazily(() => dynamoClient()), ecs: lazily(() => ecsClient()), s3: lazily(() => s3Client({ maxAttempts: 4 })) };

/**
 * A schedule, an event rule or a person asks for a run of a plan: `{plan, scheduledTime}`, `{plan, eventId, eventTime}`
 * or `{plan, idempotencyKey}`.
 */
export const handler = functionHandler('dispatch', async (event, context): Promise<Dispatched> => {
  const trigger = parseTrigger(event);
  const settings = readDispatchSettings(context.environment);
  const dispatched = await dispatchOccurrence(trigger, dispatchPorts({
    stackName: settings.stackName,
    ledger: openLedger(clients.dynamo(), settings.table),
    catalog: openCatalog(clients.dynamo(), settings.table),
    launcher: new EcsLauncher(clients.ecs(), settings),
    deployed: await readDeployedConfig(clients.s3(), settings.configUrl),
  }, context));
  context.log.info({ event: 'dispatched', plan: trigger.plan, trigger: trigger.kind, ...dispatched }, `plan ${trigger.plan}: ${dispatched.outcome}`);
  return dispatched;
});
