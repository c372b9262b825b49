import type { LedgerRun } from '../../lib/catalog/ledger-records.ts';
import { dispatchOccurrence } from '../../lib/scheduling/dispatch.ts';
import { monitorOnce } from '../../lib/scheduling/monitor.ts';
import { vaultGone } from '../../lib/scheduling/judge.ts';
import { reconcileAll, reconcileRun, taskStopped } from '../../lib/scheduling/reconcile.ts';
import type { TaskState } from '../../lib/scheduling/task-launcher.ts';
import { ControlPlane, controlPlane, MINUTE, NOON, plan } from '../support/control-plane.ts';
import { FakeWorker } from '../support/fake-worker.ts';

describe('runs that do not end by themselves', () => {
  let plane: ControlPlane;
  let worker: FakeWorker;

  beforeEach(async () => {
    plane = controlPlane({ plans: [plan('shop')] });
    await dispatchOccurrence({ plan: 'shop', kind: 'schedule', scheduledTime: NOON }, plane.ports);
    worker = new FakeWorker(plane, plane.launcher.tasks[0]?.taskArn ?? '');
  });
  afterEach(() => plane.close());

  const states = async () => (await plane.catalog.listRuns()).map(({ state }) => state);
  const failure = async () => (await plane.catalog.listRuns({ states: ['failed'] }))[0]?.error;
  const event = async (): Promise<unknown> => {
    const [task] = await plane.launcher.describe([worker.taskArn]);
    return taskStopped(worker.runId, task as TaskState, plane.ports);
  };
  /** The monitor comes every 5 minutes, at the worst moment; until when the run has ended. */
  const minutesUntilEnd = async (): Promise<number> => {
    for (let minutes = 1; minutes < 40; minutes += 1) {
      plane.advance(MINUTE);
      if (minutes % 5 === 3) await monitorOnce(plane.ports);
      if ((await plane.runs()).length === 0) return minutes;
    }
    return Infinity;
  };

  it('fails a run within a minute when ECS says that its task has stopped, in plain words, with one alert', async () => {
    await worker.begin();
    plane.launcher.end(worker.taskArn, { exitCode: 137, reason: 'OutOfMemoryError: Container killed due to memory usage' });
    expect(await event()).toBe('fail');
    expect(await failure()).toMatchObject({ code: 'interrupted', message: expect.stringContaining('ran out of memory'), nextStep: 'Raise `memory` of the `task` of the plan.' });
    expect(plane.published).toMatchObject([{ kind: 'backup-failed', title: 'Backup of shop failed', planName: 'shop' }]);
    expect(await event()).toBe('nothing');
    expect(plane.published).toHaveLength(1);
  });

  it('fails a run within 8 minutes when nobody says anything at all', async () => {
    await worker.begin();
    plane.launcher.describe = async () => [];
    expect(await minutesUntilEnd()).toBeLessThanOrEqual(8);
    expect(await failure()).toMatchObject({ message: expect.stringContaining('has not been heard since') });
    expect(plane.published).toHaveLength(1);
  });

  it('fails a run that was killed without an event by the next look at its task', async () => {
    await worker.begin();
    worker.exit(1);
    expect(await minutesUntilEnd()).toBeLessThanOrEqual(5);
    expect(await failure()).toMatchObject({ message: expect.stringContaining('exit code 1') });
  });

  it('drops a judgement of a run that has moved on since it was read: no end, no alert, no stop', async () => {
    await worker.begin();
    const [seen] = await plane.runs();
    await worker.finish();
    plane.advance(4 * MINUTE);
    expect(await reconcileRun(seen as LedgerRun, undefined, plane.ports)).toBe('moved-on');
    expect(await states()).toEqual(['completed']);
    expect(plane.published).toEqual([]);
    expect(plane.launcher.task(worker.taskArn).stopAsked).toBeUndefined();
  });

  it('leaves a run alone whose worker lives, however long it takes', async () => {
    await worker.begin();
    for (let beat = 0; beat < 120; beat += 1) {
      plane.advance(30_000);
      expect(await worker.beat()).toBe(true);
      if (beat % 10 === 9) await reconcileAll(plane.ports);
    }
    await worker.finish();
    expect(await states()).toEqual(['completed']);
  });

  it('does not take the exit code 0 of a task for the end of a run whose lease lasts', async () => {
    await worker.begin();
    worker.exit(0);
    expect(await event()).toBe('nothing');
    plane.advance(3 * MINUTE);
    expect(await event()).toBe('fail');
    expect(await failure()).toMatchObject({ message: expect.stringContaining('without saying how its run went') });
  });

  it('does not judge a run by a task of an earlier attempt', async () => {
    await worker.begin();
    const old: TaskState = { taskArn: 'arn:aws:ecs:eu-central-1:000000000000:task/holdfast/old', status: 'stopped', exitCode: 1 };
    expect(await taskStopped(worker.runId, old, plane.ports)).toBe('nothing');
    expect(await states()).toEqual(['running']);
  });

  it('refuses the commit of a worker that was paused past its lease and wakes up', async () => {
    await worker.begin();
    plane.advance(4 * MINUTE);
    await monitorOnce(plane.ports);
    expect(await states()).toEqual(['failed']);
    expect(plane.launcher.task(worker.taskArn).stopAsked).toContain('lease is over');
    expect(await worker.beat()).toBe(false);
    expect(await worker.beginCommit()).toBe(false);
    expect(await states()).toEqual(['failed']);
    expect(await plane.catalog.latestBackup('shop')).toBeUndefined();
  });

  it('refuses it as well before anybody has looked', async () => {
    await worker.begin();
    plane.advance(3 * MINUTE);
    expect(await worker.beginCommit()).toBe(false);
  });

  it('completes a run that died while committing when its snapshot is in the vault', async () => {
    await worker.begin();
    await worker.beginCommit();
    worker.storeSnapshot();
    worker.exit(137);
    expect(await event()).toBe('completed');
    expect(await states()).toEqual(['completed']);
    expect(await plane.catalog.latestBackup('shop')).toMatchObject({ runId: worker.runId });
    expect(plane.published).toEqual([]);
  });

  it('ends it with warnings when its snapshot has some', async () => {
    await worker.begin();
    await worker.beginCommit();
    worker.storeSnapshot(2);
    worker.exit(137);
    await event();
    expect(await states()).toEqual(['warnings']);
  });

  it('fails a run that died while committing when its snapshot is not there', async () => {
    await worker.begin();
    await worker.beginCommit();
    worker.exit(1);
    expect(await event()).toBe('fail');
    expect(await states()).toEqual(['failed']);
    expect(plane.published).toHaveLength(1);
  });

  it('resolves a commit by the vault when its lease has ended and nobody says anything', async () => {
    await worker.begin();
    await worker.beginCommit();
    worker.storeSnapshot();
    plane.launcher.describe = async () => [];
    expect(await minutesUntilEnd()).toBeLessThanOrEqual(8);
    expect(await states()).toEqual(['completed']);
  });

  it('stops the task of a paused commit before it says that the snapshot is not there: until it has stopped it may still come', async () => {
    await worker.begin();
    await worker.beginCommit();
    plane.advance(4 * MINUTE);
    await monitorOnce(plane.ports);
    expect(await states()).toEqual(['committing']);
    expect(plane.launcher.task(worker.taskArn).stopAsked).toContain('committing');
    worker.storeSnapshot();
    worker.exit(143);
    await event();
    expect(await states()).toEqual(['completed']);
  });

  it('ends a commit into a vault that was removed from the configuration, after its patience, and says so (M6)', async () => {
    await worker.begin();
    await worker.beginCommit();
    worker.exit(137);
    const removed = { ...plane.ports, snapshotExists: async (run: LedgerRun) => vaultGone(run) };
    const [task] = await plane.launcher.describe([worker.taskArn]);
    expect(await taskStopped(worker.runId, task as TaskState, removed)).toBe('nothing');
    plane.advance(13 * MINUTE - 1);
    await monitorOnce(removed);
    expect(await states()).toEqual(['committing']);
    plane.advance(1);
    expect((await monitorOnce(removed)).reconciled).toEqual({ fail: 1 });
    expect(await states()).toEqual(['failed']);
    expect(await failure()).toMatchObject({ code: 'vault-not-found', message: expect.stringContaining('The vault main was removed from holdfast.yaml'), nextStep: expect.stringContaining('holdfast catalog rebuild --aws STACK') });
    expect(plane.published).toMatchObject([{ kind: 'backup-failed' }]);
  });

  it('stops the task that is still at such a commit (M6)', async () => {
    await worker.begin();
    await worker.beginCommit();
    const removed = { ...plane.ports, snapshotExists: async (run: LedgerRun) => vaultGone(run) };
    plane.advance(4 * MINUTE);
    await monitorOnce(removed);
    expect(await states()).toEqual(['committing']);
    expect(plane.launcher.task(worker.taskArn).stopAsked).toContain('committing');
    plane.advance(9 * MINUTE);
    await monitorOnce(removed);
    expect(await states()).toEqual(['failed']);
  });

  it('does not wait forever for a task that does not stop', async () => {
    await worker.begin();
    await worker.beginCommit();
    expect(await minutesUntilEnd()).toBeLessThanOrEqual(18);
    expect(await states()).toEqual(['failed']);
  });

  it('stops a run that takes longer than its plan allows', async () => {
    await worker.begin();
    while (plane.now < NOON + 186 * MINUTE) {
      plane.advance(2 * MINUTE);
      await worker.beat();
    }
    await reconcileAll(plane.ports);
    expect(plane.launcher.task(worker.taskArn).stopAsked).toContain('maximum duration of plan shop');
    plane.launcher.end(worker.taskArn, { exitCode: 130, stopCode: 'UserInitiated', reason: plane.launcher.task(worker.taskArn).stopAsked ?? '' });
    await event();
    expect(await failure()).toMatchObject({ message: expect.stringContaining('past the maximum duration of plan shop') });
  });

  it('fails a run whose task never begins to work, and stops the task', async () => {
    const minutes = await minutesUntilEnd();
    expect(minutes).toBeGreaterThan(14);
    expect(minutes).toBeLessThanOrEqual(20);
    expect(await failure()).toMatchObject({ message: expect.stringContaining('did not begin its work within 15 minutes') });
    expect(plane.launcher.task(worker.taskArn).stopAsked).toBeDefined();
    expect(await worker.begin()).toBe(false);
  });

  it('puts a run back whose task was never given a machine, and fails it when it could not be pulled', async () => {
    plane.launcher.end(worker.taskArn, { stopCode: 'TaskFailedToStart', reason: 'Capacity is unavailable at this time. Please try again later or in a different availability zone' });
    expect(await event()).toBe('requeue');
    expect((await plane.runs())[0]).toMatchObject({ state: 'queued', attempts: 1 } satisfies Partial<LedgerRun>);
    expect((await plane.runs())[0]?.taskArn).toBeUndefined();
    plane.advance(MINUTE);
    await monitorOnce(plane.ports);
    const second = plane.launcher.tasks[1]?.taskArn ?? '';
    plane.launcher.end(second, { stopCode: 'TaskFailedToStart', reason: 'CannotPullContainerError: pull image manifest has been retried 1 time(s): not found' });
    const [task] = await plane.launcher.describe([second]);
    await taskStopped(worker.runId, task as TaskState, plane.ports);
    expect(await failure()).toMatchObject({ code: 'not-found', message: expect.stringContaining('could not pull its image') });
  });

  it('tells the failure that a worker wrote down within a minute, by the event of its task', async () => {
    await worker.begin();
    await worker.endFailed();
    worker.exit(1);
    expect(await event()).toBe('told');
    expect(await event()).toBe('nothing');
    expect(plane.published).toMatchObject([{ kind: 'backup-failed', message: 'The dump ended with exit code 1.' }]);
    plane.advance(3 * MINUTE);
    await monitorOnce(plane.ports);
    expect(plane.published).toHaveLength(1);
  });

  it('says the same for a failure that the worker wrote down itself and could not tell', async () => {
    await worker.begin();
    await worker.endFailed('pg_dump: error: connection to postgresql://app:hunter2@db failed');
    worker.exit(1);
    plane.advance(3 * MINUTE);
    await monitorOnce(plane.ports);
    await monitorOnce(plane.ports);
    expect(plane.published).toHaveLength(1);
    expect(plane.published[0]?.message).toBe('pg_dump: error: connection to postgresql://***@db failed');
  });
});
