import { dispatchOccurrence } from '../../lib/scheduling/dispatch.ts';
import type { DispatchPorts } from '../../lib/scheduling/dispatch.ts';
import { monitorOnce } from '../../lib/scheduling/monitor.ts';
import type { MonitorPorts } from '../../lib/scheduling/monitor.ts';
import { ControlPlane, controlPlane, MINUTE, NOON, plan } from '../support/control-plane.ts';
import { Died, Life } from '../support/dying.ts';
import { FakeWorker } from '../support/fake-worker.ts';

const TRIGGER = { plan: 'shop', kind: 'schedule', scheduledTime: NOON } as const;
const CAPACITY = { noCapacity: 'Capacity is unavailable at this time' };

function mortal(plane: ControlPlane, life: Life): MonitorPorts {
  const { ledger, launcher, publisher } = plane.ports;
  return { ...plane.ports, ledger: life.watch('ledger', ledger), launcher: life.watch('launcher', launcher), ...(publisher && { publisher: life.watch('publisher', publisher) }) };
}

/** How many steps an undisturbed life takes. */
async function stepsOf(live: (ports: MonitorPorts) => Promise<unknown>, prepare: (plane: ControlPlane) => Promise<void>): Promise<readonly string[]> {
  const plane = controlPlane({ plans: [plan('shop')] });
  await prepare(plane);
  const life = new Life();
  await live(mortal(plane, life));
  await plane.close();
  return life.steps;
}

/** Does `live` once for every step and side of it, and dies there; then `check` looks at what the others make of it. */
async function dieEverywhere(live: (ports: MonitorPorts) => Promise<unknown>, check: (plane: ControlPlane, death: string) => Promise<void>, prepare: (plane: ControlPlane) => Promise<void> = async () => undefined): Promise<number> {
  const steps = await stepsOf(live, prepare);
  for (const when of ['before', 'after'] as const) {
    for (let at = 0; at < steps.length; at += 1) {
      const plane = controlPlane({ plans: [plan('shop')] });
      await prepare(plane);
      await expect(live(mortal(plane, new Life({ at, when })))).rejects.toThrow(Died);
      await check(plane, `${when} ${steps[at]}`);
      await plane.close();
    }
  }
  return steps.length;
}

/** The worker does its work; afterwards there is exactly one run, one task and one good end. */
async function oneGoodRun(plane: ControlPlane, death: string): Promise<void> {
  const arns = plane.launcher.tasks.map(({ taskArn }) => taskArn);
  expect({ death, tasks: arns.length }).toEqual({ death, tasks: 1 });
  const worker = new FakeWorker(plane, arns[0] ?? '');
  expect({ death, hasBegun: await worker.begin() }).toEqual({ death, hasBegun: true });
  await worker.finish();
  const runs = await plane.catalog.listRuns();
  expect({ death, states: runs.map(({ state }) => state) }).toEqual({ death, states: ['completed'] });
  expect(await plane.catalog.latestBackup('shop')).toMatchObject({ runId: worker.runId });
  expect(plane.published).toEqual([]);
}

describe('a dispatch that dies between any two of its steps', () => {
  it('leaves one run and one task when Scheduler tries again', async () => {
    const steps = await dieEverywhere((ports: DispatchPorts) => dispatchOccurrence(TRIGGER, ports), async (plane, death) => {
      plane.advance(MINUTE);
      await dispatchOccurrence(TRIGGER, plane.ports);
      await oneGoodRun(plane, death);
    });
    expect(steps).toBeGreaterThanOrEqual(8);
  });

  it('leaves one run and one task when nobody tries again but the monitor', async () => {
    await dieEverywhere((ports: DispatchPorts) => dispatchOccurrence(TRIGGER, ports), async (plane, death) => {
      plane.advance(12 * MINUTE);
      await monitorOnce(plane.ports);
      await oneGoodRun(plane, death);
    });
  });

  it('leaves one run and one task when both come at once', async () => {
    await dieEverywhere((ports: DispatchPorts) => dispatchOccurrence(TRIGGER, ports), async (plane, death) => {
      plane.advance(11 * MINUTE);
      await Promise.all([monitorOnce(plane.ports), dispatchOccurrence(TRIGGER, plane.ports), monitorOnce(plane.ports)]);
      await oneGoodRun(plane, death);
    });
  });

  it('leaves one run and one task when ECS had no capacity', async () => {
    await dieEverywhere(
      (ports: DispatchPorts) => dispatchOccurrence(TRIGGER, ports),
      async (plane, death) => {
        for (let pass = 0; pass < 4 && plane.launcher.tasks.length === 0; pass += 1) {
          plane.advance(6 * MINUTE);
          await monitorOnce(plane.ports);
        }
        await oneGoodRun(plane, death);
      },
      async (plane) => void plane.launcher.mishaps.push(CAPACITY),
    );
  });

  it('leaves one run and one task when it is the monitor that dies while it catches up', async () => {
    const prepare = async (plane: ControlPlane) => plane.advance(12 * MINUTE);
    await dieEverywhere(monitorOnce, async (plane, death) => {
      plane.advance(5 * MINUTE);
      await monitorOnce(plane.ports);
      await oneGoodRun(plane, death);
    }, prepare);
  });
});

describe('a failure whose teller dies between any two steps', () => {
  const killed = async (plane: ControlPlane) => {
    await dispatchOccurrence(TRIGGER, plane.ports);
    const worker = new FakeWorker(plane, plane.launcher.tasks[0]?.taskArn ?? '');
    await worker.begin();
    worker.exit(137);
    plane.advance(MINUTE);
  };

  it('ends the run as failed once, and its alert is told: once, or twice when the mark of the telling was lost', async () => {
    let twice = 0;
    await dieEverywhere(monitorOnce, async (plane, death) => {
      for (let pass = 0; pass < 2; pass += 1) {
        plane.advance(5 * MINUTE);
        await monitorOnce(plane.ports);
      }
      const runs = await plane.catalog.listRuns({ states: ['failed'] });
      expect({ death, failed: runs.length }).toEqual({ death, failed: 1 });
      const told = plane.published.filter(({ kind }) => kind === 'backup-failed');
      expect({ death, told: told.length >= 1 }).toEqual({ death, told: true });
      expect(new Set(told.map(({ alertId }) => alertId)).size).toBe(1);
      if (told.length > 1) twice += 1;
      expect(told.length).toBeLessThanOrEqual(2);
    }, killed);
    // Only dying between the publication and its mark may repeat a message: after the one, before the other.
    expect(twice).toBeLessThanOrEqual(2);
  });

  it('tells it once when two monitors come at the same time', async () => {
    const plane = controlPlane({ plans: [plan('shop')] });
    await killed(plane);
    await Promise.all([monitorOnce(plane.ports), monitorOnce(plane.ports), monitorOnce(plane.ports)]);
    expect(plane.published).toHaveLength(1);
    expect(plane.lines).toHaveLength(1);
    await plane.close();
  });
});
