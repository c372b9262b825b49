import type { LedgerDesk } from './desk.ts';
import { admission, ledgerRun, occurrenceOf, runId, MINUTE } from './records.ts';

/** Occurrences become runs, runs wait for a slot, and some wait again. */
export function describeQueue(desk: LedgerDesk): void {
  describe('occurrences', () => {
    it('become one run, however often they are claimed, and both read as they were written', async () => {
      const first = ledgerRun(1, { occurrence: 'photos/schedule/2026-01-01T02:00:00Z' });
      const occurrence = occurrenceOf(first, { trigger: 'schedule' });
      expect(await desk.ledger.claimOccurrence(occurrence, first)).toEqual({ isNew: true, runId: runId(1) });
      const second = ledgerRun(2, { occurrence: first.occurrence });
      expect(await desk.ledger.claimOccurrence(occurrenceOf(second), second)).toEqual({ isNew: false, runId: runId(1) });
      expect(await desk.ledger.getOccurrence(occurrence.key)).toEqual(occurrence);
      expect(await desk.ledger.getLedgerRun(runId(1))).toEqual(first);
      expect(await desk.ledger.getLedgerRun(runId(2))).toBeUndefined();
      expect(await desk.ledger.queue('main', 10)).toEqual([first]);
    });

    it('are still new for the caller whose run they became, when the answer was lost; also later', async () => {
      const run = await desk.claim(1);
      await desk.ledger.admit(runId(1), admission(1_000));
      expect(await desk.ledger.claimOccurrence(occurrenceOf(run), run)).toEqual({ isNew: true, runId: runId(1) });
      expect(await desk.stateOf(1)).toBe('starting');
    });

    it('become one run when several claim them at once', async () => {
      const runs = [1, 2, 3, 4].map((number) => ledgerRun(number, { occurrence: 'photos/event/x' }));
      const answers = await Promise.all(runs.map((run) => desk.ledger.claimOccurrence(occurrenceOf(run), run)));
      expect(answers.filter(({ isNew }) => isNew)).toHaveLength(1);
      expect(new Set(answers.map((answer) => answer.runId)).size).toBe(1);
      expect(await desk.ledger.queue('main', 10)).toHaveLength(1);
    });

    it('are listed by plan from a time on, oldest first', async () => {
      for (const [number, at, planName] of [[1, 30, 'photos'], [2, 10, 'photos'], [3, 20, 'photos'], [4, 25, 'mail'], [5, 9, 'photos']] as const) {
        const run = ledgerRun(number, { planName });
        await desk.ledger.claimOccurrence(occurrenceOf(run, { at }), run);
      }
      expect((await desk.ledger.listOccurrences('photos', 10)).map(({ at }) => at)).toEqual([10, 20, 30]);
      expect(await desk.ledger.listOccurrences('nobody', 0)).toEqual([]);
    });

    it('refuse a run id that another occurrence has, and leave nothing behind', async () => {
      await desk.claim(1);
      const other = ledgerRun(1, { occurrence: 'photos/event/other' });
      await expect(desk.ledger.claimOccurrence(occurrenceOf(other), other)).rejects.toMatchObject({ code: 'already-exists' });
      expect(await desk.ledger.getOccurrence('photos/event/other')).toBeUndefined();
      expect(await desk.ledger.queue('main', 10)).toHaveLength(1);
    });

    it('refuse a run that was not made for them', async () => {
      const run = ledgerRun(1);
      await expect(desk.ledger.claimOccurrence(occurrenceOf(run, { key: 'photos/event/other' }), run)).rejects.toMatchObject({ code: 'broken-invariant' });
      await expect(desk.ledger.claimOccurrence(occurrenceOf(run), { ...run, fence: 3 })).rejects.toMatchObject({ code: 'broken-invariant' });
      expect(await desk.ledger.activeRuns()).toEqual([]);
    });
  });

  describe('the queue', () => {
    it('is one per vault, soonest rank first, then by id, and holds only what waits', async () => {
      await desk.claim(1, { rank: 300 });
      await desk.claim(3, { rank: 100, notBefore: 99_999_999 });
      await desk.claim(2, { rank: 100 });
      await desk.claim(4, { rank: -5, planName: 'mail' });
      await desk.claim(5, { rank: 1, vault: 'other' });
      expect((await desk.ledger.queue('main', 10)).map((run) => run.runId)).toEqual([4, 2, 3, 1].map(runId));
      expect((await desk.ledger.queue('main', 2)).map((run) => run.runId)).toEqual([4, 2].map(runId));
      await desk.ledger.admit(runId(4), admission(1_000));
      expect((await desk.ledger.queue('main', 10)).map((run) => run.runId)).toEqual([2, 3, 1].map(runId));
      expect((await desk.ledger.queue('other', 10)).map((run) => run.runId)).toEqual([runId(5)]);
      expect(await desk.activeIds()).toEqual([1, 2, 3, 4, 5].map(runId));
    });
  });

  describe('admission', () => {
    it('gives a lease and a token, once', async () => {
      await desk.claim(1);
      expect(await desk.ledger.admit(runId(1), admission(1_000))).toEqual({ isAdmitted: true, fence: 1 });
      expect(await desk.ledger.admit(runId(1), admission(1_000))).toEqual({ isAdmitted: false, reason: 'not-queued' });
      expect(await desk.ledger.getLedgerRun(runId(1))).toEqual(ledgerRun(1, { state: 'starting', fence: 1, leaseUntil: 1_000 + 15 * MINUTE }));
      expect(await desk.ledger.queue('main', 10)).toEqual([]);
    });

    it('tells the same holder the same again while the run is starting, and nobody else', async () => {
      await desk.claim(1);
      expect(await desk.ledger.admit(runId(1), admission(1_000, { holder: 'dispatch-1' }))).toEqual({ isAdmitted: true, fence: 1 });
      expect(await desk.ledger.admit(runId(1), admission(1_500, { holder: 'dispatch-1' }))).toEqual({ isAdmitted: true, fence: 1 });
      expect(await desk.ledger.admit(runId(1), admission(1_500, { holder: 'dispatch-2' }))).toEqual({ isAdmitted: false, reason: 'not-queued' });
      await desk.ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 });
      expect(await desk.ledger.admit(runId(1), admission(2_500, { holder: 'dispatch-1' }))).toEqual({ isAdmitted: false, reason: 'not-queued' });
    });

    it('refuses what is unknown, not due, or more than vault or plan may run at once', async () => {
      expect(await desk.ledger.admit(runId(9), admission(0))).toEqual({ isAdmitted: false, reason: 'not-queued' });
      await desk.claim(1, { notBefore: 5_000 });
      expect(await desk.ledger.admit(runId(1), admission(4_999))).toEqual({ isAdmitted: false, reason: 'not-due' });
      expect(await desk.ledger.admit(runId(1), admission(5_000))).toMatchObject({ isAdmitted: true });
      await desk.claim(2);
      expect(await desk.ledger.admit(runId(2), admission(5_000))).toEqual({ isAdmitted: false, reason: 'plan-busy' });
      expect(await desk.ledger.admit(runId(2), admission(5_000, { vaultLimit: 1 }))).toEqual({ isAdmitted: false, reason: 'vault-full' });
      await desk.claim(3, { planName: 'mail' });
      expect(await desk.ledger.admit(runId(3), admission(5_000, { vaultLimit: 1 }))).toEqual({ isAdmitted: false, reason: 'vault-full' });
      expect(await desk.ledger.admit(runId(3), admission(5_000))).toMatchObject({ isAdmitted: true });
      await desk.claim(4, { planName: 'mail', vault: 'other' });
      expect(await desk.ledger.admit(runId(4), admission(5_000))).toEqual({ isAdmitted: false, reason: 'plan-busy' });
      expect(await desk.ledger.admit(runId(4), admission(5_000, { planLimit: 2, vaultLimit: 1 }))).toMatchObject({ isAdmitted: true });
      await expect(desk.ledger.admit(runId(2), admission(5_000, { vaultLimit: 0 }))).rejects.toMatchObject({ code: 'broken-invariant' });
    });

    it('lets no more in than the limits say when many ask at once', async () => {
      for (let number = 1; number <= 8; number++) await desk.claim(number, { planName: number % 2 === 0 ? 'mail' : 'photos' });
      const answers = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((number) => desk.ledger.admit(runId(number), admission(1_000, { vaultLimit: 3, planLimit: 2 }))));
      expect(answers.filter(({ isAdmitted }) => isAdmitted)).toHaveLength(3);
    });

    it.each([
      ['is put back', async (fence: number) => desk.ledger.requeue(runId(1), fence, { notBefore: 0, reason: 'no capacity' })],
      ['fails before it ran', async (fence: number) => desk.ledger.endRun(runId(1), { to: 'failed', now: 2_000, fence })],
    ])('has room again when a run %s', async (_, giveBack) => {
      const fence = await desk.start(1);
      await desk.claim(2);
      expect(await desk.ledger.admit(runId(2), admission(1_000))).toMatchObject({ reason: 'plan-busy' });
      expect(await giveBack(fence)).toBe(true);
      expect(await desk.ledger.admit(runId(2), admission(1_000))).toMatchObject({ isAdmitted: true });
    });
  });

  describe('a run that is put back', () => {
    it('waits in its old place with a reason, counts one attempt, and gets a newer token next time', async () => {
      await desk.claim(2, { rank: 2_000_000 });
      const fence = await desk.start(1);
      await desk.ledger.noteTask(runId(1), fence, 'arn:task/1');
      expect(await desk.ledger.requeue(runId(1), fence, { notBefore: 8_000, reason: 'no Fargate capacity' })).toBe(true);
      const waiting = ledgerRun(1, { fence: 1, attempts: 1, notBefore: 8_000, waitingFor: 'no Fargate capacity' });
      expect(await desk.ledger.queue('main', 10)).toEqual([waiting, ledgerRun(2, { rank: 2_000_000 })]);
      expect(await desk.ledger.noteTask(runId(1), fence, 'arn:task/1')).toBe(false);
      expect(await desk.ledger.admit(runId(1), admission(8_000))).toEqual({ isAdmitted: true, fence: 2 });
      expect((await desk.ledger.getLedgerRun(runId(1)))?.waitingFor).toBeUndefined();
    });

    it('is put back once, however often the answer was lost, and not by an old token nor once it moved on', async () => {
      const fence = await desk.start(1);
      const until = { notBefore: 8_000, reason: 'no capacity' };
      expect(await desk.ledger.requeue(runId(1), fence + 1, until)).toBe(false);
      expect(await desk.ledger.requeue(runId(1), fence, until)).toBe(true);
      expect(await desk.ledger.requeue(runId(1), fence, until)).toBe(true);
      expect((await desk.ledger.getLedgerRun(runId(1)))?.attempts).toBe(1);
      await desk.ledger.admit(runId(1), admission(9_000));
      expect(await desk.ledger.requeue(runId(1), fence, until)).toBe(false);
      await desk.ledger.claimRun(runId(1), { now: 9_500, leaseUntil: 20_000 });
      expect(await desk.ledger.requeue(runId(1), fence + 1, until)).toBe(false);
      expect(await desk.ledger.requeue(runId(1), fence + 2, until)).toBe(false);
      expect(await desk.stateOf(1)).toBe('running');
      expect(await desk.ledger.requeue(runId(9), 1, until)).toBe(false);
    });

    it('was never put back when it only waits', async () => {
      await desk.claim(1);
      expect(await desk.ledger.requeue(runId(1), 0, { notBefore: 1, reason: 'x' })).toBe(false);
      expect((await desk.ledger.getLedgerRun(runId(1)))?.attempts).toBe(0);
    });
  });
}
