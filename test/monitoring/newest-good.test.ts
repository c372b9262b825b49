import { SqliteCatalog } from '../../lib/catalog/sqlite-catalog.ts';
import type { BackupRecord } from '../../lib/catalog/records.ts';
import { newestGood } from '../../lib/monitoring/newest-good.ts';
import type { GoodPlan } from '../../lib/monitoring/newest-good.ts';
import { backup, backupId } from '../contract/catalog.ts';

const DAY = 86_400_000;
const NOW = 100 * DAY;
const plan = (policy: Partial<GoodPlan['policy']> = {}): GoodPlan => ({ name: 'photos', policy: { warningsAreGood: true, verification: 'none', ...policy } });

async function newest(over: GoodPlan, ...records: Partial<BackupRecord>[]): Promise<string | undefined> {
  const catalog = new SqliteCatalog(':memory:');
  for (const [index, fields] of records.entries()) await catalog.recordBackup(backup(index + 1, { finishedAt: NOW - DAY / 2 + index, ...fields }));
  return (await newestGood(catalog, over, NOW))?.backupId;
}

describe('the newest good backup of a plan (M1, P2)', () => {
  it('is the newest that is not corrupted', async () => {
    expect(await newest(plan(), {}, {}, { state: 'corrupted' })).toBe(backupId(2));
    expect(await newest(plan())).toBeUndefined();
  });

  it('has no warnings where the policy does not take them for good', async () => {
    expect(await newest(plan(), {}, { warnings: 1 })).toBe(backupId(2));
    expect(await newest(plan({ warningsAreGood: false }), {}, { warnings: 1 })).toBe(backupId(1));
    expect(await newest(plan({ warningsAreGood: false }), { warnings: 2 })).toBeUndefined();
  });

  it('was read back within a day where the policy wants that (V4)', async () => {
    const old = { finishedAt: NOW - 2 * DAY };
    expect(await newest(plan({ verification: 'full' }), {})).toBe(backupId(1));
    expect(await newest(plan({ verification: 'full' }), { ...old, state: 'validated' }, { ...old, state: 'validating', finishedAt: NOW - 1.5 * DAY })).toBe(backupId(1));
    expect(await newest(plan({ verification: 'full' }), { ...old, state: 'validating' })).toBeUndefined();
  });
});
