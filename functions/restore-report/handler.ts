import { dynamoClient, snsClient } from '../../lib/aws/clients.ts';
import { functionHandler, lazily } from '../../lib/aws/function-context.ts';
import type { FunctionContext } from '../../lib/aws/function-context.ts';
import { publisherTo } from '../../lib/aws/function-ports.ts';
import { openCatalog, openLedger } from '../../lib/aws/open-catalog.ts';
import { topicOf } from '../../lib/aws/sns-publisher.ts';
import { restoreMetrics, writeMetrics } from '../../lib/monitoring/emf.ts';
import { tellAlert } from '../../lib/monitoring/tell.ts';
import { reportRestore } from '../../lib/recovery/workflow/report-restore.ts';
import type { Reported } from '../../lib/recovery/workflow/states.ts';
import { recoveryAlertPrefix } from '../../lib/recovery/workflow/tell-restore.ts';
import type { RestoreTeller } from '../../lib/recovery/workflow/tell-restore.ts';
import { readRestoreStepsSettings } from '../../lib/settings/restore-steps.ts';
import type { RestoreStepsSettings } from '../../lib/settings/restore-steps.ts';
import { parseReportEvent } from './report-event.ts';

const clients = { dynamo: lazily(() => dynamoClient()), sns: lazily(() => snsClient()) };

/** Last state of a restore, and the listener for executions that were stopped or ran out of time before it. */
export const handler = functionHandler('restore-report', async (event, context): Promise<Reported> => {
  const settings = readRestoreStepsSettings(context.environment);
  const { clock, log, writeLine } = context;
  const reported = await reportRestore(parseReportEvent(event), {
    catalog: openCatalog(clients.dynamo(), settings.table),
    teller: tellerOf(settings, context),
    count: (record) => writeMetrics(restoreMetrics(record), { stackName: settings.stackName, at: clock.now() }, writeLine),
    now: () => clock.now(),
  });
  log.info({ event: 'reported', restore: reported.restoreId, state: reported.state }, reported.message);
  return reported;
});

function tellerOf({ table, topic: topicArn, stackName }: RestoreStepsSettings, { clock }: FunctionContext): RestoreTeller {
  const ledger = openLedger(clients.dynamo(), table);
  const topic = topicOf({ topicArn, stackName }, clients.sns());
  const now = () => clock.now();
  return {
    // An alert that was opened and not told is told by the monitor.
    tellFailure: async (alert) => void (await tellAlert(alert, { ledger, publisher: publisherTo(topic), now })),
    tellSuccess: async (notice, target) => {
      await topic.send({ ...notice, kind: 'recovery-completed', state: 'notice' });
      const open = await ledger.listAlerts({ state: 'open' });
      for (const { alertId } of open) if (alertId.startsWith(recoveryAlertPrefix(target))) await ledger.resolveAlert(alertId, now());
    },
  };
}
