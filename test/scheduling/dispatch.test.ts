import { HoldfastError } from '../../lib/model/errors.ts';
import { dispatchOccurrence } from '../../lib/scheduling/dispatch.ts';
import type { Dispatched } from '../../lib/scheduling/dispatch.ts';
import { monitorOnce } from '../../lib/scheduling/monitor.ts';
import { pinnedPlan } from '../../lib/scheduling/pinned-plan.ts';
import { startQueued } from '../../lib/scheduling/start-queued.ts';
import { ControlPlane, controlPlane, HOUR, MINUTE, NOON, plan } from '../support/control-plane.ts';
import { FakeWorker } from '../support/fake-worker.ts';

const scheduled = { plan: 'shop', kind: 'schedule', scheduledTime: NOON } as const;
const CAPACITY = { noCapacity: 'Capacity is unavailable at this time. Please try again later or in a different availability zone' };

describe('dispatch', () => {
  let plane: ControlPlane;
  const begin = (...[options]: Parameters<typeof controlPlane>) => (plane = controlPlane(options));
  const dispatch = (trigger: Parameters<typeof dispatchOccurrence>[0] = scheduled) => dispatchOccurrence(trigger, plane.ports);
  afterEach(() => plane.close());

  it('turns a schedule time into a run with the plan pinned, and starts its task', async () => {
    begin({ plans: [plan('shop')] });
    const answer = await dispatch();
    expect(answer).toMatchObject({ outcome: 'accepted', isNew: true, start: 'started', occurrence: 'shop/schedule/2026-06-02T12:00:00.000Z' });
    const [run] = await plane.runs();
    expect(run).toMatchObject({ state: 'starting', planName: 'shop', configHash: 'c0ffee', taskArn: plane.launcher.tasks[0]?.taskArn, startBy: NOON + 60 * MINUTE, stopBy: NOON + 180 * MINUTE });
    expect(JSON.parse(run?.order ?? '')).toEqual(plan('shop'));
    expect(plane.launcher.tasks).toMatchObject([{ token: run?.runId, order: { plan: { name: 'shop', network: 'default' } } }]);
  });

  it('makes one run and one task of the same event delivered twice, and of a Scheduler that tries again after a time-out', async () => {
    begin({ plans: [plan('shop')] });
    const first = await dispatch();
    plane.advance(3 * MINUTE);
    const second = await dispatch();
    expect(second).toMatchObject({ outcome: 'accepted', isNew: false, runId: runIdOf(first) });
    expect(plane.launcher.tasks).toHaveLength(1);
    expect(await plane.runs()).toHaveLength(1);
  });

  it('makes one run and one task of dispatches at the same instant', async () => {
    begin({ plans: [plan('shop')] });
    const answers = await Promise.all(Array.from({ length: 8 }, () => dispatch()));
    expect(new Set(answers.map(runIdOf)).size).toBe(1);
    expect(answers.filter((answer) => answer.outcome === 'accepted' && answer.isNew)).toHaveLength(1);
    expect(plane.launcher.tasks).toHaveLength(1);
  });

  it('refuses paused, retired and unknown plans with the next step, and makes no run', async () => {
    begin({ plans: [plan('shop')] });
    await plane.ledger.setPaused('shop', { at: NOON, by: 'somebody' });
    expect(await dispatch()).toEqual({ outcome: 'refused', reason: 'Plan shop is paused.', nextStep: expect.stringContaining('Resume plan shop') });
    expect(await dispatch({ ...scheduled, plan: 'old' })).toMatchObject({ outcome: 'refused', reason: expect.stringContaining('retired') });
    expect(await dispatch({ ...scheduled, plan: 'shoop' })).toMatchObject({ outcome: 'refused', reason: expect.stringContaining('no plan shoop'), nextStep: 'Choose one of shop.' });
    expect(await plane.runs()).toEqual([]);
  });

  it('collapses a burst of events into one run, also over the edge of a bucket (P7)', async () => {
    begin({ plans: [plan('shop', { schedule: undefined, events: [{ collapseMinutes: 10 }] } as never)] });
    const at = NOON + 8 * MINUTE;
    for (let second = 0; second < 240; second += 20) {
      plane.now = at + second * 1000;
      await dispatch({ plan: 'shop', kind: 'event', eventId: `e${second}` });
    }
    expect(await plane.runs()).toHaveLength(1);
    plane.now = at + 11 * MINUTE;
    await dispatch({ plan: 'shop', kind: 'event', eventId: 'later' });
    expect(await plane.runs()).toHaveLength(2);
  });

  it('gives a burst one more run for what changed after the first had begun to read, when the window has ended (P7)', async () => {
    begin({ plans: [plan('shop', { schedule: undefined, events: [{ collapseMinutes: 10 }] } as never)] });
    const event = (eventId: string, eventTime = plane.now) => dispatch({ plan: 'shop', kind: 'event', eventId, eventTime });
    const first = await event('e1');
    plane.advance(30_000);
    expect(runIdOf(await event('e2'))).toBe(runIdOf(first));
    plane.advance(30_000);
    const worker = new FakeWorker(plane, plane.launcher.tasks[0]?.taskArn ?? '');
    await worker.begin();
    plane.advance(MINUTE);
    const again = await event('e3');
    expect(again).toMatchObject({ isNew: true, start: 'waiting', occurrence: 'shop/event/2026-06-02T12:00:00.000Z/again' });
    await worker.finish();
    plane.advance(MINUTE);
    expect(runIdOf(await event('e4'))).toBe(runIdOf(again));
    expect(runIdOf(await event('e1', NOON))).toBe(runIdOf(first));
    expect(await plane.runs()).toMatchObject([{ state: 'queued', notBefore: NOON + 10 * MINUTE, startBy: NOON + 70 * MINUTE }]);
    plane.now = NOON + 10 * MINUTE - 1;
    await startQueued('main', plane.ports);
    expect(plane.launcher.tasks).toHaveLength(1);
    plane.now = NOON + 10 * MINUTE;
    await startQueued('main', plane.ports);
    expect(plane.launcher.tasks).toHaveLength(2);
    expect(runIdOf(await event('late', NOON + 9 * MINUTE))).toBe(runIdOf(again));
    expect(await plane.catalog.listRuns()).toHaveLength(2);
  });

  it('makes one second run of late events at the same instant (P7)', async () => {
    begin({ plans: [plan('shop', { events: [{ collapseMinutes: 10 }] })] });
    await dispatch({ plan: 'shop', kind: 'event', eventId: 'e', eventTime: NOON });
    plane.advance(MINUTE);
    await new FakeWorker(plane, plane.launcher.tasks[0]?.taskArn ?? '').begin();
    plane.advance(MINUTE);
    const answers = await Promise.all(Array.from({ length: 8 }, (_, number) => dispatch({ plan: 'shop', kind: 'event', eventId: `e${number}`, eventTime: plane.now })));
    expect(new Set(answers.map(runIdOf)).size).toBe(1);
    expect(await plane.catalog.listRuns()).toHaveLength(2);
  });

  it('does not let an event join a run that ended before it began (P7)', async () => {
    begin({ plans: [plan('shop', { events: [{ collapseMinutes: 10 }] })] });
    plane.launcher.mishaps.push({ throws: new HoldfastError('not-found', 'There is no task definition shop.') });
    const first = await dispatch({ plan: 'shop', kind: 'event', eventId: 'e1', eventTime: NOON });
    plane.advance(MINUTE);
    const second = await dispatch({ plan: 'shop', kind: 'event', eventId: 'e2', eventTime: plane.now });
    expect(runIdOf(second)).not.toBe(runIdOf(first));
    expect(await plane.runs()).toMatchObject([{ state: 'queued', notBefore: NOON + 10 * MINUTE }]);
  });

  it('counts an event that is delivered late where it belongs (P7)', async () => {
    begin({ plans: [plan('shop', { events: [{ collapseMinutes: 10 }] })] });
    await dispatch({ plan: 'shop', kind: 'event', eventId: 'e', eventTime: NOON });
    plane.advance(45 * MINUTE);
    expect(await dispatch({ plan: 'shop', kind: 'event', eventId: 'e', eventTime: NOON })).toMatchObject({ isNew: false });
  });

  it('gives a person the same run for the same idempotency key', async () => {
    begin({ plans: [plan('shop')] });
    const first = await dispatch({ plan: 'shop', kind: 'manual', idempotencyKey: 'k1' });
    expect(runIdOf(await dispatch({ plan: 'shop', kind: 'manual', idempotencyKey: 'k1' }))).toBe(runIdOf(first));
    expect(runIdOf(await dispatch({ plan: 'shop', kind: 'manual', idempotencyKey: 'k2' }))).not.toBe(runIdOf(first));
  });

  it('reads everything again when a person asks for it, and only then', async () => {
    begin({ plans: [plan('shop'), plan('blog')] });
    await dispatch({ plan: 'shop', kind: 'manual', idempotencyKey: 'k', type: 'full' });
    await dispatch({ plan: 'blog', kind: 'manual', idempotencyKey: 'k' });
    expect(Object.fromEntries((await plane.runs()).map(({ planName, type }) => [planName, type]))).toEqual({ blog: 'incremental', shop: 'full' });
  });

  it('puts a run back when RunTask answers capacity failures inside HTTP 200, and starts it later as another attempt', async () => {
    begin({ plans: [plan('shop')] });
    plane.launcher.mishaps.push(CAPACITY);
    expect(await dispatch()).toMatchObject({ start: 'waiting' });
    expect(await plane.runs()).toMatchObject([{ state: 'queued', attempts: 1, waitingFor: CAPACITY.noCapacity }]);
    plane.advance(MINUTE);
    expect([...(await startQueued('main', plane.ports)).values()]).toEqual(['started']);
    expect(plane.launcher.tasks).toHaveLength(1);
    expect(plane.launcher.tasks[0]?.token).toMatch(/-1$/);
  });

  it('waits between attempts, longer with each', async () => {
    begin({ plans: [plan('shop', { startWindowMinutes: 600 })] });
    plane.launcher.mishaps.push(...Array.from({ length: 60 }, () => CAPACITY));
    await dispatch();
    for (let minute = 0; minute < 60; minute += 1) {
      plane.advance(MINUTE);
      await startQueued('main', plane.ports);
    }
    const [run] = await plane.runs();
    expect(run?.attempts).toBeGreaterThan(5);
    expect(run?.attempts).toBeLessThan(40);
  });

  it('fails a run whose window has ended, naming the quota and what to do, with one alert', async () => {
    begin({ plans: [plan('shop', { startWindowMinutes: 30 })] });
    plane.launcher.mishaps.push(...Array.from({ length: 60 }, () => ({ noCapacity: "You've reached the limit on the number of vCPUs you can run concurrently" })));
    await dispatch();
    for (let pass = 0; pass < 7; pass += 1) {
      plane.advance(5 * MINUTE);
      await monitorOnce(plane.ports);
    }
    expect(await plane.runs()).toEqual([]);
    expect(plane.published.filter(({ kind }) => kind === 'backup-failed')).toMatchObject([{ title: 'Backup of shop failed', message: expect.stringContaining('window of 30 minutes: the quota of Fargate ("Fargate On-Demand vCPU resource count")'), nextStep: expect.stringContaining('Service Quotas') }]);
  });

  it('does not start a run after its window, whoever comes first', async () => {
    begin({ plans: [plan('shop', { startWindowMinutes: 30 })] });
    plane.launcher.mishaps.push(CAPACITY);
    const first = await dispatch();
    plane.advance(30 * MINUTE);
    expect([...(await startQueued('main', plane.ports))]).toEqual([[runIdOf(first), 'failed']]);
    expect(plane.launcher.tasks).toEqual([]);
    expect(plane.published).toMatchObject([{ message: expect.stringContaining('Fargate had no capacity') }]);
  });

  it('ends a run at once when waiting cannot help', async () => {
    begin({ plans: [plan('shop')] });
    plane.launcher.mishaps.push({ throws: new HoldfastError('not-found', 'There is no task definition shop.', { nextStep: 'Deploy the stack.' }) });
    expect(await dispatch()).toMatchObject({ start: 'failed' });
    expect(plane.published).toMatchObject([{ message: 'There is no task definition shop.', nextStep: 'Deploy the stack.' }]);
  });

  it('finds the task again whose launch was not answered', async () => {
    begin({ plans: [plan('shop')] });
    plane.launcher.mishaps.push('lost');
    expect(await dispatch()).toMatchObject({ start: 'unknown' });
    plane.advance(5 * MINUTE);
    await monitorOnce(plane.ports);
    expect(plane.launcher.tasks).toHaveLength(1);
    expect(await plane.runs()).toMatchObject([{ state: 'starting', taskArn: plane.launcher.tasks[0]?.taskArn }]);
  });

  it('takes the queue by rank: the service level goes first, but whoever waits long enough goes before it (P8)', async () => {
    const critical = { priority: 50, serviceLevel: { rtoMinutes: 15, rpoMinutes: 5 } };
    begin({ plans: ['a', 'b', 'c'].map((name) => plan(name, { startWindowMinutes: 600, ...(name === 'c' && { policy: critical }) })), vaultLimit: 1 });
    const start = async (name: string, key: string) => dispatch({ plan: name, kind: 'manual', idempotencyKey: key });
    await start('a', '1');
    plane.advance(MINUTE);
    const waiting = await start('b', '1');
    plane.advance(MINUTE);
    const urgent = await start('c', '1');
    expect((await plane.ledger.queue('main', 10)).map(({ runId }) => runId)).toEqual([runIdOf(urgent), runIdOf(waiting)]);
    plane.advance(3 * HOUR);
    const late = await start('c', '2');
    expect((await plane.ledger.queue('main', 10)).map(({ runId }) => runId)).toEqual([runIdOf(urgent), runIdOf(waiting), runIdOf(late)]);
  });

  it('passes over a plan that is busy, so that it does not hold up the others', async () => {
    begin({ plans: [plan('a'), plan('b')], vaultLimit: 2 });
    await dispatch({ plan: 'a', kind: 'manual', idempotencyKey: '1' });
    plane.advance(MINUTE);
    expect(await dispatch({ plan: 'a', kind: 'manual', idempotencyKey: '2' })).toMatchObject({ start: 'waiting' });
    plane.advance(MINUTE);
    expect(await dispatch({ plan: 'b', kind: 'manual', idempotencyKey: '1' })).toMatchObject({ start: 'started' });
  });

  it('never has more runs of a vault than its limit', async () => {
    begin({ plans: ['a', 'b', 'c', 'd'].map((name) => plan(name)), vaultLimit: 2 });
    await Promise.all(['a', 'b', 'c', 'd'].map((name) => dispatch({ plan: name, kind: 'schedule', scheduledTime: NOON })));
    expect((await plane.runs()).filter(({ state }) => state === 'starting')).toHaveLength(2);
    const worker = new FakeWorker(plane, plane.launcher.tasks[0]?.taskArn ?? '');
    await worker.begin();
    await worker.finish();
    await startQueued('main', plane.ports);
    expect((await plane.runs()).filter(({ state }) => state === 'starting')).toHaveLength(2);
  });

  it('sizes the next task by earlier backups and pins the size in the run (P8)', async () => {
    begin({ plans: [plan('shop')] });
    await dispatch();
    const worker = new FakeWorker(plane, plane.launcher.tasks[0]?.taskArn ?? '');
    await worker.begin();
    await worker.beginCommit();
    plane.vault.set(worker.runId, plane.backupOf(worker.run as never, { bytes: 300 * 1024 ** 3 }));
    await worker.endGood();
    plane.now = NOON + HOUR;
    await dispatch({ ...scheduled, scheduledTime: NOON + HOUR });
    const [run] = await plane.runs();
    expect(pinnedPlan(run as never).task).toEqual({ cpu: 2048, memoryMiB: 4096, diskGiB: 21 });
  });
});

function runIdOf(answer: Dispatched): string {
  if (answer.outcome !== 'accepted') throw new Error(answer.reason);
  return answer.runId;
}
