import type { BackupRecord } from '../catalog/records.ts';
import { isHoldfastError } from '../model/errors.ts';
import type { BackupId, PlanId } from '../model/ids.ts';
import { names, readManifest, readVerdicts } from '../repository/index.ts';
import type { Repository } from '../repository/index.ts';
import { commitStanding } from '../retention/void.ts';
import { backupRecordOf } from './rebuild-catalog.ts';

/**
 * Whether the commit of a run has arrived, for whoever ends it in its worker's place: the record that its manifest makes.
 * Undefined when there is no snapshot, and when it is void (format §12): stored too late, it is no backup. Writes nothing.
 */
export async function committedBackup(repository: Repository, { planId, backupId }: { readonly planId: PlanId; readonly backupId: BackupId }): Promise<BackupRecord | undefined> {
  const name = names.snapshot(planId, backupId);
  try {
    const snapshot = await repository.store.stat(name);
    const { manifest } = await readManifest(repository, name);
    const standing = commitStanding(snapshot, manifest, await readVerdicts(repository, backupId));
    return standing === 'void' ? undefined : backupRecordOf(manifest, 'completed');
  } catch (error) {
    if (isHoldfastError(error, 'not-found')) return undefined;
    throw error;
  }
}
