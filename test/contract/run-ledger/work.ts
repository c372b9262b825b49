import { backup, backupId } from '../catalog.ts';
import type { LedgerDesk } from './desk.ts';
import { PLAN_IDS, admission, ledgerRun, runId } from './records.ts';

/** What the task of a run, its worker and its end may do, by token. */
export function describeWork(desk: LedgerDesk): void {
  describe('the healing of a run', () => {
    it('is remembered while it runs and after it has ended, the last word alone, and not for a run that is not there', async () => {
      const fence = await desk.start(1);
      const due = { state: 'due', message: 'Older backups have damage.' } as const;
      expect(await desk.ledger.noteHealing(runId(2), due)).toBe(false);
      expect(await desk.ledger.noteHealing(runId(1), due)).toBe(true);
      expect((await desk.ledger.getLedgerRun(runId(1)))?.healing).toEqual(due);
      const claimed = await desk.ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 });
      expect([claimed?.fence === fence, claimed?.healing]).toEqual([false, due]);
      await desk.ledger.endRun(runId(1), { to: 'failed', now: 3_000, fence: claimed?.fence as number });
      const open = { state: 'open', message: 'One pack stays lost.', nextStep: 'Look at it.' } as const;
      expect([await desk.ledger.noteHealing(runId(1), open), await desk.ledger.noteHealing(runId(1), open)]).toEqual([true, true]);
      expect((await desk.ledger.getLedgerRun(runId(1)))?.healing).toEqual(open);
      expect((await desk.ledger.getLedgerRun(runId(2)))).toBeUndefined();
    });
  });

  describe('the task of a run', () => {
    it('is remembered for the admission that started it, also when the worker was faster or has ended', async () => {
      const fence = await desk.start(1);
      expect(await desk.ledger.noteTask(runId(1), fence + 1, 'arn:wrong')).toBe(false);
      expect(await desk.ledger.noteTask(runId(1), fence, 'arn:task/1')).toBe(true);
      expect(await desk.ledger.noteTask(runId(1), fence, 'arn:task/1')).toBe(true);
      const claimed = await desk.ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 });
      expect(claimed?.taskArn).toBe('arn:task/1');
      expect(await desk.ledger.noteTask(runId(1), fence, 'arn:task/2')).toBe(true);
      expect(await desk.ledger.noteTask(runId(1), claimed?.fence as number, 'arn:wrong')).toBe(false);
      await desk.ledger.endRun(runId(1), { to: 'failed', now: 3_000, fence: claimed?.fence as number });
      expect(await desk.ledger.noteTask(runId(1), fence, 'arn:task/3')).toBe(true);
      expect((await desk.ledger.getLedgerRun(runId(1)))?.taskArn).toBe('arn:task/3');
    });
  });

  describe('a worker', () => {
    it('claims a run once and gets all of it with a newer token', async () => {
      const fence = await desk.start(1);
      const claimed = await desk.ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 });
      expect(claimed).toEqual(ledgerRun(1, { state: 'running', fence: fence + 1, startedAt: 2_000, leaseUntil: 10_000 }));
      expect(await desk.ledger.getLedgerRun(runId(1))).toEqual(claimed);
      expect(await desk.ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 })).toBeUndefined();
    });

    it('is one alone when several start for the same run', async () => {
      await desk.start(1);
      const answers = await Promise.all([1, 2, 3, 4].map((number) => desk.ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000, holder: `task-${number}` })));
      expect(answers.filter((run) => run !== undefined)).toHaveLength(1);
    });

    it('is given its run again when the answer was lost, and nobody else is', async () => {
      await desk.start(1);
      const claimed = await desk.ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000, holder: 'task-1' });
      expect(await desk.ledger.claimRun(runId(1), { now: 2_001, leaseUntil: 10_001, holder: 'task-1' })).toEqual(claimed);
      expect(await desk.ledger.claimRun(runId(1), { now: 2_001, leaseUntil: 10_001, holder: 'task-2' })).toBeUndefined();
    });

    it('cannot claim what waits, what ended, what is unknown, or what took too long to start', async () => {
      await desk.claim(1);
      expect(await desk.ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 })).toBeUndefined();
      await desk.ledger.admit(runId(1), admission(1_000, { leaseUntil: 5_000 }));
      expect(await desk.ledger.claimRun(runId(1), { now: 5_000, leaseUntil: 10_000 })).toBeUndefined();
      expect(await desk.ledger.claimRun(runId(9), { now: 2_000, leaseUntil: 10_000 })).toBeUndefined();
      await desk.ledger.endRun(runId(1), { to: 'failed', now: 5_000, expected: { state: 'starting', fence: 1 } });
      expect(await desk.ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 })).toBeUndefined();
    });

    it('extends its lease and says how far it is; an ended lease is not revived', async () => {
      const fence = await desk.work(1);
      expect(await desk.ledger.heartbeat(runId(1), fence, { now: 9_999, leaseUntil: 20_000, progress: { stage: 'read', doneBytes: 5, totalBytes: 9 } })).toBe(true);
      expect(await desk.ledger.heartbeat(runId(1), fence, { now: 12_000, leaseUntil: 20_000 })).toBe(true);
      expect(await desk.ledger.getLedgerRun(runId(1))).toMatchObject({ leaseUntil: 20_000, progress: { stage: 'read', doneBytes: 5, totalBytes: 9 } });
      expect(await desk.ledger.heartbeat(runId(1), fence - 1, { now: 12_000, leaseUntil: 30_000 })).toBe(false);
      expect(await desk.ledger.heartbeat(runId(1), fence, { now: 20_000, leaseUntil: 30_000 })).toBe(false);
      expect(await desk.ledger.heartbeat(runId(9), 1, { now: 1, leaseUntil: 2 })).toBe(false);
      expect((await desk.ledger.getLedgerRun(runId(1)))?.leaseUntil).toBe(20_000);
    });

    it('has no lease to extend before it claimed the run or after the run ended', async () => {
      const fence = await desk.start(1);
      expect(await desk.ledger.heartbeat(runId(1), fence, { now: 2_000, leaseUntil: 3_000 })).toBe(false);
      const claimed = await desk.ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 });
      await desk.ledger.endRun(runId(1), { to: 'failed', now: 3_000, fence: claimed?.fence as number });
      expect(await desk.ledger.heartbeat(runId(1), claimed?.fence as number, { now: 4_000, leaseUntil: 20_000 })).toBe(false);
    });
  });

  describe('the commit', () => {
    it('begins once per backup, with the newest token, before the lease has ended', async () => {
      const fence = await desk.work(1);
      const step = { now: 3_000, leaseUntil: 12_000, backupId: backupId(1) };
      expect(await desk.ledger.beginCommit(runId(1), fence - 1, step)).toBe(false);
      expect(await desk.ledger.beginCommit(runId(1), fence, { ...step, now: 10_000 })).toBe(false);
      expect(await desk.stateOf(1)).toBe('running');
      expect(await desk.ledger.beginCommit(runId(1), fence, step)).toBe(true);
      expect(await desk.ledger.beginCommit(runId(1), fence, step)).toBe(true);
      expect(await desk.ledger.beginCommit(runId(1), fence, { ...step, backupId: backupId(2) })).toBe(false);
      expect(await desk.ledger.getLedgerRun(runId(1))).toMatchObject({ state: 'committing', leaseUntil: 12_000, backupId: backupId(1) });
      expect(await desk.ledger.heartbeat(runId(1), fence, { now: 11_000, leaseUntil: 13_000 })).toBe(true);
    });

    it('does not begin when the run was given up meanwhile', async () => {
      const fence = await desk.work(1);
      expect(await desk.ledger.endRun(runId(1), { to: 'failed', now: 4_000, expected: { state: 'running', fence } })).toBe(true);
      expect(await desk.ledger.beginCommit(runId(1), fence, { now: 4_001, leaseUntil: 12_000, backupId: backupId(1) })).toBe(false);
    });
  });

  describe('the end of a run', () => {
    it('records its backup and gives both slots back, in one step', async () => {
      const fence = await desk.commit(1);
      const record = backup(1, { runId: runId(1), vault: 'main' });
      expect(await desk.ledger.endRun(runId(1), { to: 'completed', now: 5_000, fence, backup: record })).toBe(true);
      const run = await desk.ledger.getLedgerRun(runId(1));
      expect(run).toMatchObject({ state: 'completed', finishedAt: 5_000, backupId: backupId(1), fence });
      expect(run?.leaseUntil).toBeUndefined();
      expect(await desk.catalog.getBackup(backupId(1))).toEqual(record);
      expect(await desk.catalog.listPlans()).toMatchObject([{ planId: PLAN_IDS.photos, name: 'photos' }]);
      expect(await desk.catalog.stats()).toMatchObject({ backups: 1, files: 10, bytes: 5_000_000_000 });
      expect(await desk.activeIds()).toEqual([]);
      await desk.claim(2);
      expect(await desk.ledger.admit(runId(2), admission(6_000, { vaultLimit: 1 }))).toMatchObject({ isAdmitted: true });
    });

    it('is true again in the same state and false in another, and changes nothing then', async () => {
      const fence = await desk.commit(1);
      const record = backup(1, { runId: runId(1) });
      await desk.ledger.endRun(runId(1), { to: 'completed', now: 5_000, fence, backup: record });
      await desk.catalog.setBackupState(backupId(1), 'validated');
      const before = await desk.ledger.getLedgerRun(runId(1));
      expect(await desk.ledger.endRun(runId(1), { to: 'completed', now: 6_000, fence, backup: record })).toBe(true);
      expect(await desk.ledger.endRun(runId(1), { to: 'failed', now: 6_000, fence, error: { code: 'unavailable', message: 'late' } })).toBe(false);
      expect(await desk.ledger.endRun(runId(1), { to: 'failed', now: 6_000, expected: { state: 'committing', fence } })).toBe(false);
      expect(await desk.ledger.getLedgerRun(runId(1))).toEqual(before);
      expect((await desk.catalog.getBackup(backupId(1))).state).toBe('validated');
      expect((await desk.catalog.stats()).backups).toBe(1);
    });

    it('says why, with what to do', async () => {
      const fence = await desk.work(1);
      const error = { code: 'source-failed', message: 'pg_dump ended with 1.', nextStep: 'Look at its log.' };
      await desk.ledger.endRun(runId(1), { to: 'failed', now: 4_000, fence, error });
      expect(await desk.ledger.getLedgerRun(runId(1))).toMatchObject({ state: 'failed', error });
    });

    it('is for the holder of the newest token alone, in the order of the states', async () => {
      const fence = await desk.work(1);
      expect(await desk.ledger.endRun(runId(1), { to: 'failed', now: 4_000, fence: fence - 1 })).toBe(false);
      expect(await desk.ledger.endRun(runId(1), { to: 'completed', now: 4_000, fence, backup: backup(1) })).toBe(false);
      await expect(desk.catalog.getBackup(backupId(1))).rejects.toMatchObject({ code: 'not-found' });
      expect(await desk.ledger.endRun(runId(9), { to: 'failed', now: 4_000, fence: 1 })).toBe(false);
      expect(await desk.stateOf(1)).toBe('running');
    });

    it('is for whoever judged the run, when it is still what he judged', async () => {
      const fence = await desk.work(1);
      expect(await desk.ledger.endRun(runId(1), { to: 'failed', now: 4_000, expected: { state: 'starting', fence } })).toBe(false);
      expect(await desk.ledger.endRun(runId(1), { to: 'failed', now: 4_000, expected: { state: 'running', fence: fence - 1 } })).toBe(false);
      expect(await desk.ledger.endRun(runId(1), { to: 'failed', now: 4_000, expected: { state: 'running', fence } })).toBe(true);
    });

    it('takes a waiting run out of the queue', async () => {
      await desk.claim(1);
      expect(await desk.ledger.endRun(runId(1), { to: 'cancelled', now: 4_000, expected: { state: 'queued', fence: 0 } })).toBe(true);
      expect(await desk.ledger.queue('main', 10)).toEqual([]);
      expect(await desk.ledger.admit(runId(1), admission(5_000))).toEqual({ isAdmitted: false, reason: 'not-queued' });
      expect(await desk.activeIds()).toEqual([]);
    });

    it('refuses what no caller may ask', async () => {
      await desk.work(1);
      for (const end of [{ to: 'failed' as const, now: 1 }, { to: 'failed' as const, now: 1, fence: 2, backup: backup(1) }, { to: 'completed' as const, now: 1, expected: { state: 'running' as const, fence: 2 } }]) {
        await expect(desk.ledger.endRun(runId(1), end)).rejects.toMatchObject({ code: 'broken-invariant' });
      }
      expect(await desk.stateOf(1)).toBe('running');
    });
  });
}
