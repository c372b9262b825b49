import type { Catalog } from '../../lib/catalog/catalog.ts';
import type { AlertRecord, LedgerRun, OccurrenceRecord } from '../../lib/catalog/ledger-records.ts';
import type { Admission, RunLedger } from '../../lib/catalog/run-ledger.ts';
import type { PlanId, RunId } from '../../lib/model/ids.ts';
import { backup, backupId } from './catalog.ts';

const MINUTE = 60_000;
export const PLAN_IDS: Readonly<Record<string, PlanId>> = { photos: 'a'.repeat(32) as PlanId, mail: 'b'.repeat(32) as PlanId };

/** A ULID-like id whose order is the number's. */
export function runId(number: number): RunId {
  return `01KR${String(number).padStart(22, '0')}` as RunId;
}

export function ledgerRun(number: number, fields: Partial<LedgerRun> = {}): LedgerRun {
  const planName = fields.planName ?? 'photos';
  return {
    runId: runId(number), planId: PLAN_IDS[planName] as PlanId, planName, type: 'incremental', state: 'queued', queuedAt: 1_000_000 + number, host: 'aws',
    vault: 'main', occurrence: `${planName}/manual/${number}`, rank: 1_000_000 + number, notBefore: 0, startBy: 9_000_000, attempts: 0, fence: 0,
    stopBy: 20_000_000, order: `{"name":"${planName}"}`, configHash: 'c'.repeat(64), ...fields,
  };
}

export function occurrenceOf(run: LedgerRun, fields: Partial<OccurrenceRecord> = {}): OccurrenceRecord {
  return { key: run.occurrence, planName: run.planName, trigger: 'manual', at: run.queuedAt, runId: run.runId, claimedAt: run.queuedAt, ...fields };
}

export function admission(now: number, fields: Partial<Admission> = {}): Admission {
  return { now, leaseUntil: now + 15 * MINUTE, vaultLimit: 2, planLimit: 1, ...fields };
}

function alert(number: number, fields: Partial<AlertRecord> = {}): AlertRecord {
  return {
    alertId: `backup-failed/${number}`, kind: 'backup-failed', severity: 'high', state: 'open', title: 'Backup of photos failed', message: 'The disk is full.',
    nextStep: 'Make room.', planName: 'photos', runId: runId(number), openedAt: 5_000 + number, ...fields,
  };
}

/** Ledger and catalog of one place, empty. */
export interface LedgerPlace {
  readonly ledger: RunLedger;
  readonly catalog: Catalog;
  close(): Promise<void>;
}

/** Every implementation of `RunLedger` keeps these promises. */
export function runLedgerContract(name: string, open: () => LedgerPlace | Promise<LedgerPlace>): void {
  describe(`${name} keeps the promises of a run ledger`, () => {
    let place: LedgerPlace;
    let ledger: RunLedger;
    let catalog: Catalog;
    beforeEach(async () => {
      place = await open();
      ({ ledger, catalog } = place);
    });
    afterEach(() => place.close());

    const claim = async (number: number, fields: Partial<LedgerRun> = {}): Promise<LedgerRun> => {
      const run = ledgerRun(number, fields);
      await ledger.claimOccurrence(occurrenceOf(run), run);
      return run;
    };
    /** Claimed, admitted: its token. */
    const start = async (number: number, fields: Partial<LedgerRun> = {}): Promise<number> => {
      await claim(number, fields);
      const answer = await ledger.admit(runId(number), admission(1_000, { vaultLimit: 10, planLimit: 10 }));
      if (!answer.isAdmitted) throw new Error(`not admitted: ${answer.reason}`);
      return answer.fence;
    };
    /** Claimed by a worker at 2,000 with a lease until 10,000: its token. */
    const work = async (number: number, fields: Partial<LedgerRun> = {}): Promise<number> => {
      await start(number, fields);
      return (await ledger.claimRun(runId(number), { now: 2_000, leaseUntil: 10_000 }))?.fence as number;
    };
    const commit = async (number: number): Promise<number> => {
      const fence = await work(number);
      expect(await ledger.beginCommit(runId(number), fence, { now: 3_000, leaseUntil: 10_000, backupId: backupId(number) })).toBe(true);
      return fence;
    };
    const stateOf = async (number: number): Promise<string | undefined> => (await ledger.getLedgerRun(runId(number)))?.state;
    const activeIds = async (): Promise<string[]> => (await ledger.activeRuns()).map((run) => run.runId).sort();

    it('is empty at first: every question has an answer', async () => {
      expect(await ledger.getOccurrence('photos/manual/1')).toBeUndefined();
      expect(await ledger.listOccurrences('photos', 0)).toEqual([]);
      expect(await ledger.getLedgerRun(runId(1))).toBeUndefined();
      expect(await ledger.queue('main', 10)).toEqual([]);
      expect(await ledger.activeRuns()).toEqual([]);
      expect(await ledger.listAlerts()).toEqual([]);
      expect(await ledger.pausedPlans()).toEqual([]);
    });

    describe('occurrences', () => {
      it('become one run, however often they are claimed, and both read as they were written', async () => {
        const first = ledgerRun(1, { occurrence: 'photos/schedule/2026-01-01T02:00:00Z' });
        const occurrence = occurrenceOf(first, { trigger: 'schedule' });
        expect(await ledger.claimOccurrence(occurrence, first)).toEqual({ isNew: true, runId: runId(1) });
        const second = ledgerRun(2, { occurrence: first.occurrence });
        expect(await ledger.claimOccurrence(occurrenceOf(second), second)).toEqual({ isNew: false, runId: runId(1) });
        expect(await ledger.getOccurrence(occurrence.key)).toEqual(occurrence);
        expect(await ledger.getLedgerRun(runId(1))).toEqual(first);
        expect(await ledger.getLedgerRun(runId(2))).toBeUndefined();
        expect(await ledger.queue('main', 10)).toEqual([first]);
      });

      it('are still new for the caller whose run they became, when the answer was lost; also later', async () => {
        const run = await claim(1);
        await ledger.admit(runId(1), admission(1_000));
        expect(await ledger.claimOccurrence(occurrenceOf(run), run)).toEqual({ isNew: true, runId: runId(1) });
        expect(await stateOf(1)).toBe('starting');
      });

      it('become one run when several claim them at once', async () => {
        const runs = [1, 2, 3, 4].map((number) => ledgerRun(number, { occurrence: 'photos/event/x' }));
        const answers = await Promise.all(runs.map((run) => ledger.claimOccurrence(occurrenceOf(run), run)));
        expect(answers.filter(({ isNew }) => isNew)).toHaveLength(1);
        expect(new Set(answers.map((answer) => answer.runId)).size).toBe(1);
        expect(await ledger.queue('main', 10)).toHaveLength(1);
      });

      it('are listed by plan from a time on, oldest first', async () => {
        for (const [number, at, planName] of [[1, 30, 'photos'], [2, 10, 'photos'], [3, 20, 'photos'], [4, 25, 'mail'], [5, 9, 'photos']] as const) {
          const run = ledgerRun(number, { planName });
          await ledger.claimOccurrence(occurrenceOf(run, { at }), run);
        }
        expect((await ledger.listOccurrences('photos', 10)).map(({ at }) => at)).toEqual([10, 20, 30]);
        expect(await ledger.listOccurrences('nobody', 0)).toEqual([]);
      });

      it('refuse a run id that another occurrence has, and leave nothing behind', async () => {
        await claim(1);
        const other = ledgerRun(1, { occurrence: 'photos/event/other' });
        await expect(ledger.claimOccurrence(occurrenceOf(other), other)).rejects.toMatchObject({ code: 'already-exists' });
        expect(await ledger.getOccurrence('photos/event/other')).toBeUndefined();
        expect(await ledger.queue('main', 10)).toHaveLength(1);
      });

      it('refuse a run that was not made for them', async () => {
        const run = ledgerRun(1);
        await expect(ledger.claimOccurrence(occurrenceOf(run, { key: 'photos/event/other' }), run)).rejects.toMatchObject({ code: 'broken-invariant' });
        await expect(ledger.claimOccurrence(occurrenceOf(run), { ...run, fence: 3 })).rejects.toMatchObject({ code: 'broken-invariant' });
        expect(await ledger.activeRuns()).toEqual([]);
      });
    });

    describe('the queue', () => {
      it('is one per vault, soonest rank first, then by id, and holds only what waits', async () => {
        await claim(1, { rank: 300 });
        await claim(3, { rank: 100, notBefore: 99_999_999 });
        await claim(2, { rank: 100 });
        await claim(4, { rank: -5, planName: 'mail' });
        await claim(5, { rank: 1, vault: 'other' });
        expect((await ledger.queue('main', 10)).map((run) => run.runId)).toEqual([4, 2, 3, 1].map(runId));
        expect((await ledger.queue('main', 2)).map((run) => run.runId)).toEqual([4, 2].map(runId));
        await ledger.admit(runId(4), admission(1_000));
        expect((await ledger.queue('main', 10)).map((run) => run.runId)).toEqual([2, 3, 1].map(runId));
        expect((await ledger.queue('other', 10)).map((run) => run.runId)).toEqual([runId(5)]);
        expect(await activeIds()).toEqual([1, 2, 3, 4, 5].map(runId));
      });
    });

    describe('admission', () => {
      it('gives a lease and a token, once', async () => {
        await claim(1);
        expect(await ledger.admit(runId(1), admission(1_000))).toEqual({ isAdmitted: true, fence: 1 });
        expect(await ledger.admit(runId(1), admission(1_000))).toEqual({ isAdmitted: false, reason: 'not-queued' });
        expect(await ledger.getLedgerRun(runId(1))).toEqual(ledgerRun(1, { state: 'starting', fence: 1, leaseUntil: 1_000 + 15 * MINUTE }));
        expect(await ledger.queue('main', 10)).toEqual([]);
      });

      it('tells the same holder the same again while the run is starting, and nobody else', async () => {
        await claim(1);
        expect(await ledger.admit(runId(1), admission(1_000, { holder: 'dispatch-1' }))).toEqual({ isAdmitted: true, fence: 1 });
        expect(await ledger.admit(runId(1), admission(1_500, { holder: 'dispatch-1' }))).toEqual({ isAdmitted: true, fence: 1 });
        expect(await ledger.admit(runId(1), admission(1_500, { holder: 'dispatch-2' }))).toEqual({ isAdmitted: false, reason: 'not-queued' });
        await ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 });
        expect(await ledger.admit(runId(1), admission(2_500, { holder: 'dispatch-1' }))).toEqual({ isAdmitted: false, reason: 'not-queued' });
      });

      it('refuses what is unknown, not due, or more than vault or plan may run at once', async () => {
        expect(await ledger.admit(runId(9), admission(0))).toEqual({ isAdmitted: false, reason: 'not-queued' });
        await claim(1, { notBefore: 5_000 });
        expect(await ledger.admit(runId(1), admission(4_999))).toEqual({ isAdmitted: false, reason: 'not-due' });
        expect(await ledger.admit(runId(1), admission(5_000))).toMatchObject({ isAdmitted: true });
        await claim(2);
        expect(await ledger.admit(runId(2), admission(5_000))).toEqual({ isAdmitted: false, reason: 'plan-busy' });
        expect(await ledger.admit(runId(2), admission(5_000, { vaultLimit: 1 }))).toEqual({ isAdmitted: false, reason: 'vault-full' });
        await claim(3, { planName: 'mail' });
        expect(await ledger.admit(runId(3), admission(5_000, { vaultLimit: 1 }))).toEqual({ isAdmitted: false, reason: 'vault-full' });
        expect(await ledger.admit(runId(3), admission(5_000))).toMatchObject({ isAdmitted: true });
        await claim(4, { planName: 'mail', vault: 'other' });
        expect(await ledger.admit(runId(4), admission(5_000))).toEqual({ isAdmitted: false, reason: 'plan-busy' });
        expect(await ledger.admit(runId(4), admission(5_000, { planLimit: 2, vaultLimit: 1 }))).toMatchObject({ isAdmitted: true });
        await expect(ledger.admit(runId(2), admission(5_000, { vaultLimit: 0 }))).rejects.toMatchObject({ code: 'broken-invariant' });
      });

      it('lets no more in than the limits say when many ask at once', async () => {
        for (let number = 1; number <= 8; number++) await claim(number, { planName: number % 2 === 0 ? 'mail' : 'photos' });
        const answers = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((number) => ledger.admit(runId(number), admission(1_000, { vaultLimit: 3, planLimit: 2 }))));
        expect(answers.filter(({ isAdmitted }) => isAdmitted)).toHaveLength(3);
      });

      it.each([
        ['is put back', async (fence: number) => ledger.requeue(runId(1), fence, { notBefore: 0, reason: 'no capacity' })],
        ['fails before it ran', async (fence: number) => ledger.endRun(runId(1), { to: 'failed', now: 2_000, fence })],
      ])('has room again when a run %s', async (_, giveBack) => {
        const fence = await start(1);
        await claim(2);
        expect(await ledger.admit(runId(2), admission(1_000))).toMatchObject({ reason: 'plan-busy' });
        expect(await giveBack(fence)).toBe(true);
        expect(await ledger.admit(runId(2), admission(1_000))).toMatchObject({ isAdmitted: true });
      });
    });

    describe('a run that is put back', () => {
      it('waits in its old place with a reason, counts one attempt, and gets a newer token next time', async () => {
        await claim(2, { rank: 2_000_000 });
        const fence = await start(1);
        await ledger.noteTask(runId(1), fence, 'arn:task/1');
        expect(await ledger.requeue(runId(1), fence, { notBefore: 8_000, reason: 'no Fargate capacity' })).toBe(true);
        const waiting = ledgerRun(1, { fence: 1, attempts: 1, notBefore: 8_000, waitingFor: 'no Fargate capacity' });
        expect(await ledger.queue('main', 10)).toEqual([waiting, ledgerRun(2, { rank: 2_000_000 })]);
        expect(await ledger.noteTask(runId(1), fence, 'arn:task/1')).toBe(false);
        expect(await ledger.admit(runId(1), admission(8_000))).toEqual({ isAdmitted: true, fence: 2 });
        expect((await ledger.getLedgerRun(runId(1)))?.waitingFor).toBeUndefined();
      });

      it('is put back once, however often the answer was lost, and not by an old token nor once it moved on', async () => {
        const fence = await start(1);
        const until = { notBefore: 8_000, reason: 'no capacity' };
        expect(await ledger.requeue(runId(1), fence + 1, until)).toBe(false);
        expect(await ledger.requeue(runId(1), fence, until)).toBe(true);
        expect(await ledger.requeue(runId(1), fence, until)).toBe(true);
        expect((await ledger.getLedgerRun(runId(1)))?.attempts).toBe(1);
        await ledger.admit(runId(1), admission(9_000));
        expect(await ledger.requeue(runId(1), fence, until)).toBe(false);
        await ledger.claimRun(runId(1), { now: 9_500, leaseUntil: 20_000 });
        expect(await ledger.requeue(runId(1), fence + 1, until)).toBe(false);
        expect(await ledger.requeue(runId(1), fence + 2, until)).toBe(false);
        expect(await stateOf(1)).toBe('running');
        expect(await ledger.requeue(runId(9), 1, until)).toBe(false);
      });

      it('was never put back when it only waits', async () => {
        await claim(1);
        expect(await ledger.requeue(runId(1), 0, { notBefore: 1, reason: 'x' })).toBe(false);
        expect((await ledger.getLedgerRun(runId(1)))?.attempts).toBe(0);
      });
    });

    describe('the healing of a run', () => {
      it('is remembered while it runs and after it has ended, the last word alone, and not for a run that is not there', async () => {
        const fence = await start(1);
        const due = { state: 'due', message: 'Older backups have damage.' } as const;
        expect(await ledger.noteHealing(runId(2), due)).toBe(false);
        expect(await ledger.noteHealing(runId(1), due)).toBe(true);
        expect((await ledger.getLedgerRun(runId(1)))?.healing).toEqual(due);
        const claimed = await ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 });
        expect([claimed?.fence === fence, claimed?.healing]).toEqual([false, due]);
        await ledger.endRun(runId(1), { to: 'failed', now: 3_000, fence: claimed?.fence as number });
        const open = { state: 'open', message: 'One pack stays lost.', nextStep: 'Look at it.' } as const;
        expect([await ledger.noteHealing(runId(1), open), await ledger.noteHealing(runId(1), open)]).toEqual([true, true]);
        expect((await ledger.getLedgerRun(runId(1)))?.healing).toEqual(open);
        expect((await ledger.getLedgerRun(runId(2)))).toBeUndefined();
      });
    });

    describe('the task of a run', () => {
      it('is remembered for the admission that started it, also when the worker was faster or has ended', async () => {
        const fence = await start(1);
        expect(await ledger.noteTask(runId(1), fence + 1, 'arn:wrong')).toBe(false);
        expect(await ledger.noteTask(runId(1), fence, 'arn:task/1')).toBe(true);
        expect(await ledger.noteTask(runId(1), fence, 'arn:task/1')).toBe(true);
        const claimed = await ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 });
        expect(claimed?.taskArn).toBe('arn:task/1');
        expect(await ledger.noteTask(runId(1), fence, 'arn:task/2')).toBe(true);
        expect(await ledger.noteTask(runId(1), claimed?.fence as number, 'arn:wrong')).toBe(false);
        await ledger.endRun(runId(1), { to: 'failed', now: 3_000, fence: claimed?.fence as number });
        expect(await ledger.noteTask(runId(1), fence, 'arn:task/3')).toBe(true);
        expect((await ledger.getLedgerRun(runId(1)))?.taskArn).toBe('arn:task/3');
      });
    });

    describe('a worker', () => {
      it('claims a run once and gets all of it with a newer token', async () => {
        const fence = await start(1);
        const claimed = await ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 });
        expect(claimed).toEqual(ledgerRun(1, { state: 'running', fence: fence + 1, startedAt: 2_000, leaseUntil: 10_000 }));
        expect(await ledger.getLedgerRun(runId(1))).toEqual(claimed);
        expect(await ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 })).toBeUndefined();
      });

      it('is one alone when several start for the same run', async () => {
        await start(1);
        const answers = await Promise.all([1, 2, 3, 4].map((number) => ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000, holder: `task-${number}` })));
        expect(answers.filter((run) => run !== undefined)).toHaveLength(1);
      });

      it('is given its run again when the answer was lost, and nobody else is', async () => {
        await start(1);
        const claimed = await ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000, holder: 'task-1' });
        expect(await ledger.claimRun(runId(1), { now: 2_001, leaseUntil: 10_001, holder: 'task-1' })).toEqual(claimed);
        expect(await ledger.claimRun(runId(1), { now: 2_001, leaseUntil: 10_001, holder: 'task-2' })).toBeUndefined();
      });

      it('cannot claim what waits, what ended, what is unknown, or what took too long to start', async () => {
        await claim(1);
        expect(await ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 })).toBeUndefined();
        await ledger.admit(runId(1), admission(1_000, { leaseUntil: 5_000 }));
        expect(await ledger.claimRun(runId(1), { now: 5_000, leaseUntil: 10_000 })).toBeUndefined();
        expect(await ledger.claimRun(runId(9), { now: 2_000, leaseUntil: 10_000 })).toBeUndefined();
        await ledger.endRun(runId(1), { to: 'failed', now: 5_000, expected: { state: 'starting', fence: 1 } });
        expect(await ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 })).toBeUndefined();
      });

      it('extends its lease and says how far it is; an ended lease is not revived', async () => {
        const fence = await work(1);
        expect(await ledger.heartbeat(runId(1), fence, { now: 9_999, leaseUntil: 20_000, progress: { stage: 'read', doneBytes: 5, totalBytes: 9 } })).toBe(true);
        expect(await ledger.heartbeat(runId(1), fence, { now: 12_000, leaseUntil: 20_000 })).toBe(true);
        expect(await ledger.getLedgerRun(runId(1))).toMatchObject({ leaseUntil: 20_000, progress: { stage: 'read', doneBytes: 5, totalBytes: 9 } });
        expect(await ledger.heartbeat(runId(1), fence - 1, { now: 12_000, leaseUntil: 30_000 })).toBe(false);
        expect(await ledger.heartbeat(runId(1), fence, { now: 20_000, leaseUntil: 30_000 })).toBe(false);
        expect(await ledger.heartbeat(runId(9), 1, { now: 1, leaseUntil: 2 })).toBe(false);
        expect((await ledger.getLedgerRun(runId(1)))?.leaseUntil).toBe(20_000);
      });

      it('has no lease to extend before it claimed the run or after the run ended', async () => {
        const fence = await start(1);
        expect(await ledger.heartbeat(runId(1), fence, { now: 2_000, leaseUntil: 3_000 })).toBe(false);
        const claimed = await ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 });
        await ledger.endRun(runId(1), { to: 'failed', now: 3_000, fence: claimed?.fence as number });
        expect(await ledger.heartbeat(runId(1), claimed?.fence as number, { now: 4_000, leaseUntil: 20_000 })).toBe(false);
      });
    });

    describe('the commit', () => {
      it('begins once per backup, with the newest token, before the lease has ended', async () => {
        const fence = await work(1);
        const step = { now: 3_000, leaseUntil: 12_000, backupId: backupId(1) };
        expect(await ledger.beginCommit(runId(1), fence - 1, step)).toBe(false);
        expect(await ledger.beginCommit(runId(1), fence, { ...step, now: 10_000 })).toBe(false);
        expect(await stateOf(1)).toBe('running');
        expect(await ledger.beginCommit(runId(1), fence, step)).toBe(true);
        expect(await ledger.beginCommit(runId(1), fence, step)).toBe(true);
        expect(await ledger.beginCommit(runId(1), fence, { ...step, backupId: backupId(2) })).toBe(false);
        expect(await ledger.getLedgerRun(runId(1))).toMatchObject({ state: 'committing', leaseUntil: 12_000, backupId: backupId(1) });
        expect(await ledger.heartbeat(runId(1), fence, { now: 11_000, leaseUntil: 13_000 })).toBe(true);
      });

      it('does not begin when the run was given up meanwhile', async () => {
        const fence = await work(1);
        expect(await ledger.endRun(runId(1), { to: 'failed', now: 4_000, expected: { state: 'running', fence } })).toBe(true);
        expect(await ledger.beginCommit(runId(1), fence, { now: 4_001, leaseUntil: 12_000, backupId: backupId(1) })).toBe(false);
      });
    });

    describe('the end of a run', () => {
      it('records its backup and gives both slots back, in one step', async () => {
        const fence = await commit(1);
        const record = backup(1, { runId: runId(1), vault: 'main' });
        expect(await ledger.endRun(runId(1), { to: 'completed', now: 5_000, fence, backup: record })).toBe(true);
        const run = await ledger.getLedgerRun(runId(1));
        expect(run).toMatchObject({ state: 'completed', finishedAt: 5_000, backupId: backupId(1), fence });
        expect(run?.leaseUntil).toBeUndefined();
        expect(await catalog.getBackup(backupId(1))).toEqual(record);
        expect(await catalog.listPlans()).toMatchObject([{ planId: PLAN_IDS.photos, name: 'photos' }]);
        expect(await catalog.stats()).toMatchObject({ backups: 1, files: 10, bytes: 5_000_000_000 });
        expect(await activeIds()).toEqual([]);
        await claim(2);
        expect(await ledger.admit(runId(2), admission(6_000, { vaultLimit: 1 }))).toMatchObject({ isAdmitted: true });
      });

      it('is true again in the same state and false in another, and changes nothing then', async () => {
        const fence = await commit(1);
        const record = backup(1, { runId: runId(1) });
        await ledger.endRun(runId(1), { to: 'completed', now: 5_000, fence, backup: record });
        await catalog.setBackupState(backupId(1), 'validated');
        const before = await ledger.getLedgerRun(runId(1));
        expect(await ledger.endRun(runId(1), { to: 'completed', now: 6_000, fence, backup: record })).toBe(true);
        expect(await ledger.endRun(runId(1), { to: 'failed', now: 6_000, fence, error: { code: 'unavailable', message: 'late' } })).toBe(false);
        expect(await ledger.endRun(runId(1), { to: 'failed', now: 6_000, expected: { state: 'committing', fence } })).toBe(false);
        expect(await ledger.getLedgerRun(runId(1))).toEqual(before);
        expect((await catalog.getBackup(backupId(1))).state).toBe('validated');
        expect((await catalog.stats()).backups).toBe(1);
      });

      it('says why, with what to do', async () => {
        const fence = await work(1);
        const error = { code: 'source-failed', message: 'pg_dump ended with 1.', nextStep: 'Look at its log.' };
        await ledger.endRun(runId(1), { to: 'failed', now: 4_000, fence, error });
        expect(await ledger.getLedgerRun(runId(1))).toMatchObject({ state: 'failed', error });
      });

      it('is for the holder of the newest token alone, in the order of the states', async () => {
        const fence = await work(1);
        expect(await ledger.endRun(runId(1), { to: 'failed', now: 4_000, fence: fence - 1 })).toBe(false);
        expect(await ledger.endRun(runId(1), { to: 'completed', now: 4_000, fence, backup: backup(1) })).toBe(false);
        await expect(catalog.getBackup(backupId(1))).rejects.toMatchObject({ code: 'not-found' });
        expect(await ledger.endRun(runId(9), { to: 'failed', now: 4_000, fence: 1 })).toBe(false);
        expect(await stateOf(1)).toBe('running');
      });

      it('is for whoever judged the run, when it is still what he judged', async () => {
        const fence = await work(1);
        expect(await ledger.endRun(runId(1), { to: 'failed', now: 4_000, expected: { state: 'starting', fence } })).toBe(false);
        expect(await ledger.endRun(runId(1), { to: 'failed', now: 4_000, expected: { state: 'running', fence: fence - 1 } })).toBe(false);
        expect(await ledger.endRun(runId(1), { to: 'failed', now: 4_000, expected: { state: 'running', fence } })).toBe(true);
      });

      it('takes a waiting run out of the queue', async () => {
        await claim(1);
        expect(await ledger.endRun(runId(1), { to: 'cancelled', now: 4_000, expected: { state: 'queued', fence: 0 } })).toBe(true);
        expect(await ledger.queue('main', 10)).toEqual([]);
        expect(await ledger.admit(runId(1), admission(5_000))).toEqual({ isAdmitted: false, reason: 'not-queued' });
        expect(await activeIds()).toEqual([]);
      });

      it('refuses what no caller may ask', async () => {
        await work(1);
        for (const end of [{ to: 'failed' as const, now: 1 }, { to: 'failed' as const, now: 1, fence: 2, backup: backup(1) }, { to: 'completed' as const, now: 1, expected: { state: 'running' as const, fence: 2 } }]) {
          await expect(ledger.endRun(runId(1), end)).rejects.toMatchObject({ code: 'broken-invariant' });
        }
        expect(await stateOf(1)).toBe('running');
      });
    });

    describe('alerts', () => {
      it('open once for an occasion, resolve once, and are kept', async () => {
        expect(await ledger.openAlert(alert(1))).toBe(true);
        expect(await ledger.openAlert(alert(1, { message: 'again' }))).toBe(false);
        expect(await ledger.resolveAlert('backup-failed/1', 9_000)).toBe(true);
        expect(await ledger.resolveAlert('backup-failed/1', 9_500)).toBe(false);
        expect(await ledger.resolveAlert('backup-failed/2', 9_500)).toBe(false);
        expect(await ledger.openAlert(alert(1))).toBe(false);
        expect(await ledger.listAlerts()).toEqual([alert(1, { state: 'resolved', resolvedAt: 9_000 })]);
      });

      it('are listed newest first, by state when asked', async () => {
        for (const number of [2, 1, 3]) await ledger.openAlert(alert(number));
        await ledger.resolveAlert('backup-failed/2', 9_000);
        const numbers = async (filter?: Parameters<RunLedger['listAlerts']>[0]): Promise<string[]> => (await ledger.listAlerts(filter)).map((one) => one.alertId.slice(-1));
        expect(await numbers()).toEqual(['3', '2', '1']);
        expect(await numbers({ limit: 2 })).toEqual(['3', '2']);
        expect(await numbers({ state: 'open' })).toEqual(['3', '1']);
        expect(await numbers({ state: 'resolved', limit: 1 })).toEqual(['2']);
      });

      it('are delivered by one caller per channel, and say to which', async () => {
        await ledger.openAlert(alert(1));
        const claims = await Promise.all([1, 2, 3].map((at) => ledger.claimDelivery('backup-failed/1', 'topic', at)));
        expect(claims.filter(Boolean)).toHaveLength(1);
        expect(await ledger.claimDelivery('backup-failed/1', 'topic', 9)).toBe(false);
        expect(await ledger.claimDelivery('backup-failed/1', 'slack', 9)).toBe(true);
        expect(await ledger.claimDelivery('backup-failed/2', 'slack', 9)).toBe(false);
        expect(await ledger.listAlerts()).toEqual([alert(1, { delivered: ['slack', 'topic'] })]);
      });
    });

    it('keeps pauses until they are taken back', async () => {
      await ledger.setPaused('photos', { at: 1, by: 'ops' });
      await ledger.setPaused('mail', { at: 2, by: 'ops' });
      await ledger.setPaused('photos', { at: 3, by: 'ops' });
      expect(await ledger.pausedPlans()).toEqual(['mail', 'photos']);
      expect(await ledger.pauses()).toEqual([{ planName: 'mail', at: 2, by: 'ops' }, { planName: 'photos', at: 3, by: 'ops' }]);
      await ledger.setPaused('photos', undefined);
      await ledger.setPaused('photos', undefined);
      expect(await ledger.pausedPlans()).toEqual(['mail']);
    });

    describe('two who ask at the same moment', () => {
      it('are not both admitted with one run', async () => {
        await claim(1);
        const answers = await Promise.all([1, 2, 3].map(() => ledger.admit(runId(1), admission(1_000, { planLimit: 9, vaultLimit: 9 }))));
        expect(answers.filter(({ isAdmitted }) => isAdmitted)).toHaveLength(1);
        expect((await ledger.getLedgerRun(runId(1)))?.fence).toBe(1);
      });

      it('do not both put a run back and work on it', async () => {
        const fence = await start(1);
        const [isBack, claimed] = await Promise.all([ledger.requeue(runId(1), fence, { notBefore: 0, reason: 'no capacity' }), ledger.claimRun(runId(1), { now: 2_000, leaseUntil: 10_000 })]);
        expect([isBack, claimed !== undefined].filter(Boolean)).toHaveLength(1);
        expect(await stateOf(1)).toBe(isBack ? 'queued' : 'running');
        expect(await ledger.queue('main', 10)).toHaveLength(isBack ? 1 : 0);
      });

      it('do not both cancel a waiting run and admit it', async () => {
        await claim(1);
        const [answer, isEnded] = await Promise.all([ledger.admit(runId(1), admission(1_000)), ledger.endRun(runId(1), { to: 'cancelled', now: 1_000, expected: { state: 'queued', fence: 0 } })]);
        expect([answer.isAdmitted, isEnded].filter(Boolean)).toHaveLength(1);
        expect(await stateOf(1)).toBe(isEnded ? 'cancelled' : 'starting');
      });

      it('do not both end a run, and only the one who did records his backup', async () => {
        const fence = await commit(1);
        const [isCompleted, isFailed] = await Promise.all([
          ledger.endRun(runId(1), { to: 'completed', now: 5_000, fence, backup: backup(1) }),
          ledger.endRun(runId(1), { to: 'failed', now: 5_000, expected: { state: 'committing', fence } }),
        ]);
        expect([isCompleted, isFailed].filter(Boolean)).toHaveLength(1);
        expect(await stateOf(1)).toBe(isCompleted ? 'completed' : 'failed');
        expect((await catalog.stats()).backups).toBe(isCompleted ? 1 : 0);
      });
    });

    it('is the same when every step is asked for twice, as after a lost answer', async () => {
      const truth = async (): Promise<unknown> => ({
        runs: await Promise.all([1, 2].map((number) => ledger.getLedgerRun(runId(number)))), queue: await ledger.queue('main', 10), active: await activeIds(),
        alerts: await ledger.listAlerts(), paused: await ledger.pausedPlans(), stats: await catalog.stats(), occurrences: await ledger.listOccurrences('photos', 0),
      });
      const [one, two] = [ledgerRun(1), ledgerRun(2)];
      const end = { to: 'completed' as const, now: 9_000, fence: 4, backup: backup(1, { runId: runId(1) }) };
      const steps: readonly (readonly [() => Promise<unknown>, again?: unknown])[] = [
        [() => ledger.claimOccurrence(occurrenceOf(one), one)],
        [() => ledger.claimOccurrence(occurrenceOf(two), two)],
        [() => ledger.admit(runId(1), admission(1_000, { holder: 'dispatch' }))],
        [() => ledger.noteTask(runId(1), 1, 'arn:task/1')],
        [() => ledger.requeue(runId(1), 1, { notBefore: 1_500, reason: 'no capacity' })],
        [() => ledger.admit(runId(2), admission(1_600, { holder: 'dispatch', planLimit: 2 }))],
        [() => ledger.endRun(runId(2), { to: 'failed', now: 1_700, expected: { state: 'starting', fence: 1 } })],
        [() => ledger.admit(runId(1), admission(1_800, { holder: 'dispatch' }))],
        [() => ledger.requeue(runId(1), 2, { notBefore: 1_900, reason: 'no capacity' })],
        [() => ledger.admit(runId(1), admission(2_000, { holder: 'dispatch' }))],
        [() => ledger.claimRun(runId(1), { now: 2_100, leaseUntil: 10_000, holder: 'task' })],
        [() => ledger.heartbeat(runId(1), 4, { now: 2_200, leaseUntil: 11_000, progress: { stage: 'read', doneBytes: 1 } })],
        [() => ledger.beginCommit(runId(1), 4, { now: 2_300, leaseUntil: 12_000, backupId: backupId(1) })],
        [() => ledger.endRun(runId(1), end)],
        [() => ledger.openAlert(alert(1)), false],
        [() => ledger.claimDelivery('backup-failed/1', 'topic', 1), false],
        [() => ledger.resolveAlert('backup-failed/1', 9), false],
        [() => ledger.setPaused('mail', { at: 1, by: 'ops' })],
      ];
      for (const [step, again] of steps) {
        const answer = await step();
        const known = await truth();
        expect(await step()).toEqual(again ?? answer);
        expect(await truth()).toEqual(known);
        expect(answer).not.toBe(false);
      }
      expect(await stateOf(1)).toBe('completed');
    });

    describe('the catalog of the same place', () => {
      it('shows the runs, makes their plans known, and may not move them', async () => {
        await claim(1);
        await work(2, { planName: 'mail' });
        expect((await catalog.listPlans()).map((plan) => plan.name)).toEqual(['mail', 'photos']);
        const [newest, oldest] = await catalog.listRuns();
        expect([newest, oldest]).toMatchObject([{ runId: runId(2), state: 'running', startedAt: 2_000 }, { runId: runId(1), state: 'queued' }]);
        expect(newest).not.toHaveProperty('fence');
        expect(await catalog.getRun(runId(1))).toEqual({ runId: runId(1), planId: PLAN_IDS.photos, planName: 'photos', type: 'incremental', state: 'queued', queuedAt: 1_000_001, host: 'aws' });
        await expect(catalog.transitionRun(runId(1), { from: ['queued'], to: 'starting' })).rejects.toMatchObject({ code: 'broken-invariant' });
        expect(await stateOf(1)).toBe('queued');
      });

      it('is rebuilt without losing what is under way', async () => {
        const ended = await work(1);
        await ledger.endRun(runId(1), { to: 'failed', now: 4_000, fence: ended });
        const fence = await commit(2);
        await claim(3);
        await ledger.openAlert(alert(1));
        await ledger.setPaused('mail', { at: 1, by: 'ops' });
        await catalog.replaceAll({ plans: [], backups: [backup(7)], validations: [] });
        expect((await catalog.listRuns()).map((run) => run.runId)).toEqual([3, 2].map(runId));
        expect(await ledger.getOccurrence('photos/manual/1')).toBeDefined();
        expect([await ledger.listAlerts(), await ledger.pausedPlans()]).toEqual([[alert(1)], ['mail']]);
        expect((await ledger.queue('main', 10)).map((run) => run.runId)).toEqual([runId(3)]);
        expect(await ledger.admit(runId(3), admission(5_000))).toMatchObject({ reason: 'plan-busy' });
        expect(await ledger.endRun(runId(2), { to: 'completed', now: 5_000, fence, backup: backup(2) })).toBe(true);
        expect((await catalog.listBackups()).backups.map((one) => one.sequence)).toEqual([7, 2]);
        expect(await ledger.admit(runId(3), admission(5_000))).toMatchObject({ isAdmitted: true });
      });
    });
  });
}

