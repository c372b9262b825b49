import { backup, backupId } from '../catalog.ts';
import type { LedgerDesk } from './desk.ts';
import { PLAN_IDS, admission, alert, ledgerRun, occurrenceOf, runId } from './records.ts';

/** Two at once, the same twice, and the catalog that lies in the same place. */
export function describeRaces(desk: LedgerDesk): void {
  describe('two who ask at the same moment', () => {
    it('are not both admitted with one run', async () => {
      await desk.claim(1);
      const answers = await Promise.all([1, 2, 3].map(() => desk.ledger.admit(runId(1), admission(1_000, { planLimit: 9, vaultLimit: 9 }))));
      expect(answers.filter(({ isAdmitted }) => isAdmitted)).toHaveLength(1);
      expect((await desk.ledger.getLedgerRun(runId(1)))?.fence).toBe(1);
    });

    it('do not both put a run back and work on it', async () => {
      const fence = await desk.start(1);
      const [isBack, claimed] = await Promise.all([desk.ledger.requeue(runId(1), fence, { notBefore: 0, reason: 'no capacity' }), desk.ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 })]);
      expect([isBack, claimed !== undefined].filter(Boolean)).toHaveLength(1);
      expect(await desk.stateOf(1)).toBe(isBack ? 'queued' : 'running');
      expect(await desk.ledger.queue('main', 10)).toHaveLength(isBack ? 1 : 0);
    });

    it('do not both cancel a waiting run and admit it', async () => {
      await desk.claim(1);
      const [answer, isEnded] = await Promise.all([desk.ledger.admit(runId(1), admission(1_000)), desk.ledger.endRun(runId(1), { to: 'cancelled', now: 1_000, expected: { state: 'queued', fence: 0 } })]);
      expect([answer.isAdmitted, isEnded].filter(Boolean)).toHaveLength(1);
      expect(await desk.stateOf(1)).toBe(isEnded ? 'cancelled' : 'starting');
    });

    it('do not both end a run, and only the one who did records his backup', async () => {
      const fence = await desk.commit(1);
      const [isCompleted, isFailed] = await Promise.all([
        desk.ledger.endRun(runId(1), { to: 'completed', now: 5_000, fence, backup: backup(1) }),
        desk.ledger.endRun(runId(1), { to: 'failed', now: 5_000, expected: { state: 'committing', fence } }),
      ]);
      expect([isCompleted, isFailed].filter(Boolean)).toHaveLength(1);
      expect(await desk.stateOf(1)).toBe(isCompleted ? 'completed' : 'failed');
      expect((await desk.catalog.stats()).backups).toBe(isCompleted ? 1 : 0);
    });
  });

  it('is the same when every step is asked for twice, as after a lost answer', async () => {
    const truth = async (): Promise<unknown> => ({
      runs: await Promise.all([1, 2].map((number) => desk.ledger.getLedgerRun(runId(number)))), queue: await desk.ledger.queue('main', 10), active: await desk.activeIds(),
      alerts: await desk.ledger.listAlerts(), paused: await desk.ledger.pausedPlans(), stats: await desk.catalog.stats(), occurrences: await desk.ledger.listOccurrences('photos', 0),
    });
    const [one, two] = [ledgerRun(1), ledgerRun(2)];
    const end = { to: 'completed' as const, now: 9_000, fence: 4, backup: backup(1, { runId: runId(1) }) };
    const steps: readonly (readonly [() => Promise<unknown>, again?: unknown])[] = [
      [() => desk.ledger.claimOccurrence(occurrenceOf(one), one)],
      [() => desk.ledger.claimOccurrence(occurrenceOf(two), two)],
      [() => desk.ledger.admit(runId(1), admission(1_000, { holder: 'dispatch' }))],
      [() => desk.ledger.noteTask(runId(1), 1, 'arn:task/1')],
      [() => desk.ledger.requeue(runId(1), 1, { notBefore: 1_500, reason: 'no capacity' })],
      [() => desk.ledger.admit(runId(2), admission(1_600, { holder: 'dispatch', planLimit: 2 }))],
      [() => desk.ledger.endRun(runId(2), { to: 'failed', now: 1_700, expected: { state: 'starting', fence: 1 } })],
      [() => desk.ledger.admit(runId(1), admission(1_800, { holder: 'dispatch' }))],
      [() => desk.ledger.requeue(runId(1), 2, { notBefore: 1_900, reason: 'no capacity' })],
      [() => desk.ledger.admit(runId(1), admission(2_000, { holder: 'dispatch' }))],
      [() => desk.ledger.claimRun(runId(1), { now: 2_100, leaseUntil: 10_000, holder: 'task' })],
      [() => desk.ledger.heartbeat(runId(1), 4, { now: 2_200, leaseUntil: 11_000, progress: { stage: 'read', doneBytes: 1 } })],
      [() => desk.ledger.beginCommit(runId(1), 4, { now: 2_300, leaseUntil: 12_000, backupId: backupId(1) })],
      [() => desk.ledger.endRun(runId(1), end)],
      [() => desk.ledger.openAlert(alert(1)), false],
      [() => desk.ledger.claimDelivery('backup-failed/1', 'topic', 1), false],
      [() => desk.ledger.resolveAlert('backup-failed/1', 9), false],
      [() => desk.ledger.setPaused('mail', { at: 1, by: 'ops' })],
    ];
    for (const [step, again] of steps) {
      const answer = await step();
      const known = await truth();
      expect(await step()).toEqual(again ?? answer);
      expect(await truth()).toEqual(known);
      expect(answer).not.toBe(false);
    }
    expect(await desk.stateOf(1)).toBe('completed');
  });

  describe('the catalog of the same place', () => {
    it('shows the runs, makes their plans known, and may not move them', async () => {
      await desk.claim(1);
      await desk.work(2, { planName: 'mail' });
      expect((await desk.catalog.listPlans()).map((plan) => plan.name)).toEqual(['mail', 'photos']);
      const [newest, oldest] = await desk.catalog.listRuns();
      expect([newest, oldest]).toMatchObject([{ runId: runId(2), state: 'running', startedAt: 2_000 }, { runId: runId(1), state: 'queued' }]);
      expect(newest).not.toHaveProperty('fence');
      expect(await desk.catalog.getRun(runId(1))).toEqual({ runId: runId(1), planId: PLAN_IDS.photos, planName: 'photos', type: 'incremental', state: 'queued', queuedAt: 1_000_001, host: 'aws' });
      await expect(desk.catalog.transitionRun(runId(1), { from: ['queued'], to: 'starting' })).rejects.toMatchObject({ code: 'broken-invariant' });
      expect(await desk.stateOf(1)).toBe('queued');
    });

    it('is rebuilt without losing what is under way', async () => {
      const ended = await desk.work(1);
      await desk.ledger.endRun(runId(1), { to: 'failed', now: 4_000, fence: ended });
      const fence = await desk.commit(2);
      await desk.claim(3);
      await desk.ledger.openAlert(alert(1));
      await desk.ledger.setPaused('mail', { at: 1, by: 'ops' });
      await desk.catalog.replaceAll({ plans: [], backups: [backup(7)], validations: [] });
      expect((await desk.catalog.listRuns()).map((run) => run.runId)).toEqual([3, 2].map(runId));
      expect(await desk.ledger.getOccurrence('photos/manual/1')).toBeDefined();
      expect([await desk.ledger.listAlerts(), await desk.ledger.pausedPlans()]).toEqual([[alert(1)], ['mail']]);
      expect((await desk.ledger.queue('main', 10)).map((run) => run.runId)).toEqual([runId(3)]);
      expect(await desk.ledger.admit(runId(3), admission(5_000))).toMatchObject({ reason: 'plan-busy' });
      expect(await desk.ledger.endRun(runId(2), { to: 'completed', now: 5_000, fence, backup: backup(2) })).toBe(true);
      expect((await desk.catalog.listBackups()).backups.map((one) => one.sequence)).toEqual([7, 2]);
      expect(await desk.ledger.admit(runId(3), admission(5_000))).toMatchObject({ isAdmitted: true });
    });
  });
}
