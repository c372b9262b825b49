import { dynamoClient, ecsClient, kmsClient, s3Client, snsClient } from '../../lib/aws/clients.ts';
import type { Catalog } from '../../lib/catalog/catalog.ts';
import type { BackupRecord } from '../../lib/catalog/records.ts';
import { readDeployedConfig } from '../../lib/aws/deployed-config.ts';
import { EcsLauncher } from '../../lib/aws/ecs-launcher.ts';
import { functionHandler, lazily } from '../../lib/aws/function-context.ts';
import { dispatchPorts, publisherTo, snapshotLook, unconfirmedOf, walKeptLook } from '../../lib/aws/function-ports.ts';
import { keysAtRisk } from '../../lib/aws/key-states.ts';
import { openCatalog, openLedger } from '../../lib/aws/open-catalog.ts';
import { topicOf } from '../../lib/aws/sns-publisher.ts';
import { monitorOnce } from '../../lib/scheduling/monitor.ts';
import type { MonitorReport } from '../../lib/scheduling/monitor.ts';
import { newestGood } from '../../lib/monitoring/newest-good.ts';
import type { GoodPlan } from '../../lib/monitoring/newest-good.ts';
import { readBackNew } from '../../lib/scheduling/read-back.ts';
import type { ReadBackReport } from '../../lib/scheduling/read-back.ts';
import { readMonitorSettings } from '../../lib/settings/monitor.ts';

const clients = { dynamo: lazily(() => dynamoClient()), ecs: lazily(() => ecsClient()), kms: lazily(() => kmsClient()), s3: lazily(() => s3Client({ maxAttempts: 4 })), sns: lazily(() => snsClient()) };

/** Every five minutes; the event says nothing. */
export const handler = functionHandler('monitor', async (_event, context): Promise<MonitorReport> => {
  const settings = readMonitorSettings(context.environment);
  const deployed = await readDeployedConfig(clients.s3(), settings.configUrl);
  const catalog = openCatalog(clients.dynamo(), settings.table);
  const ledger = openLedger(clients.dynamo(), settings.table);
  const topic = topicOf({ topicArn: settings.topic, stackName: settings.stackName }, clients.sns());
  const launcher = new EcsLauncher(clients.ecs(), settings);
  const publisher = publisherTo(topic);
  // First, and apart: what the other looks find wrong must not keep backups from being read back.
  const readBack = await readBackNew({ catalog, ledger, publisher, plans: deployed.config.plans, startReadBack: (order) => launcher.startReadBack(order), now: () => context.clock.now() }).catch((error: unknown) => error);
  const report = await monitorOnce({
    ...dispatchPorts({ stackName: settings.stackName, ledger, catalog, deployed, launcher }, context),
    publisher,
    configSince: deployed.since,
    snapshotExists: snapshotLook({ vaults: settings.vaults, s3: clients.s3, kms: clients.kms }, context),
    latestBackup: (name) => latestOf(name, deployed.config.plans, { catalog, now: context.clock.now() }),
    failedRuns: (limit) => catalog.listRuns({ states: ['failed'], limit }),
    walKeptAt: walKeptLook({ vaults: settings.vaults, s3: clients.s3 }, context),
    unconfirmedSubscriptions: unconfirmedOf(settings.topic, clients.sns, context),
    keysAtRisk: () => keysAtRisk(settings.vaults, clients.kms(), (message) => context.log.warn({ event: 'key-unknown' }, message)),
  });
  if (!isReport(readBack)) throw readBack;
  context.log.info({ event: 'looked', ...report, readBack }, 'the monitor has looked');
  return report;
});

/** A plan that is gone has no policy any more: what is there counts. */
function latestOf(name: string, plans: readonly GoodPlan[], { catalog, now }: { readonly catalog: Catalog; readonly now: number }): Promise<BackupRecord | undefined> {
  const plan = plans.find((candidate) => candidate.name === name);
  return plan === undefined ? catalog.latestBackup(name) : newestGood(catalog, plan, now);
}

function isReport(result: unknown): result is ReadBackReport {
  return typeof result === 'object' && result !== null && 'started' in result;
}
