import { SqliteCatalog } from '../../../lib/catalog/sqlite-catalog.ts';
import type { BackupRecord } from '../../../lib/catalog/records.ts';
import type { BackupId, PlanId, RunId } from '../../../lib/model/ids.ts';
import { checkRestore } from '../../../lib/recovery/workflow/check-restore.ts';
import type { CheckPorts } from '../../../lib/recovery/workflow/check-restore.ts';
import { restoreIdOf } from '../../../lib/recovery/workflow/restore-id.ts';
import { restoreInput } from '../../../lib/recovery/workflow/restore-request.ts';
import { thawRestore } from '../../../lib/recovery/workflow/thaw-restore.ts';
import { readWorkerSettings, workerEnvironment } from '../../../lib/settings/worker.ts';

const BACKUP = '01J0000000000000000000000A';
const FILES = '01J0000000000000000000000B';
const SHOP = '01J0000000000000000000000C';
const EXECUTION = { id: 'arn:aws:states:eu-central-1:1:execution:restore:one', startTime: '2026-11-21T10:00:00.000Z' };
const STARTED = Date.parse(EXECUTION.startTime);

const TARGETS: CheckPorts['targets'] = [
  { name: 'staging-db', network: 'default', target: { type: 'postgres', host: 'db', port: 5432, database: 'app', user: 'restore', password: { kind: 'secrets-manager', name: 'db', key: 'password' }, createDatabase: true } },
  { name: 'disk', network: 'private', target: { type: 'directory', path: '/restore', mounts: [{ path: '/restore', fileSystem: 'fs-1' }] } },
  { name: 'broken', network: 'gone', target: { type: 'directory', path: '/x', mounts: [] } },
];

function backup(over: Partial<BackupRecord> = {}): BackupRecord {
  return {
    backupId: BACKUP as BackupId, planId: 'a'.repeat(32) as PlanId, planName: 'orders', runId: BACKUP as RunId, type: 'incremental', state: 'completed', startedAt: 1, finishedAt: 2,
    sequence: 1, entries: 1, files: 1, bytes: 77, addedBytes: 7, warnings: 0, host: 'prod', source: { type: 'postgres', description: 'app on db' }, statistics: {}, ...over,
  };
}

describe('the check of a restore (R1, R3)', () => {
  let catalog: SqliteCatalog;
  let ports: CheckPorts;

  beforeEach(async () => {
    catalog = new SqliteCatalog(':memory:');
    await catalog.recordBackup(backup());
    await catalog.recordBackup(backup({ backupId: FILES as BackupId, planName: 'media', source: { type: 'files', description: '/srv' } }));
    await catalog.recordBackup(backup({ backupId: SHOP as BackupId, planName: 'shop', source: { type: 'set', description: 'db (postgres: app), uploads (files: /srv)' } }));
    ports = {
      catalog,
      targets: TARGETS,
      networks: { default: { subnets: ['s-1'], securityGroups: ['g-1'], assignPublicIp: true }, private: { subnets: ['s-2'], securityGroups: [], assignPublicIp: false } },
      familyOf: (target) => `prod-restore-${target}`,
      vaultOf: () => Promise.resolve('main'),
      now: () => STARTED + 1000,
    };
  });
  afterEach(() => catalog.close());

  const check = (input: unknown) => checkRestore({ execution: EXECUTION, input }, ports);
  const good = { backup: BACKUP, target: 'staging-db', confirm: 'staging-db' };

  it('answers the task in RunTask words, with an order that the worker reads', async () => {
    const checked = await check(good);
    expect(checked).toMatchObject({ restoreId: restoreIdOf(EXECUTION.id), backupId: BACKUP, planName: 'orders', vault: 'main', targetName: 'staging-db', bytes: 77 });
    expect(checked.task).toMatchObject({ family: 'prod-restore-staging-db', networkConfiguration: { AwsvpcConfiguration: { Subnets: ['s-1'], SecurityGroups: ['g-1'], AssignPublicIp: 'ENABLED' } } });
    const environment = { ...workerEnvironment({ stackName: 'prod', table: 't', vaults: {} }), HOLDFAST_RESTORE: checked.task.order, HOLDFAST_TASK_TOKEN: 'x' };
    expect(readWorkerSettings(environment).task).toMatchObject({ order: { restoreId: checked.restoreId, backupId: BACKUP, vault: 'main', targetName: 'staging-db', target: TARGETS[0]?.target, select: [] } });
  });

  it('orders one part of a set, into a database and into a directory, and the whole into a directory alone (P4)', async () => {
    const order = async (input: object) => (JSON.parse((await check(JSON.parse(restoreInput(input as never)))).task.order) as { part?: string }).part;
    expect([await order({ ...good, backup: SHOP, part: 'db' }), await order({ backup: SHOP, target: 'disk', confirm: 'disk', part: 'uploads' }), await order({ backup: SHOP, target: 'disk', confirm: 'disk' })]).toEqual(['db', 'uploads', undefined]);
    const environment = { ...workerEnvironment({ stackName: 'prod', table: 't', vaults: {} }), HOLDFAST_RESTORE: (await check({ ...good, backup: SHOP, part: 'db' })).task.order, HOLDFAST_TASK_TOKEN: 'x' };
    expect(readWorkerSettings(environment).task).toMatchObject({ order: { backupId: SHOP, part: 'db' } });
  });

  it('writes the restore into the catalog with its first stage, once however often it is tried', async () => {
    await check(good);
    await check(good);
    expect(await catalog.listRestores()).toEqual([expect.objectContaining({
      restoreId: restoreIdOf(EXECUTION.id), backupId: BACKUP, target: 'staging-db', state: 'running', startedAt: STARTED,
      stages: [{ name: 'checked', state: 'done', startedAt: STARTED + 1000, finishedAt: STARTED + 1000 }],
    })]);
  });

  it('takes what `holdfast restore --aws` sends, with patterns for a directory', async () => {
    const input: unknown = JSON.parse(restoreInput({ backup: FILES, target: 'disk', confirm: 'disk', select: ['photos/**/*.jpg'] }));
    expect(JSON.parse((await check(input)).task.order)).toMatchObject({ select: ['photos/**/*.jpg'], target: { type: 'directory' } });
  });

  it('takes the beginning of an id that no other backup shares', async () => {
    await expect(check({ ...good, backup: BACKUP.slice(0, 25) })).rejects.toMatchObject({ code: 'usage' });
    expect((await check({ ...good, backup: BACKUP.toLowerCase() })).backupId).toBe(BACKUP);
  });

  it.each<readonly [what: string, input: unknown, code: string, message: RegExp]>([
    ['an undeclared target', { ...good, target: 'production', confirm: 'production' }, 'usage', /"production" is not declared, wanted one of staging-db, disk, broken/],
    ['a target that nearly is one', { ...good, target: 'stagingdb', confirm: 'stagingdb' }, 'usage', /did you mean "staging-db"/],
    ['a target that is a name of every object', { ...good, target: '__proto__', confirm: '__proto__' }, 'usage', /is not declared/],
    ['a confirmation of another target', { ...good, confirm: 'disk' }, 'refused', /"confirm" is "disk", wanted "staging-db"/],
    ['a confirmation that only looks the same', { ...good, confirm: 'Staging-db' }, 'refused', /is not confirmed/],
    ['no confirmation', { backup: BACKUP, target: 'staging-db' }, 'usage', /wrong or missing confirm/],
    ['a confirmation that is true', { ...good, confirm: true }, 'usage', /wrong or missing confirm/],
    ['an unknown field', { ...good, family: 'admin-task' }, 'usage', /unknown field "family"/],
    ['a network of somebody else', { ...good, networkConfiguration: { AwsvpcConfiguration: {} } }, 'usage', /unknown field/],
    ['a mistyped select', { ...good, selects: ['a'] }, 'usage', /unknown field "selects"/],
    ['a list', [good], 'usage', /is no such map/],
    ['nothing', undefined, 'usage', /is no such map/],
    ['a backup that nobody knows', { ...good, backup: '01J0000000000000000000000Z' }, 'not-found', /01J0000000000000000000000Z/],
    ['a backup that is a path', { ...good, backup: '../../snapshots/other' }, 'not-found', /./],
    ['an empty backup', { ...good, backup: '' }, 'usage', /wrong or missing backup/],
    ['files into a database', { ...good, backup: FILES }, 'refused', /takes backups of postgres; backup \S+ of plan media holds files/],
    ['a selection of a database', { ...good, select: ['public/*'] }, 'usage', /a database, which is restored whole/],
    ['a selection that climbs out', { backup: FILES, target: 'disk', confirm: 'disk', select: ['../../etc/passwd'] }, 'usage', /holds ".."/],
    ['a selection that climbs out in the middle', { backup: FILES, target: 'disk', confirm: 'disk', select: ['photos/../../etc'] }, 'usage', /holds ".."/],
    ['a selection as long as a book', { backup: FILES, target: 'disk', confirm: 'disk', select: ['x'.repeat(3001)] }, 'usage', /at most 3000 characters/],
    ['a thousand patterns', { backup: FILES, target: 'disk', confirm: 'disk', select: Array.from({ length: 101 }, String) }, 'usage', /wrong or missing select/],
    ['a set into a database, and no part of it named', { ...good, backup: SHOP }, 'refused', /takes one part of a backup; .* is one of several: db \(postgres: app\)/],
    ['a part of a backup of one source', { ...good, part: 'db' }, 'usage', /"part" is "db", and backup \S+ of plan orders is one of postgres alone/],
    ['a part that is a list', { ...good, backup: SHOP, part: ['db'] }, 'usage', /wrong or missing part/],
    ['a target whose network is gone', { backup: FILES, target: 'broken', confirm: 'broken' }, 'config-invalid', /network "gone"/],
  ])('refuses %s, and nothing is begun', async (_what, input, code, message) => {
    await expect(check(input)).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
    expect(await catalog.listRestores()).toEqual([]);
  });

  it('refuses a backup that is in no vault of this stack, whatever the catalog says', async () => {
    ports = { ...ports, vaultOf: () => Promise.resolve(undefined) };
    await expect(check(good)).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining('in no vault of this stack') as string });
    expect(await catalog.listRestores()).toEqual([]);
  });

  it.each(['corrupted', 'expired'] as const)('refuses a backup that is %s', async (state) => {
    await catalog.recordBackup(backup({ state }));
    await expect(check(good)).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining(`is ${state}`) as string });
  });

  it('restores a backup of a plan that was removed meanwhile', async () => {
    await catalog.recordPlan({ planId: 'a'.repeat(32) as PlanId, name: 'orders', state: 'retired', source: { type: 'postgres', description: '' } });
    expect((await check(good)).planName).toBe('orders');
  });

  it('shows no value of an unknown field: it may be a secret', async () => {
    await expect(check({ ...good, password: 'hunter2' })).rejects.toMatchObject({ message: expect.not.stringContaining('hunter2') as string });
  });

  it('keeps the order within what a task can be given, beside its token', async () => {
    const select = Array.from({ length: 100 }, (_, index) => `${'"'.repeat(29)}${index % 10}`);
    const order = await check({ backup: FILES, target: 'disk', confirm: 'disk', select }).then(({ task }) => task.order, (error: Error) => error.message);
    expect(order).toMatch(/has \d+ characters, wanted at most 6000/);
  });
});

describe('the thaw loop (R3)', () => {
  const backupInput = { restoreId: 'R', backupId: BACKUP, planId: 'a'.repeat(32), vault: 'main' };

  it('is done at once when every pack is of a class that answers at once', async () => {
    const packs = ['packs/hot/w/aa/1', 'packs/warm/w/aa/2', 'packs/cold/w/aa/3', 'packs/meta/w/aa/4'];
    expect(await thawRestore(backupInput, { packsOf: () => Promise.resolve(packs) })).toEqual({ isDone: true, waitSeconds: 0 });
  });

  it('does not start a task for packs that it cannot thaw', async () => {
    await expect(thawRestore(backupInput, { packsOf: () => Promise.resolve(['packs/hot/w/aa/1', 'packs/archive/w/aa/2']) })).rejects.toMatchObject({ code: 'unsupported', message: expect.stringContaining('packs/archive/w/aa/2') as string });
  });
});
