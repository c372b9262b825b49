import { describeAlerts } from './run-ledger/alerts.ts';
import { LedgerDesk } from './run-ledger/desk.ts';
import type { LedgerPlace } from './run-ledger/desk.ts';
import { describeQueue } from './run-ledger/queue.ts';
import { describeRaces } from './run-ledger/races.ts';
import { runId } from './run-ledger/records.ts';
import { describeWork } from './run-ledger/work.ts';

/** Every implementation of `RunLedger` keeps these promises. */
export function runLedgerContract(name: string, open: () => LedgerPlace | Promise<LedgerPlace>): void {
  describe(`${name} keeps the promises of a run ledger`, () => {
    const desk = new LedgerDesk();
    beforeEach(() => desk.sitDown(open()));
    afterEach(() => desk.leave());

    it('is empty at first: every question has an answer', async () => {
      expect(await desk.ledger.getOccurrence('photos/manual/1')).toBeUndefined();
      expect(await desk.ledger.listOccurrences('photos', 0)).toEqual([]);
      expect(await desk.ledger.getLedgerRun(runId(1))).toBeUndefined();
      expect(await desk.ledger.queue('main', 10)).toEqual([]);
      expect(await desk.ledger.activeRuns()).toEqual([]);
      expect(await desk.ledger.listAlerts()).toEqual([]);
      expect(await desk.ledger.pausedPlans()).toEqual([]);
    });

    describeQueue(desk);
    describeWork(desk);
    describeAlerts(desk);
    describeRaces(desk);
  });
}
