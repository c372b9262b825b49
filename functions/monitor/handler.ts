import { dynamoClient, ecsClient, kmsClient, s3Client, snsClient } from '../../lib/aws/clients.ts';
import { readDeployedConfig } from '../../lib/aws/deployed-config.ts';
import { EcsLauncher } from '../../lib/aws/ecs-launcher.ts';
import { functionHandler, lazily } from '../../lib/aws/function-context.ts';
import { dispatchPorts, publisherTo, snapshotLook, unconfirmedOf } from '../../lib/aws/function-ports.ts';
import { openCatalog, openLedger } from '../../lib/aws/open-catalog.ts';
import { topicOf } from '../../lib/aws/sns-publisher.ts';
import { monitorOnce } from '../../lib/scheduling/monitor.ts';
import type { MonitorReport } from '../../lib/scheduling/monitor.ts';
import { readMonitorSettings } from '../../lib/settings/monitor.ts';

const clients = { dynamo: lazily(() => dynamoClient()), ecs: lazily(() => ecsClient()), kms: lazily(() => kmsClient()), s3: lazily(() => s3Client({ maxAttempts: 4 })), sns: lazily(() => snsClient()) };

/** Every five minutes; the event says nothing. */
export const handler = functionHandler('monitor', async (_event, context): Promise<MonitorReport> => {
  const settings = readMonitorSettings(context.environment);
  const deployed = await readDeployedConfig(clients.s3(), settings.configUrl);
  const catalog = openCatalog(clients.dynamo(), settings.table);
  const ledger = openLedger(clients.dynamo(), settings.table);
  const topic = topicOf({ topicArn: settings.topic, stackName: settings.stackName }, clients.sns());
  const report = await monitorOnce({
    ...dispatchPorts({ stackName: settings.stackName, ledger, catalog, deployed, launcher: new EcsLauncher(clients.ecs(), settings) }, context),
    publisher: publisherTo(topic),
    configSince: deployed.since,
    snapshotExists: snapshotLook({ vaults: settings.vaults, s3: clients.s3, kms: clients.kms }, context),
    latestBackup: (plan) => catalog.latestBackup(plan),
    failedRuns: (limit) => catalog.listRuns({ states: ['failed'], limit }),
    unconfirmedSubscriptions: unconfirmedOf(settings.topic, clients.sns, context),
  });
  context.log.info({ event: 'looked', ...report }, 'the monitor has looked');
  return report;
});
