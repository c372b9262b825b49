import { join } from 'node:path';
import { SqliteCatalog } from '../../lib/catalog/sqlite-catalog.ts';
import { SqliteLedger } from '../../lib/catalog/sqlite-ledger.ts';
import type { BackupRecord } from '../../lib/catalog/records.ts';
import type { AlertRecord } from '../../lib/catalog/ledger-records.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { readBackNew } from '../../lib/scheduling/read-back.ts';
import type { ReadBackOrder, ReadBackPlan, ReadBackPorts } from '../../lib/scheduling/read-back.ts';
import type { Launched, NoCapacity } from '../../lib/scheduling/task-launcher.ts';
import { backup, backupId } from '../contract/catalog.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const HOUR = 3_600_000;

interface Stage {
  readonly catalog: SqliteCatalog;
  readonly clock: LeapingClock;
  readonly orders: ReadBackOrder[];
  readonly told: AlertRecord[];
  readonly ports: ReadBackPorts;
}

function plan(fields: Partial<ReadBackPlan> = {}, verification: ReadBackPlan['policy']['verification'] = 'full'): ReadBackPlan {
  return { name: 'photos', planId: 'a'.repeat(32), vault: 'main', network: 'default', task: { cpu: 256, memoryMiB: 512, diskGiB: 21 }, policy: { verification }, ...fields };
}

function stage(plans: readonly ReadBackPlan[] = [plan()], start: (order: ReadBackOrder) => Promise<Launched | NoCapacity> = async () => ({ taskArn: 'task' })): Stage {
  const file = join(temporaryFolder(), 'catalog.sqlite');
  const [catalog, clock, orders, told] = [new SqliteCatalog(file), new LeapingClock(), [] as ReadBackOrder[], [] as AlertRecord[]];
  const startReadBack = (order: ReadBackOrder) => {
    orders.push(order);
    return start(order);
  };
  return { catalog, clock, orders, told, ports: { catalog, plans, startReadBack, ledger: new SqliteLedger(file), publisher: { publish: async (alert) => void told.push(alert) }, now: () => clock.now() } };
}

function made(number: number, clock: LeapingClock, fields: Partial<BackupRecord> = {}): BackupRecord {
  return backup(number, { vault: 'main', startedAt: clock.now() - HOUR, finishedAt: clock.now(), ...fields });
}

describe('new backups are read back by another task (V4)', () => {
  it('once, as deep as the policy of their plan wants', async () => {
    const { catalog, clock, orders, ports } = stage();
    await catalog.recordBackup(made(1, clock));
    expect((await readBackNew(ports)).started).toEqual([backupId(1)]);
    expect((await readBackNew(ports)).started).toEqual([]);
    expect(orders).toMatchObject([{ backupId: backupId(1), vault: 'main', network: 'default', level: 'full', token: `read-back-${backupId(1)}-0` }]);
    expect((await catalog.getBackup(backupId(1))).state).toBe('validating');
  });

  it.each([
    ['whose plan wants none', [plan({}, 'none')], {}],
    ['whose plan is gone', [], {}],
    ['that are a week old', [plan()], { finishedAt: 1 }],
    ['that have been read back', [plan()], { state: 'validated' as const }],
  ])('not those %s', async (_what, plans, fields) => {
    const { catalog, clock, orders, ports } = stage(plans);
    await catalog.recordBackup(made(1, clock, fields));
    expect((await readBackNew(ports)).started).toEqual([]);
    expect(orders).toEqual([]);
  });

  it('one that cannot be started keeps no other from it, and is told', async () => {
    const gone = new HoldfastError('not-found', 'There is no task definition.');
    const { catalog, clock, ports } = stage([plan()], (order) => (order.vault === 'old' ? Promise.reject(gone) : Promise.resolve({ taskArn: 'task' })));
    await catalog.recordBackup(made(1, clock));
    clock.advance(1);
    await catalog.recordBackup(made(2, clock, { vault: 'old' }));
    await expect(readBackNew(ports)).rejects.toBe(gone);
    expect(await Promise.all([1, 2].map(async (number) => (await catalog.getBackup(backupId(number))).state))).toEqual(['validating', 'completed']);
  });

  it.each([
    ['finds no capacity', async (): Promise<NoCapacity> => ({ noCapacity: 'Capacity is unavailable' })],
    ['fails', (): Promise<Launched> => Promise.reject(new HoldfastError('unavailable', 'no answer'))],
  ])('a start that %s is made again by the next call', async (_what, start) => {
    let isFirst = true;
    const { catalog, clock, ports } = stage([plan()], (order) => {
      if (!isFirst) return Promise.resolve({ taskArn: order.token });
      isFirst = false;
      return start();
    });
    await catalog.recordBackup(made(1, clock));
    await readBackNew(ports).catch(() => undefined);
    expect((await catalog.getBackup(backupId(1))).state).toBe('completed');
    expect((await readBackNew(ports)).started).toEqual([backupId(1)]);
  });

  it('a task that died without an answer is begun again a day later, as another attempt', async () => {
    const { catalog, clock, orders, ports } = stage();
    await catalog.recordBackup(made(1, clock));
    await readBackNew(ports);
    clock.advance(23 * HOUR);
    await readBackNew(ports);
    expect(orders).toHaveLength(1);
    clock.advance(HOUR + 60_000);
    await readBackNew(ports);
    expect(orders.map(({ token }) => token)).toEqual([`read-back-${backupId(1)}-0`, `read-back-${backupId(1)}-1`]);
  });

  it('a task that gives no answer for a day is told once, with where its log is, until there is one (M1)', async () => {
    const { catalog, clock, told, ports } = stage();
    await catalog.recordBackup(made(1, clock));
    await readBackNew(ports);
    clock.advance(23 * HOUR);
    expect((await readBackNew(ports)).opened).toEqual([]);
    clock.advance(HOUR + 60_000);
    const alertId = `control-plane/read-back/${backupId(1)}`;
    expect(await readBackNew(ports)).toEqual({ started: [backupId(1)], opened: [alertId], resolved: [] });
    clock.advance(24 * HOUR);
    expect(await readBackNew(ports)).toMatchObject({ opened: [], resolved: [] });
    expect(told).toMatchObject([{ alertId, kind: 'control-plane', severity: 'high', planName: 'photos', message: expect.stringContaining(`The backup ${backupId(1)} could not be read back`), nextStep: expect.stringContaining('STACK-verify-main/') }]);
    expect(told[0]?.nextStep).toContain(`holdfast verify ${backupId(1)} --aws STACK`);
    await catalog.setBackupState(backupId(1), 'validated');
    expect((await readBackNew(ports)).resolved).toEqual([alertId]);
    expect((await readBackNew(ports)).resolved).toEqual([]);
  });

  it('one that has no answer is told also when its plan is gone, and no more when it is gone itself (M1)', async () => {
    const { catalog, clock, told, ports } = stage([]);
    await catalog.recordBackup(made(1, clock, { state: 'validating' }));
    clock.advance(24 * HOUR);
    await readBackNew(ports);
    expect(told).toHaveLength(1);
    await catalog.replaceAll({ plans: [], backups: [], validations: [] });
    expect((await readBackNew(ports)).resolved).toEqual([`control-plane/read-back/${backupId(1)}`]);
  });

  it('those that a changed policy begins late are not told at the next look', async () => {
    const { catalog, clock, told, ports } = stage();
    await catalog.recordBackup(made(1, clock));
    clock.advance(50 * HOUR);
    await readBackNew(ports);
    clock.advance(300_000);
    await readBackNew(ports);
    expect(told).toEqual([]);
  });

  it('of two callers at once one starts it', async () => {
    const { catalog, clock, orders, ports } = stage();
    await catalog.recordBackup(made(1, clock));
    await Promise.all([readBackNew(ports), readBackNew(ports)]);
    expect(orders).toHaveLength(1);
  });

  it('a backup that did not read back is told once, as critical (V1)', async () => {
    const { catalog, clock, told, ports } = stage();
    await catalog.recordBackup(made(1, clock, { state: 'corrupted' }));
    expect((await readBackNew(ports)).opened).toEqual([`corruption-detected/backup/${backupId(1)}`]);
    await readBackNew(ports);
    expect(told).toMatchObject([{ kind: 'corruption-detected', severity: 'critical', planName: 'photos' }]);
  });

  it('the alert about a damaged backup ends when it was healed and read in full since, and not before (V1, M3)', async () => {
    const { catalog, clock, told, ports } = stage();
    await catalog.recordBackup(made(1, clock, { state: 'corrupted' }));
    const id = `corruption-detected/backup/${backupId(1)}`;
    expect((await readBackNew(ports)).opened).toEqual([id]);
    expect(told[0]?.nextStep).toContain('What the source still has is stored anew by that backup, given to this one when it is read back, and then this alert resolves itself');
    for (const state of ['corrupted', 'completed', 'validating'] as const) {
      await catalog.setBackupState(backupId(1), state);
      expect([state, (await readBackNew(ports)).resolved]).toEqual([state, []]);
    }
    await catalog.setBackupState(backupId(1), 'validated');
    expect((await readBackNew(ports)).resolved).toEqual([id]);
    expect((await readBackNew(ports)).resolved).toEqual([]);
  });
});
