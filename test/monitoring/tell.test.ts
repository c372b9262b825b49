import { SqliteLedger } from '../../lib/catalog/sqlite-ledger.ts';
import type { AlertRecord } from '../../lib/catalog/ledger-records.ts';
import { retellAlerts, tellAlert } from '../../lib/monitoring/tell.ts';
import { unconfirmedAlert } from '../../lib/monitoring/alerts.ts';
import { LeapingClock } from '../support/fake-clock.ts';

const MINUTE = 60_000;

describe('telling an alert', () => {
  let ledger: SqliteLedger;
  let clock: LeapingClock;
  let published: AlertRecord[];
  beforeEach(() => {
    ledger = new SqliteLedger(':memory:');
    clock = new LeapingClock();
    published = [];
  });
  afterEach(() => ledger.close());

  const ports = (publish: (alert: AlertRecord) => Promise<void> = async (alert) => void published.push(alert)) => ({ ledger, publisher: { publish }, now: () => clock.now() });
  const alert = () => unconfirmedAlert('ops@example.com', clock.now());

  it('publishes it once, however many open it', async () => {
    const opened = await Promise.all(Array.from({ length: 5 }, () => tellAlert(alert(), ports())));
    expect(opened.filter(Boolean)).toHaveLength(1);
    clock.advance(10 * MINUTE);
    expect(await retellAlerts(ports())).toBe(0);
    expect(published).toHaveLength(1);
  });

  it('is done again when the topic did not take it', async () => {
    await expect(tellAlert(alert(), ports(async () => Promise.reject(new Error('topic gone'))))).rejects.toThrow('topic gone');
    expect(await retellAlerts(ports())).toBe(0);
    clock.advance(3 * MINUTE);
    expect(await retellAlerts(ports())).toBe(1);
    expect(await retellAlerts(ports())).toBe(0);
    expect(published).toHaveLength(1);
  });

  it('is done again as often as it fails, and by one of two monitors', async () => {
    await expect(tellAlert(alert(), ports(async () => Promise.reject(new Error('topic gone'))))).rejects.toThrow();
    for (let pass = 0; pass < 3; pass += 1) {
      clock.advance(5 * MINUTE);
      await expect(retellAlerts(ports(async () => Promise.reject(new Error('still gone'))))).rejects.toThrow('still gone');
    }
    clock.advance(5 * MINUTE);
    expect((await Promise.all([retellAlerts(ports()), retellAlerts(ports())])).toSorted((a, b) => a - b)).toEqual([0, 1]);
    expect(published).toHaveLength(1);
  });

  it('is left to the monitor where nothing may be published', async () => {
    expect(await tellAlert(alert(), { ledger, now: () => clock.now() })).toBe(true);
    clock.advance(3 * MINUTE);
    expect(await retellAlerts(ports())).toBe(1);
  });

  it('is done even when the alert was resolved before anybody heard of it', async () => {
    const lost = alert();
    await ledger.openAlert(lost);
    await ledger.resolveAlert(lost.alertId, clock.now() + 1);
    clock.advance(3 * MINUTE);
    expect(await retellAlerts(ports())).toBe(1);
  });
});
