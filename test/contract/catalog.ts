import type { Catalog } from '../../lib/catalog/catalog.ts';
import type { BackupRecord, PlanRecord, RestoreRecord, RunRecord, ValidationRecord } from '../../lib/catalog/records.ts';
import type { BackupId, PlanId, RunId } from '../../lib/model/ids.ts';

const PLAN_A = 'a'.repeat(32) as PlanId;
const PLAN_B = 'b'.repeat(32) as PlanId;
const RUN = '01K00000000000000000000RUN' as RunId;

/** A ULID-like id whose order is the number's. */
export function backupId(number: number): BackupId {
  return `01K${String(number).padStart(23, '0')}` as BackupId;
}

export function backup(number: number, fields: Partial<BackupRecord> = {}): BackupRecord {
  return {
    backupId: backupId(number), planId: PLAN_A, planName: 'photos', runId: RUN, type: 'incremental', state: 'completed',
    startedAt: 1_000_000 + number, finishedAt: 2_000_000 + number, sequence: number, entries: 12, files: 10, bytes: 5_000_000_000, addedBytes: 700, warnings: 0,
    host: 'here', source: { type: 'files', description: '/srv/photos' }, statistics: { newFiles: 3, changedFiles: 1 }, ...fields,
  };
}

function run(fields: Partial<RunRecord> = {}): RunRecord {
  return { runId: RUN, planId: PLAN_A, planName: 'photos', type: 'full', state: 'queued', queuedAt: 5, host: 'here', ...fields };
}

function validation(number: number, fields: Partial<ValidationRecord> = {}): ValidationRecord {
  return { validationId: `V${number}`, backupId: backupId(1), level: 'full', result: 'good', startedAt: number, finishedAt: number + 1, bytesRead: 9, problems: [], ...fields };
}

function restore(fields: Partial<RestoreRecord> = {}): RestoreRecord {
  return { restoreId: 'R1', backupId: backupId(1), target: '/back', state: 'running', startedAt: 7, files: 0, bytes: 0, ...fields };
}

const PLAN: PlanRecord = { planId: PLAN_A, name: 'photos', state: 'active', source: { type: 'files', description: '/srv/photos' } };

/** Every implementation of `Catalog` keeps these promises; `open` gives an empty one. */
export function catalogContract(name: string, open: () => Catalog | Promise<Catalog>): void {
  describe(`${name} keeps the promises of a catalog`, () => {
    let catalog: Catalog;
    beforeEach(async () => {
      catalog = await open();
    });
    afterEach(() => catalog.close());

    const ids = async (filter?: Parameters<Catalog['listBackups']>[0]): Promise<number[]> => (await catalog.listBackups(filter)).backups.map((one) => Number(one.backupId.slice(3)));

    it('is empty at first: every question has an answer', async () => {
      expect(await catalog.listPlans()).toEqual([]);
      expect(await catalog.listRuns()).toEqual([]);
      expect(await catalog.listBackups()).toEqual({ backups: [] });
      expect(await catalog.latestBackup()).toBeUndefined();
      expect(await catalog.lastValidation(backupId(1))).toBeUndefined();
      expect(await catalog.listRestores()).toEqual([]);
      expect(await catalog.stats()).toEqual({ backups: 0, files: 0, bytes: 0, addedBytes: 0, plans: [] });
    });

    it('gives back what was recorded, field by field, and replaces it when recorded again', async () => {
      await catalog.recordPlan(PLAN);
      await catalog.recordBackup(backup(1));
      expect(await catalog.listPlans()).toEqual([PLAN]);
      expect(await catalog.getBackup(backupId(1))).toEqual(backup(1));
      await catalog.recordPlan({ ...PLAN, state: 'retired' });
      await catalog.recordBackup(backup(1, { warnings: 3, state: 'validated' }));
      expect(await catalog.listPlans()).toEqual([{ ...PLAN, state: 'retired' }]);
      expect((await catalog.listBackups()).backups).toEqual([backup(1, { warnings: 3, state: 'validated' })]);
    });

    it('makes the plan of a backup known, and keeps what is known of it', async () => {
      await catalog.recordBackup(backup(1));
      expect(await catalog.listPlans()).toEqual([PLAN]);
      await catalog.recordPlan({ ...PLAN, state: 'retired' });
      await catalog.recordBackup(backup(2));
      expect(await catalog.listPlans()).toEqual([{ ...PLAN, state: 'retired' }]);
    });

    it('finds a backup by the beginning of its id in any case of letters, and names the candidates when several begin so', async () => {
      for (const number of [11, 12, 20]) await catalog.recordBackup(backup(number, { state: number === 20 ? 'expired' : 'completed' }));
      const whole = backupId(20);
      expect((await catalog.getBackup(whole.toLowerCase())).backupId).toBe(whole);
      expect((await catalog.getBackup(whole.slice(0, 25))).backupId).toBe(whole);
      await expect(catalog.getBackup(backupId(11).slice(0, 25))).rejects.toMatchObject({ code: 'usage', data: { candidates: [backupId(11), backupId(12)] } });
      for (const absent of ['', '01K9', '%', "' OR 1=1 --", `${whole}0`]) await expect(catalog.getBackup(absent)).rejects.toMatchObject({ code: 'not-found' });
    });

    it('lists newest first, all but expired ones, of one plan by name or id, in chosen states', async () => {
      await catalog.recordBackup(backup(1));
      await catalog.recordBackup(backup(3, { planId: PLAN_B, planName: 'mail' }));
      await catalog.recordBackup(backup(2, { state: 'corrupted' }));
      await catalog.recordBackup(backup(4, { state: 'expired' }));
      expect(await ids()).toEqual([3, 2, 1]);
      expect(await ids({ plan: 'mail' })).toEqual([3]);
      expect(await ids({ plan: PLAN_A })).toEqual([2, 1]);
      expect(await ids({ states: ['expired', 'corrupted'] })).toEqual([4, 2]);
      expect(await ids({ plan: 'nobody' })).toEqual([]);
    });

    it('pages without repeating or hiding a backup, also when times are equal and new ones arrive meanwhile', async () => {
      for (let number = 1; number <= 7; number++) await catalog.recordBackup(backup(number, { finishedAt: 2_000_000 + Math.floor(number / 3) }));
      const first = await catalog.listBackups({ limit: 3 });
      await catalog.recordBackup(backup(9));
      const second = await catalog.listBackups({ limit: 3, cursor: first.next! });
      const third = await catalog.listBackups({ limit: 3, cursor: second.next! });
      expect([first, second, third].map((page) => page.backups.map((one) => one.sequence))).toEqual([[7, 6, 5], [4, 3, 2], [1]]);
      expect(third.next).toBeUndefined();
      expect((await catalog.listBackups({ limit: 8 })).next).toBeUndefined();
      await expect(catalog.listBackups({ cursor: 'nonsense' })).rejects.toMatchObject({ code: 'usage' });
      await expect(catalog.listBackups({ limit: 0 })).rejects.toMatchObject({ code: 'usage' });
    });

    it('knows the newest usable backup: neither corrupted nor expired', async () => {
      await catalog.recordBackup(backup(1));
      await catalog.recordBackup(backup(2, { planId: PLAN_B, planName: 'mail', state: 'validated' }));
      await catalog.recordBackup(backup(3, { state: 'corrupted' }));
      await catalog.recordBackup(backup(4, { state: 'expired' }));
      expect((await catalog.latestBackup())?.sequence).toBe(2);
      expect((await catalog.latestBackup('photos'))?.sequence).toBe(1);
      expect(await catalog.latestBackup('nobody')).toBeUndefined();
    });

    it('changes the state of a backup only from where the caller thinks it is', async () => {
      await catalog.recordBackup(backup(1));
      expect(await catalog.setBackupState(backupId(1), 'validating', ['completed'])).toBe(true);
      expect(await catalog.setBackupState(backupId(1), 'validated', ['completed'])).toBe(false);
      expect((await catalog.getBackup(backupId(1))).state).toBe('validating');
      expect(await catalog.setBackupState(backupId(1), 'corrupted')).toBe(true);
      await expect(catalog.setBackupState(backupId(2), 'expired')).rejects.toMatchObject({ code: 'not-found' });
    });

    it('moves a run through its states, each step once', async () => {
      await catalog.recordRun(run());
      await expect(catalog.recordRun(run())).rejects.toMatchObject({ code: 'already-exists' });
      expect(await catalog.transitionRun(RUN, { from: ['queued'], to: 'starting', set: { startedAt: 6, processId: 42 } })).toBe(true);
      expect(await catalog.transitionRun(RUN, { from: ['queued'], to: 'starting', set: { startedAt: 99 } })).toBe(false);
      expect(await catalog.getRun(RUN)).toEqual(run({ state: 'starting', startedAt: 6, processId: 42 }));
      expect(await catalog.transitionRun(RUN, { from: ['starting', 'running'], to: 'failed', set: { finishedAt: 9, error: { code: 'no-space', message: 'full' } } })).toBe(true);
      expect(await catalog.listRuns({ states: ['failed'] })).toEqual([run({ state: 'failed', startedAt: 6, processId: 42, finishedAt: 9, error: { code: 'no-space', message: 'full' } })]);
    });

    it('refuses a step that no run may take, and a run that is not there', async () => {
      await catalog.recordRun(run({ state: 'completed' }));
      await expect(catalog.transitionRun(RUN, { from: ['completed'], to: 'running' })).rejects.toMatchObject({ code: 'broken-invariant' });
      await expect(catalog.transitionRun('01K0' as RunId, { from: ['queued'], to: 'starting' })).rejects.toMatchObject({ code: 'not-found' });
      expect((await catalog.getRun(RUN))?.state).toBe('completed');
    });

    it('lists runs newest first, of one plan, in chosen states', async () => {
      for (const number of [1, 2, 3]) await catalog.recordRun(run({ runId: `R${number}` as RunId, queuedAt: number, ...(number === 2 ? { planId: PLAN_B, planName: 'mail', state: 'running' } : {}) }));
      const runs = async (filter?: Parameters<Catalog['listRuns']>[0]): Promise<string[]> => (await catalog.listRuns(filter)).map((one) => one.runId);
      expect(await runs()).toEqual(['R3', 'R2', 'R1']);
      expect(await runs({ plan: 'photos', limit: 1 })).toEqual(['R3']);
      expect(await runs({ states: ['running', 'starting'] })).toEqual(['R2']);
    });

    it('keeps the history of validations, newest first, and leaves the state of the backup alone', async () => {
      await catalog.recordBackup(backup(1));
      await catalog.recordValidation(validation(1));
      await catalog.recordValidation(validation(3, { result: 'corrupted', problems: ['pack x: one byte is wrong'] }));
      await catalog.recordValidation(validation(2, { backupId: backupId(2) }));
      expect(await catalog.lastValidation(backupId(1))).toEqual(validation(3, { result: 'corrupted', problems: ['pack x: one byte is wrong'] }));
      expect((await catalog.listValidations()).map((one) => one.validationId)).toEqual(['V3', 'V2', 'V1']);
      expect((await catalog.getBackup(backupId(1))).state).toBe('completed');
    });

    it('follows a restore from its beginning to its end', async () => {
      await catalog.recordRestore(restore());
      await catalog.recordRestore(restore({ restoreId: 'R2', startedAt: 8 }));
      await catalog.recordRestore(restore({ state: 'completed', finishedAt: 9, files: 3, bytes: 30 }));
      expect(await catalog.listRestores()).toEqual([restore({ restoreId: 'R2', startedAt: 8 }), restore({ state: 'completed', finishedAt: 9, files: 3, bytes: 30 })]);
    });

    it('R3: a restore that has ended does not run again by a word that comes late', async () => {
      const ended = restore({ state: 'cancelled', finishedAt: 9, error: { code: 'interrupted', message: 'Somebody stopped it.' } });
      await catalog.recordRestore(restore());
      await catalog.recordRestore(ended);
      await catalog.recordRestore(restore({ stages: [{ name: 'restored', state: 'running', startedAt: 8 }] }));
      expect(await catalog.listRestores()).toEqual([ended]);
      const reported = { ...ended, stages: [{ name: 'reported', state: 'done', startedAt: 10, finishedAt: 10 }] as const };
      await catalog.recordRestore(reported);
      expect(await catalog.listRestores()).toEqual([reported]);
    });

    it('R3: keeps the stages of a restore and what to do about its failure', async () => {
      const failed = restore({
        state: 'failed', finishedAt: 9, error: { code: 'not-found', message: 'It is gone.', nextStep: 'Take another.' },
        stages: [{ name: 'checked', state: 'done', startedAt: 1, finishedAt: 2 }, { name: 'restored', state: 'failed', startedAt: 2, finishedAt: 9, doneBytes: 3, totalBytes: 6_000_000_000 }],
      });
      await catalog.recordRestore(failed);
      expect(await catalog.listRestores()).toEqual([failed]);
    });

    it('sums what is kept, by plan and in all, without what has expired', async () => {
      await catalog.recordBackup(backup(1));
      await catalog.recordBackup(backup(2, { bytes: 6_000_000_000, addedBytes: 10 }));
      await catalog.recordBackup(backup(3, { planId: PLAN_B, planName: 'mail', files: 1 }));
      await catalog.recordBackup(backup(4, { state: 'expired' }));
      expect(await catalog.stats()).toEqual({
        backups: 3, files: 21, bytes: 16_000_000_000, addedBytes: 1_410,
        plans: [
          { planId: PLAN_B, planName: 'mail', backups: 1, latestFinishedAt: 2_000_003, bytes: 5_000_000_000, addedBytes: 700 },
          { planId: PLAN_A, planName: 'photos', backups: 2, latestFinishedAt: 2_000_002, bytes: 11_000_000_000, addedBytes: 710 },
        ],
      });
    });

    it('replaces everything by what a rebuild found, and keeps everything when that fails halfway', async () => {
      await catalog.recordBackup(backup(1));
      await catalog.recordRun(run());
      await catalog.recordRestore(restore());
      const broken = backup(6, { host: undefined as unknown as string });
      await expect(catalog.replaceAll({ plans: [], backups: [backup(5), broken], validations: [] })).rejects.toThrow();
      expect(await ids()).toEqual([1]);
      expect(await catalog.listRuns()).toHaveLength(1);

      await catalog.replaceAll({ plans: [PLAN], backups: [backup(7), backup(8, { planId: PLAN_B, planName: 'mail' })], validations: [validation(1)] });
      expect(await ids()).toEqual([8, 7]);
      expect((await catalog.listPlans()).map((plan) => plan.name)).toEqual(['mail', 'photos']);
      expect([await catalog.listRuns(), await catalog.listRestores()]).toEqual([[], []]);
      expect(await catalog.listValidations()).toHaveLength(1);
    });
  });
}
