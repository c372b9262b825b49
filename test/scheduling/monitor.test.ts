import { dispatchOccurrence } from '../../lib/scheduling/dispatch.ts';
import { monitorOnce } from '../../lib/scheduling/monitor.ts';
import { ControlPlane, controlPlane, HOUR, MINUTE, NOON, plan } from '../support/control-plane.ts';
import { FakeWorker } from '../support/fake-worker.ts';

describe('the monitor', () => {
  let plane: ControlPlane;
  afterEach(() => plane.close());

  const workAll = async () => {
    for (const task of plane.launcher.tasks.filter(({ status }) => status === 'coming')) {
      const worker = new FakeWorker(plane, task.taskArn);
      if (await worker.begin()) await worker.finish();
    }
  };
  const passes = async (count: number) => {
    for (let pass = 0; pass < count; pass += 1) {
      plane.advance(5 * MINUTE);
      await monitorOnce(plane.ports);
      await workAll();
    }
  };

  it('catches up a lost time after 10 minutes, not earlier, and once', async () => {
    plane = controlPlane({ plans: [plan('shop')] });
    await passes(1);
    expect(plane.launcher.tasks).toHaveLength(0);
    await passes(3);
    expect(plane.launcher.tasks).toHaveLength(1);
    expect(await plane.ledger.listOccurrences('shop', 0)).toMatchObject([{ key: 'shop/schedule/2026-06-02T12:00:00.000Z', trigger: 'catch-up', at: NOON }]);
  });

  it('makes up for an outage of twenty hours with one run, and notes how many times were missed (P6)', async () => {
    plane = controlPlane({ plans: [plan('shop')] });
    await dispatchOccurrence({ plan: 'shop', kind: 'schedule', scheduledTime: NOON }, plane.ports);
    await workAll();
    plane.now = NOON + 20 * HOUR + 12 * MINUTE;
    const report = await monitorOnce(plane.ports);
    expect(report.caughtUp).toEqual([{ planName: 'shop', dueAt: NOON + 20 * HOUR, missed: 20 }]);
    expect(plane.launcher.tasks).toHaveLength(2);
    expect((await monitorOnce(plane.ports)).caughtUp).toEqual([]);
  });

  it('leaves out a missed time when the next one has been claimed already', async () => {
    plane = controlPlane({ plans: [plan('shop', { schedule: { cron: '*/15 * * * *', timeZone: 'UTC', offsetMinutes: 0 } })] });
    plane.now = NOON + 15 * MINUTE;
    await dispatchOccurrence({ plan: 'shop', kind: 'schedule', scheduledTime: plane.now }, plane.ports);
    plane.now = NOON + 20 * MINUTE;
    expect((await monitorOnce(plane.ports)).caughtUp).toEqual([]);
    expect(await plane.ledger.listOccurrences('shop', 0)).toHaveLength(1);
  });

  it('does not run what was due before the configuration came into force', async () => {
    plane = controlPlane({ plans: [plan('shop', { schedule: { cron: '0 3 * * *', timeZone: 'UTC', offsetMinutes: 0 } })] });
    plane.advance(HOUR);
    await monitorOnce(plane.ports);
    expect(plane.launcher.tasks).toHaveLength(0);
  });

  it('lets a firing that comes late find the run of the catch-up', async () => {
    plane = controlPlane({ plans: [plan('shop')] });
    plane.advance(12 * MINUTE);
    await monitorOnce(plane.ports);
    expect(await dispatchOccurrence({ plan: 'shop', kind: 'schedule', scheduledTime: NOON }, plane.ports)).toMatchObject({ isNew: false });
    expect(plane.launcher.tasks).toHaveLength(1);
  });

  it('opens one alert for each time that a backup was due and did not come, and resolves it by the next (M1)', async () => {
    plane = controlPlane({ plans: [plan('shop', { schedule: { cron: '0 12 * * *', timeZone: 'UTC', offsetMinutes: 0 }, freshnessHours: 24 })] });
    await dispatchOccurrence({ plan: 'shop', kind: 'schedule', scheduledTime: NOON }, plane.ports);
    await workAll();
    await plane.ledger.setPaused('shop', { at: plane.now, by: 'somebody' });
    plane.now = NOON + 25 * HOUR;
    await monitorOnce(plane.ports);
    expect(plane.published).toEqual([]);
    await plane.ledger.setPaused('shop', undefined);
    plane.launcher.mishaps.push({ noCapacity: 'Capacity is unavailable' });
    await monitorOnce(plane.ports);
    await monitorOnce(plane.ports);
    expect(plane.published).toMatchObject([{ alertId: `backup-delayed/shop/${new Date(NOON + 24 * HOUR).toISOString()}`, kind: 'backup-delayed', message: expect.stringContaining('The last one ended at 2026-06-02T12:00') }]);
    await passes(3);
    expect(await plane.ledger.listAlerts({ state: 'open' })).toEqual([]);
    expect(plane.published).toHaveLength(1);
  });

  it('holds a plan to its RPO where that is shorter than its freshness', async () => {
    plane = controlPlane({ plans: [plan('shop', { policy: { priority: 50, serviceLevel: { rtoMinutes: 15, rpoMinutes: 5 } } })] });
    plane.launcher.mishaps.push(...Array.from({ length: 50 }, () => ({ noCapacity: 'Capacity is unavailable' })));
    plane.advance(6 * MINUTE);
    await monitorOnce(plane.ports);
    expect(plane.published).toMatchObject([{ kind: 'backup-delayed', severity: 'critical' }]);
  });

  it('resolves the alert of a failed run by the next good one', async () => {
    plane = controlPlane({ plans: [plan('shop')] });
    await dispatchOccurrence({ plan: 'shop', kind: 'schedule', scheduledTime: NOON }, plane.ports);
    const worker = new FakeWorker(plane, plane.launcher.tasks[0]?.taskArn ?? '');
    await worker.begin();
    worker.exit(1);
    plane.advance(MINUTE);
    await monitorOnce(plane.ports);
    expect(await plane.ledger.listAlerts({ state: 'open' })).toHaveLength(1);
    plane.now = NOON + HOUR;
    await dispatchOccurrence({ plan: 'shop', kind: 'schedule', scheduledTime: plane.now }, plane.ports);
    await workAll();
    const report = await monitorOnce(plane.ports);
    expect(report.resolved).toEqual([`backup-failed/${worker.runId}`]);
  });

  it.each([['within a week', 6.9, 1], ['not later', 7.1, 0]])('tells a failure whose teller died %s: the monitor itself may have been away (M6)', async (_when, days, told) => {
    plane = controlPlane({ plans: [plan('shop', { schedule: undefined } as never)] });
    await dispatchOccurrence({ plan: 'shop', kind: 'manual', idempotencyKey: 'k' }, plane.ports);
    const worker = new FakeWorker(plane, plane.launcher.tasks[0]?.taskArn ?? '');
    await worker.begin();
    await worker.endFailed();
    plane.advance(days * 24 * HOUR);
    await monitorOnce(plane.ports);
    await monitorOnce(plane.ports);
    expect(plane.published.filter(({ kind }) => kind === 'backup-failed')).toHaveLength(told);
  });

  it('reports addresses that nobody has confirmed, once, and is content when they are (M4)', async () => {
    plane = controlPlane({ plans: [] });
    plane.unconfirmed = ['ops@example.com'];
    await monitorOnce(plane.ports);
    await monitorOnce(plane.ports);
    expect(plane.published).toMatchObject([{ kind: 'control-plane', message: expect.stringContaining('ops@example.com has not confirmed') }]);
    plane.unconfirmed = [];
    expect((await monitorOnce(plane.ports)).resolved).toEqual(['control-plane/unconfirmed/ops@example.com']);
  });

  it('tells of a key that is about to be lost, as critical and once, until it is safe again', async () => {
    plane = controlPlane({ plans: [] });
    plane.keysAtRisk = [{ vault: 'main', keyArn: 'arn:aws:kms:eu-central-1:1:key/k', problem: 'will be deleted on 2026-06-09' }];
    await monitorOnce(plane.ports);
    await monitorOnce(plane.ports);
    expect(plane.published).toMatchObject([{ kind: 'control-plane', severity: 'critical', nextStep: expect.stringContaining('cancel-key-deletion') }]);
    plane.keysAtRisk = [];
    expect((await monitorOnce(plane.ports)).resolved).toEqual(['control-plane/key/main/will be deleted on 2026-06-09']);
  });

  describe('of plans whose WAL is watched (R4)', () => {
    const QUARTER = 15 * MINUTE;
    const watched = (changes = {}) => plan('db', { schedule: undefined, wal: { freshnessMs: QUARTER }, ...changes } as never);

    it('tells once when it is not kept any more, and resolves that when it is again; a second time is told again', async () => {
      plane = controlPlane({ plans: [watched(), plan('files', { schedule: undefined } as never)] });
      plane.walNotes.set('db', [NOON]);
      plane.now = NOON + QUARTER;
      await monitorOnce(plane.ports);
      expect(plane.published).toEqual([]);
      plane.advance(1);
      await passes(3);
      const first = 'wal-late/db/2026-06-02T12:00:00.000Z';
      expect(plane.published).toMatchObject([{ alertId: first, kind: 'wal-late', severity: 'critical', planName: 'db', message: expect.stringContaining('The last time all of it was known to be kept was 2026-06-02T12:00:00.000Z, wanted once in 15 minutes.'), nextStep: expect.stringContaining('`holdfast pitr windows db --aws STACK`') }]);
      plane.walNotes.set('db', [NOON, plane.now]);
      expect((await monitorOnce(plane.ports)).resolved).toEqual([first]);
      await passes(5);
      expect(plane.published.map(({ alertId }) => alertId)).toEqual([first, `wal-late/db/${new Date(NOON + 2 * QUARTER + 1).toISOString()}`]);
    });

    it('tells when it was never kept, once the stack had time for it', async () => {
      plane = controlPlane({ plans: [watched()] });
      await passes(3);
      expect(plane.published).toEqual([]);
      await passes(2);
      expect(plane.published).toMatchObject([{ alertId: 'wal-late/db/never since 2026-06-02T12:00:00.000Z', message: expect.stringContaining('never seen to be kept since the deploy of 2026-06-02T12:00') }]);
    });

    it('asks for the notes of the time that counts, for all of them only when an alert opens, and for none of other plans', async () => {
      plane = controlPlane({ plans: [watched(), plan('files')] });
      plane.walNotes.set('db', [NOON]);
      await passes(6);
      expect(plane.walLooks.filter((back) => back === QUARTER)).toHaveLength(6);
      expect(plane.walLooks.filter((back) => back !== QUARTER)).toHaveLength(1);
    });

    it.each([['the plan is gone', []], ['nobody asks for it any more', [watched({ wal: undefined })]]])('resolves its alert when %s', async (_why, plans) => {
      plane = controlPlane({ plans: [watched()] });
      plane.now = NOON + HOUR;
      const { opened } = await monitorOnce(plane.ports);
      expect(opened).toHaveLength(1);
      expect((await monitorOnce({ ...plane.ports, plans })).resolved).toEqual(opened);
    });

    it('keeps its alert through a good backup, and while the plan is paused', async () => {
      plane = controlPlane({ plans: [watched()] });
      plane.now = NOON + HOUR;
      await plane.ledger.setPaused('db', { at: plane.now, by: 'somebody' });
      await monitorOnce(plane.ports);
      await plane.ledger.setPaused('db', undefined);
      await dispatchOccurrence({ plan: 'db', kind: 'manual', idempotencyKey: 'k' }, plane.ports);
      plane.advance(MINUTE);
      await workAll();
      await monitorOnce(plane.ports);
      expect(await plane.ledger.listAlerts({ state: 'open' })).toMatchObject([{ kind: 'wal-late' }]);
    });
  });

  it('does everything else when one step fails, and fails loudly at the end', async () => {
    plane = controlPlane({ plans: [plan('shop'), plan('other')] });
    plane.advance(12 * MINUTE);
    const ports = { ...plane.ports, lastBackups: async (name: string) => (name === 'shop' ? Promise.reject(Object.assign(new Error('no'), { name: 'HoldfastError', code: 'unavailable', message: 'The table does not answer.' })) : []) };
    await expect(monitorOnce(ports)).rejects.toThrow('The monitor could not do everything: The table does not answer.');
    expect(plane.launcher.tasks).toMatchObject([{ order: { plan: { name: 'other' } } }]);
  });

  it('writes metrics of failed runs and nothing while nothing runs (M5)', async () => {
    plane = controlPlane({ plans: [plan('shop', { schedule: { cron: '0 12 * * *', timeZone: 'UTC', offsetMinutes: 0 } })] });
    await dispatchOccurrence({ plan: 'shop', kind: 'schedule', scheduledTime: NOON }, plane.ports);
    const worker = new FakeWorker(plane, plane.launcher.tasks[0]?.taskArn ?? '');
    await worker.begin();
    worker.exit(1);
    await passes(3);
    expect(plane.lines.map((line) => JSON.parse(line))).toMatchObject([{ Stack: 'test', Plan: 'shop', BackupSucceeded: 0 }]);
  });
});
