import type { BackupId } from '../../lib/model/ids.ts';
import { committedBackup } from '../../lib/validation/committed-backup.ts';
import { SMALL_PLAN, SmallBackups } from '../support/small-backup.ts';
import { memoryVault } from '../support/vault.ts';

const HOUR = 3_600_000;

async function stored({ lateMs }: { readonly lateMs: number }) {
  const { repository, store, clock } = memoryVault();
  const backups = new SmallBackups(repository);
  const backupId = (await backups.make(['one'])) as BackupId;
  const name = backups.snapshot(backupId);
  const bytes = await store.get(name);
  await store.remove(name);
  clock.advance(lateMs);
  await store.put(name, bytes);
  return { repository, store, order: { planId: SMALL_PLAN, backupId } };
}

describe('the commit of a run, as its vault tells of it', () => {
  it('is the record that the manifest makes', async () => {
    const { repository, order } = await stored({ lateMs: 60_000 });
    expect(await committedBackup(repository, order)).toMatchObject({ ...order, state: 'completed', files: expect.any(Number) });
  });

  it('has not arrived when there is no snapshot', async () => {
    const { repository, order } = await stored({ lateMs: 0 });
    expect(await committedBackup(repository, { ...order, backupId: '01K00000000000000000000000' as BackupId })).toBeUndefined();
  });

  it('counts for nothing when it came after the hour: a void snapshot is never called good', async () => {
    const { repository, store, order } = await stored({ lateMs: 2 * HOUR });
    expect(await committedBackup(repository, order)).toBeUndefined();
    expect((await Array.fromAsync(store.list('verdicts/'))).length).toBe(0);
  });
});
