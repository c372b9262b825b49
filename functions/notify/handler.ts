import { dynamoClient, secretsClient, ssmClient } from '../../lib/aws/clients.ts';
import { functionHandler, lazily } from '../../lib/aws/function-context.ts';
import { openLedger } from '../../lib/aws/open-catalog.ts';
import { secretResolver } from '../../lib/aws/secrets.ts';
import type { RunLedger } from '../../lib/catalog/run-ledger.ts';
import { parseSecretReference } from '../../lib/config/secret-reference.ts';
import { deliver } from '../../lib/notify/deliver.ts';
import type { Deliveries } from '../../lib/notify/deliver.ts';
import { slackChannel } from '../../lib/notify/slack.ts';
import { decodeAlert } from '../../lib/notify/topic-message.ts';
import { readNotifySettings } from '../../lib/settings/notify.ts';
import { parseTopicEvent } from './topic-event.ts';

const clients = { dynamo: lazily(() => dynamoClient()), secrets: lazily(() => secretsClient()), ssm: lazily(() => ssmClient()) };
/** An alert whose message comes this late is told again rather than missed. */
const LOOKED_AT = 200;

/** SNS brings an alert; it goes to Slack. What fails is thrown: Lambda tries twice more, then the alarm writes e-mail. */
export const handler = functionHandler('notify', async (event, { environment, clock, log }): Promise<void> => {
  const settings = readNotifySettings(environment);
  const resolveSecret = secretResolver(clients);
  const deliveries = deliveriesOf(openLedger(clients.dynamo(), settings.table), () => clock.now());
  const webhookUrl = () => resolveSecret(parseSecretReference(settings.slackWebhook));
  const slack = slackChannel({ webhookUrl, stackName: settings.stackName, fetch, clock });
  for (const message of parseTopicEvent(event)) {
    const received = decodeAlert(message);
    const outcome = await deliver(received, slack, deliveries);
    log.info({ event: outcome, alert: received.alert.alertId, channel: slack.name }, `alert ${received.alert.alertId}: ${outcome}`);
  }
});

function deliveriesOf(ledger: Pick<RunLedger, 'listAlerts' | 'claimDelivery'>, now: () => number): Deliveries {
  return {
    isDelivered: async (alertId, channel) => (await ledger.listAlerts({ limit: LOOKED_AT })).some((alert) => alert.alertId === alertId && alert.delivered?.includes(channel) === true),
    markDelivered: async (alertId, channel) => void (await ledger.claimDelivery(alertId, channel, now())),
  };
}
