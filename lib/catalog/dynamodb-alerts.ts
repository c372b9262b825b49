import { $add, DeleteItemCommand, PutItemCommand, PutTransaction, UpdateTransaction } from 'dynamodb-toolbox';
import type { DynamodbBackups } from './dynamodb-backups.ts';
import type { DynamodbCalls } from './dynamodb-calls.ts';
import { key, PAUSES, timeKey } from './dynamodb-keys.ts';
import { read } from './dynamodb-records.ts';
import type { Rows } from './dynamodb-table.ts';
import type { AlertRecord, PlanPause } from './ledger-records.ts';
import { limitOf } from './list-limit.ts';

/** Alerts and pauses of a ledger in DynamoDB: one row each. */
export class DynamodbAlerts {
  readonly #rows: Rows;
  readonly #calls: DynamodbCalls;
  readonly #backups: DynamodbBackups;

  constructor(rows: Rows, calls: DynamodbCalls, backups: DynamodbBackups) {
    this.#rows = rows;
    this.#calls = calls;
    this.#backups = backups;
  }

  async open({ delivered: _, ...alert }: AlertRecord): Promise<boolean> {
    const row = { ...key.alert(alert.alertId), ...timeKey('ALERT', 0, { time: alert.openedAt, id: alert.alertId }), ...alert };
    const put = this.#rows.alerts.build(PutTransaction).item(row).options({ condition: { attr: 'pk', exists: false } });
    return (await this.#calls.write([put, ...(await this.#backups.knowMonth('ALERT', alert.openedAt))])) === undefined;
  }

  async resolve(alertId: string, at: number): Promise<boolean> {
    const row = { ...key.alert(alertId), state: 'resolved', resolvedAt: at };
    return (await this.#calls.write([this.#rows.alerts.build(UpdateTransaction).item(row).options({ condition: { attr: 'state', eq: 'open' } })])) === undefined;
  }

  async claimDelivery(alertId: string, channel: string): Promise<boolean> {
    const row = { ...key.alert(alertId), delivered: $add(new Set([channel])) };
    const condition = { and: [{ attr: 'pk' as const, exists: true as const }, { not: { attr: 'delivered' as const, contains: channel } }] };
    return (await this.#calls.write([this.#rows.alerts.build(UpdateTransaction).item(row).options({ condition })])) === undefined;
  }

  async list(filter: { readonly state?: AlertRecord['state']; readonly limit?: number }): Promise<AlertRecord[]> {
    const limit = limitOf(filter.limit);
    const found: AlertRecord[] = [];
    for await (const page of this.#backups.byTime('ALERT', 0)) {
      const alerts = page.map((row) => alertOf(read(this.#rows.alerts, row)));
      found.push(...alerts.filter((alert) => filter.state === undefined || alert.state === filter.state));
      if (found.length >= limit) break;
    }
    return found.slice(0, limit);
  }

  async setPaused(planName: string, paused: { readonly at: number; readonly by: string } | undefined): Promise<void> {
    const row = key.pause(planName);
    if (paused === undefined) await this.#calls.send(() => this.#rows.pauses.build(DeleteItemCommand).key(row).send());
    else await this.#calls.send(() => this.#rows.pauses.build(PutItemCommand).item({ ...row, planName, ...paused }).send());
  }

  async pauses(): Promise<readonly PlanPause[]> {
    const found: PlanPause[] = [];
    for await (const page of this.#calls.query({ partition: PAUSES })) found.push(...page.map((row) => read<PlanPause>(this.#rows.pauses, row)));
    return found;
  }
}

function alertOf({ delivered, ...alert }: Omit<AlertRecord, 'delivered'> & { readonly delivered?: ReadonlySet<string> }): AlertRecord {
  return delivered === undefined ? alert : { ...alert, delivered: [...delivered].sort() };
}
