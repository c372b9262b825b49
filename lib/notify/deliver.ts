import type { Channel } from './channel.ts';
import type { ReceivedAlert } from './topic-message.ts';

/** Which messages have reached which channel. */
export interface Deliveries {
  isDelivered(alertId: string, channel: string): Promise<boolean>;
  /** Callable twice. */
  markDelivered(alertId: string, channel: string): Promise<void>;
}

/**
 * Brings one message to one channel, unless it is there already. Marked after it was taken, not before: a channel that
 * is ill for a minute costs at worst a message that people read twice, never one that nobody reads. Fails as the
 * channel does; the caller calls again.
 */
export async function deliver({ alert, isOurs }: ReceivedAlert, channel: Channel, deliveries: Deliveries): Promise<'sent' | 'was-sent'> {
  const mark = alert.state === 'resolved' ? `${channel.name}/resolved` : channel.name;
  // The catalog keeps neither what AWS publishes nor notices.
  const isKept = isOurs && alert.state !== 'notice';
  if (isKept && (await deliveries.isDelivered(alert.alertId, mark))) return 'was-sent';
  await channel.send(alert);
  if (isKept) await deliveries.markDelivered(alert.alertId, mark);
  return 'sent';
}
