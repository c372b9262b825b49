import type { RunLedger } from '../../../lib/catalog/run-ledger.ts';
import type { LedgerDesk } from './desk.ts';
import { alert } from './records.ts';

/** Alerts and pauses. */
export function describeAlerts(desk: LedgerDesk): void {
  describe('alerts', () => {
    it('open once for an occasion, resolve once, and are kept', async () => {
      expect(await desk.ledger.openAlert(alert(1))).toBe(true);
      expect(await desk.ledger.openAlert(alert(1, { message: 'again' }))).toBe(false);
      expect(await desk.ledger.resolveAlert('backup-failed/1', 9_000)).toBe(true);
      expect(await desk.ledger.resolveAlert('backup-failed/1', 9_500)).toBe(false);
      expect(await desk.ledger.resolveAlert('backup-failed/2', 9_500)).toBe(false);
      expect(await desk.ledger.openAlert(alert(1))).toBe(false);
      expect(await desk.ledger.listAlerts()).toEqual([alert(1, { state: 'resolved', resolvedAt: 9_000 })]);
    });

    it('are listed newest first, by state when asked', async () => {
      for (const number of [2, 1, 3]) await desk.ledger.openAlert(alert(number));
      await desk.ledger.resolveAlert('backup-failed/2', 9_000);
      const numbers = async (filter?: Parameters<RunLedger['listAlerts']>[0]): Promise<string[]> => (await desk.ledger.listAlerts(filter)).map((one) => one.alertId.slice(-1));
      expect(await numbers()).toEqual(['3', '2', '1']);
      expect(await numbers({ limit: 2 })).toEqual(['3', '2']);
      expect(await numbers({ state: 'open' })).toEqual(['3', '1']);
      expect(await numbers({ state: 'resolved', limit: 1 })).toEqual(['2']);
    });

    it('are delivered by one caller per channel, and say to which', async () => {
      await desk.ledger.openAlert(alert(1));
      const claims = await Promise.all([1, 2, 3].map((at) => desk.ledger.claimDelivery('backup-failed/1', 'topic', at)));
      expect(claims.filter(Boolean)).toHaveLength(1);
      expect(await desk.ledger.claimDelivery('backup-failed/1', 'topic', 9)).toBe(false);
      expect(await desk.ledger.claimDelivery('backup-failed/1', 'slack', 9)).toBe(true);
      expect(await desk.ledger.claimDelivery('backup-failed/2', 'slack', 9)).toBe(false);
      expect(await desk.ledger.listAlerts()).toEqual([alert(1, { delivered: ['slack', 'topic'] })]);
    });
  });

  it('keeps pauses until they are taken back', async () => {
    await desk.ledger.setPaused('photos', { at: 1, by: 'ops' });
    await desk.ledger.setPaused('mail', { at: 2, by: 'ops' });
    await desk.ledger.setPaused('photos', { at: 3, by: 'ops' });
    expect(await desk.ledger.pausedPlans()).toEqual(['mail', 'photos']);
    expect(await desk.ledger.pauses()).toEqual([{ planName: 'mail', at: 2, by: 'ops' }, { planName: 'photos', at: 3, by: 'ops' }]);
    await desk.ledger.setPaused('photos', undefined);
    await desk.ledger.setPaused('photos', undefined);
    expect(await desk.ledger.pausedPlans()).toEqual(['mail']);
  });
}
