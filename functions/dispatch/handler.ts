import { dynamoClient, ecsClient, s3Client } from '../../lib/aws/clients.ts';
import { readDeployedConfig } from '../../lib/aws/deployed-config.ts';
import { EcsLauncher } from '../../lib/aws/ecs-launcher.ts';
import { functionHandler, lazily } from '../../lib/aws/function-context.ts';
import { openCatalog, openLedger } from '../../lib/aws/open-catalog.ts';
import { newUlid } from '../../lib/model/ids.ts';
import type { RunId } from '../../lib/model/ids.ts';
import { dispatchOccurrence } from '../../lib/scheduling/dispatch.ts';
import type { Dispatched } from '../../lib/scheduling/dispatch.ts';
import { parseTrigger } from '../../lib/scheduling/trigger.ts';
import { readDispatchSettings } from '../../lib/settings/dispatch.ts';

const clients = { dynamo: lazily(() => dynamoClient()), ecs: lazily(() => ecsClient()), s3: lazily(() => s3Client({ maxAttempts: 4 })) };
/** By the sizes of so many backups the task is chosen. */
const SIZED_BY = 5;

/**
 * A schedule, an event rule or a person asks for a run of a plan: `{plan, scheduledTime}`, `{plan, eventId, eventTime}`
 * or `{plan, idempotencyKey}`.
 */
export const handler = functionHandler('dispatch', async (event, { environment, clock, log, writeLine }): Promise<Dispatched> => {
  const trigger = parseTrigger(event);
  const settings = readDispatchSettings(environment);
  const { config, hash } = await readDeployedConfig(clients.s3(), settings.configUrl);
  const catalog = openCatalog(clients.dynamo(), settings.table);
  const dispatched = await dispatchOccurrence(trigger, {
    ledger: openLedger(clients.dynamo(), settings.table),
    launcher: new EcsLauncher(clients.ecs(), settings),
    plans: config.plans,
    configHash: hash,
    vaultLimit: (name) => config.vaults.find((vault) => vault.name === name)?.maxConcurrentRuns ?? 1,
    retiredPlans: async () => (await catalog.listPlans()).filter(({ state }) => state === 'retired').map(({ name }) => name),
    lastBackups: async (plan) => (await catalog.listBackups({ plan, limit: SIZED_BY })).backups,
    newRunId: (now) => newUlid<RunId>(now),
    stackName: settings.stackName,
    now: () => clock.now(),
    random: Math.random,
    writeLine,
  });
  log.info({ event: 'dispatched', plan: trigger.plan, trigger: trigger.kind, ...dispatched }, `plan ${trigger.plan}: ${dispatched.outcome}`);
  return dispatched;
});
