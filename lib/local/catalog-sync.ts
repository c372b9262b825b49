import type { Catalog } from '../catalog/catalog.ts';
import type { BackupRecord } from '../catalog/records.ts';
import { isHoldfastError } from '../model/errors.ts';
import type { BackupId } from '../model/ids.ts';
import { listSnapshots, readManifest, readVerdicts, standingVerdict } from '../repository/index.ts';
import type { Repository } from '../repository/index.ts';
import { commitStanding } from '../retention/void.ts';
import type { ObjectInfo } from '../stores/store.ts';
import { backupRecordOf, stateOf } from '../validation/rebuild-catalog.ts';

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
  const snapshots = new Map((await listSnapshots(repository.store)).map((snapshot) => [snapshot.name.slice(snapshot.name.lastIndexOf('/') + 1), snapshot]));
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
  // Not written down: the vault may be an old copy, and the newest one may come back.
  const vanished = gone.filter((id) => !removed.has(id));
  const missing = [...snapshots].filter(([id]) => !known.has(id)).map(([, snapshot]) => snapshot);
  const unreadable: string[] = [];
  let next = 0;
  const reader = async () => {
    while (next < missing.length) await take(missing[next++] as ObjectInfo);
  };
  const take = async (snapshot: ObjectInfo) => {
    const record = await readRecord(repository, snapshot);
    if (record === undefined) unreadable.push(snapshot.name);
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

async function readRecord(repository: Repository, snapshot: ObjectInfo): Promise<BackupRecord | undefined> {
  try {
    const { manifest } = await readManifest(repository, snapshot.name);
    const verdicts = await readVerdicts(repository, manifest.backup);
    const isVoid = commitStanding(snapshot, manifest, verdicts) === 'void';
    return backupRecordOf(manifest, isVoid ? 'corrupted' : stateOf(standingVerdict(verdicts)));
  } catch (error) {
    if (isHoldfastError(error, 'damaged') || isHoldfastError(error, 'not-found')) return undefined;
    throw error;
  }
}
