import { SqliteCatalog } from '../../lib/catalog/sqlite-catalog.ts';
import type { BackupId, PlanId, RunId } from '../../lib/model/ids.ts';
import { listSnapshots, names, writeVerdict } from '../../lib/repository/index.ts';
import { executeRemove } from '../../lib/retention/remove.ts';
import { rebuildCatalog } from '../../lib/validation/rebuild-catalog.ts';
import { SMALL_PLAN, SmallBackups } from '../support/small-backup.ts';
import { memoryVault } from '../support/vault.ts';

async function vaultOfThree() {
  const { repository, store, clock } = memoryVault();
  const backups = new SmallBackups(repository);
  const ids: string[] = [];
  for (const contents of [['a'], ['a', 'b'], ['a', 'b', 'c']]) {
    ids.push(await backups.make(contents));
    clock.advance(60_000);
  }
  return { repository, store, clock, ids };
}

test('the catalog comes back from the vault alone: plans, backups, what was verified', async () => {
  const { repository, ids } = await vaultOfThree();
  await writeVerdict(repository, { backup: ids[0]!, level: 'full', result: 'corrupted', damaged: [{ name: 'packs/x', problem: 'flipped' }] });
  await writeVerdict(repository, { backup: ids[1]!, level: 'sample', result: 'good', damaged: [] });
  const catalog = new SqliteCatalog(':memory:');
  const report = await rebuildCatalog(repository, catalog, new Set([SMALL_PLAN]));
  expect(report).toMatchObject({ plans: 1, backups: 3, validations: 2, removed: 0, unreadable: [] });
  expect(report.notes[0]).toContain('history of runs and restores is gone');
  const { backups } = await catalog.listBackups({});
  expect(Object.fromEntries(backups.map(({ backupId, state }) => [backupId, state]))).toEqual({ [ids[0]!]: 'corrupted', [ids[1]!]: 'validated', [ids[2]!]: 'completed' });
  expect(await catalog.listPlans()).toMatchObject([{ planId: SMALL_PLAN, state: 'active' }]);
  expect(await catalog.lastValidation(ids[0] as BackupId)).toMatchObject({ level: 'full', result: 'corrupted', problems: ['packs/x: flipped'] });
  await catalog.close();
});

test('what the catalog had is replaced: removed backups and the history of runs are gone, a second rebuild changes nothing', async () => {
  const { repository, ids } = await vaultOfThree();
  const catalog = new SqliteCatalog(':memory:');
  await rebuildCatalog(repository, catalog);
  await catalog.recordRun({ runId: '01K00000000000000000000RUN' as RunId, planId: SMALL_PLAN as PlanId, planName: 'p', type: 'full', state: 'queued', queuedAt: 1, host: 'h' });
  await executeRemove({ removals: [{ plan: SMALL_PLAN, backup: ids[0]!, reason: 'asked for' }], affected: [], warnings: [], refusals: [] }, repository, { who: 'somebody', why: 'a test' });
  const first = await rebuildCatalog(repository, catalog);
  expect(first).toMatchObject({ backups: 2, removed: 1 });
  expect(await catalog.listRuns()).toEqual([]);
  const { backups } = await catalog.listBackups({});
  expect(backups.map(({ backupId }) => backupId).toSorted()).toEqual(ids.slice(1).toSorted());
  expect(await rebuildCatalog(repository, catalog)).toEqual(first);
  expect((await catalog.listBackups({})).backups).toEqual(backups);
  await catalog.close();
});

test('a manifest that does not open is named and the others come back', async () => {
  const { repository, store, ids } = await vaultOfThree();
  const name = names.snapshot(SMALL_PLAN, ids[1]!);
  const bytes = Uint8Array.from(await store.get(name));
  bytes[50]! ^= 1;
  await store.remove(name);
  await store.put(name, bytes);
  const catalog = new SqliteCatalog(':memory:');
  expect(await rebuildCatalog(repository, catalog)).toMatchObject({ backups: 2, unreadable: [{ name }] });
  expect((await listSnapshots(store)).length).toBe(3);
  await catalog.close();
});
