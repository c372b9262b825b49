import type { Catalog } from '../catalog/catalog.ts';
import type { BackupRecord } from '../catalog/records.ts';
import { isHoldfastError } from '../model/errors.ts';
import type { BackupId } from '../model/ids.ts';
import { listSnapshots, readManifest, readVerdicts, standingVerdict } from '../repository/index.ts';
import type { Repository } from '../repository/index.ts';
import { backupRecordOf, stateOf } from './catalog-records.ts';

const READERS = 16;

export interface Synchronised {
  readonly added: number;
  readonly expired: number;
  /** Backups that the catalog saw in the vault, and that are gone without a record of their removal: an old state of the vault is served, or somebody deleted them. */
  readonly vanished: readonly string[];
  /** Manifests that do not open; they are no backups until they do. */
  readonly unreadable: readonly string[];
}

/**
 * Makes the catalog name exactly the backups that the vault names: another machine may have written or removed some, or
 * the catalog may be new. Costs one listing of names, and reads only the manifests that the catalog lacks.
 */
export async function synchroniseCatalog(repository: Repository, catalog: Catalog): Promise<Synchronised> {
  const snapshots = new Map((await listSnapshots(repository.store)).map(({ name }) => [name.slice(name.lastIndexOf('/') + 1), name]));
  const known = new Map<string, BackupRecord>();
  for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
    const page = await catalog.listBackups({ limit: 10_000, ...(cursor === undefined ? {} : { cursor }) });
    for (const backup of page.backups) known.set(backup.backupId, backup);
    cursor = page.next;
  }
  const gone = [...known.keys()].filter((id) => !snapshots.has(id));
  const removed = gone.length === 0 ? new Set<string>() : await removedBackups(repository);
  const expired = gone.filter((id) => removed.has(id));
  for (const id of expired) await catalog.setBackupState(id as BackupId, 'expired');
  // It stays in the list, as what cannot be restored: silence would hide it.
  const vanished = gone.filter((id) => !removed.has(id));
  for (const id of vanished) await catalog.setBackupState(id as BackupId, 'corrupted');
  const missing = [...snapshots].filter(([id]) => !known.has(id)).map(([, name]) => name);
  const unreadable: string[] = [];
  let next = 0;
  const reader = async () => {
    while (next < missing.length) await take(missing[next++] as string);
  };
  const take = async (name: string) => {
    const record = await readRecord(repository, name);
    if (record === undefined) unreadable.push(name);
    else await catalog.recordBackup(record);
  };
  await Promise.all(Array.from({ length: Math.min(READERS, missing.length) }, reader));
  return { added: missing.length - unreadable.length, expired: expired.length, vanished, unreadable };
}

async function removedBackups(repository: Repository): Promise<Set<string>> {
  const removed = new Set<string>();
  for await (const { name } of repository.store.list('removed/')) removed.add(name.slice(name.lastIndexOf('/') + 1));
  return removed;
}

async function readRecord(repository: Repository, name: string): Promise<BackupRecord | undefined> {
  try {
    const { manifest } = await readManifest(repository, name);
    return backupRecordOf(manifest, stateOf(standingVerdict(await readVerdicts(repository, manifest.backup))));
  } catch (error) {
    if (isHoldfastError(error, 'damaged') || isHoldfastError(error, 'not-found')) return undefined;
    throw error;
  }
}
