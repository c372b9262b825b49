import type { AlertRecord } from '../catalog/ledger-records.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';

const MINUTE = 60_000;

/** Where alerts go, such as an SNS topic. Callable twice; a message that was told twice carries the same alert id. */
export interface AlertPublisher {
  publish(alert: AlertRecord): Promise<void>;
}

export interface TellPorts {
  readonly ledger: Pick<RunLedger, 'openAlert' | 'claimDelivery' | 'listAlerts'>;
  /** Absent where a function may not publish: the monitor tells what it opened. */
  readonly publisher?: AlertPublisher;
  readonly now: () => number;
}

/** The channel under which the topic's delivery is marked. */
export const TOPIC_CHANNEL = 'topic';
/** An alert that was opened so long ago and is not marked has lost its teller. */
export const TELLING_PATIENCE = 2 * MINUTE;
/** How often a lost message is tried again; as often as the monitor comes. */
const RETRY_EVERY = 5 * MINUTE;
/** Newest alerts that are looked at for lost messages. */
const LOOKED_AT = 200;

/**
 * Opens an alert and tells it. `openAlert` lets one caller through, which publishes and only then marks the delivery: in
 * the ordinary way exactly one message. Whoever dies between two of these steps leaves an alert without a mark, which
 * `retellAlerts` publishes again: a message may come twice after a crash (same alert id), it is never lost.
 * True when this call opened it.
 */
export async function tellAlert(alert: AlertRecord, ports: TellPorts): Promise<boolean> {
  if (!(await ports.ledger.openAlert(alert))) return false;
  await publish(alert, ports);
  return true;
}

/** Publishes the alerts whose teller died; of two monitors at once, one does. Answers how many. */
export async function retellAlerts(ports: TellPorts): Promise<number> {
  if (ports.publisher === undefined) return 0;
  const now = ports.now();
  const recent = await ports.ledger.listAlerts({ limit: LOOKED_AT });
  const lost = recent.filter((alert) => alert.delivered?.includes(TOPIC_CHANNEL) !== true && alert.openedAt + TELLING_PATIENCE <= now);
  let told = 0;
  for (const alert of lost) {
    const isMine = await ports.ledger.claimDelivery(alert.alertId, `${TOPIC_CHANNEL}-retry-${Math.floor(now / RETRY_EVERY)}`, now);
    if (!isMine) continue;
    await publish(alert, ports);
    told += 1;
  }
  return told;
}

async function publish(alert: AlertRecord, { ledger, publisher, now }: TellPorts): Promise<void> {
  if (publisher === undefined) return;
  await publisher.publish(alert);
  await ledger.claimDelivery(alert.alertId, TOPIC_CHANNEL, now());
}
