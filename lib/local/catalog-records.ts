import type { BackupRecord, BackupState } from '../catalog/records.ts';
import type { BackupId, PlanId, RunId } from '../model/ids.ts';
import type { Manifest, Verdict } from '../repository/index.ts';

/** The catalog's row of a backup, from what the vault says. */
export function backupRecordOf(manifest: Manifest, state: BackupState): BackupRecord {
  const { statistics } = manifest;
  return {
    backupId: manifest.backup as BackupId,
    planId: manifest.plan as PlanId,
    planName: manifest.planName,
    runId: manifest.run as RunId,
    type: manifest.type,
    state,
    startedAt: Date.parse(manifest.startedAt),
    finishedAt: Date.parse(manifest.finishedAt),
    sequence: manifest.sequence,
    entries: statistics.entries,
    files: statistics.files,
    bytes: statistics.bytes,
    addedBytes: statistics.storedBytes,
    warnings: manifest.warnings.length,
    host: manifest.host,
    source: { type: manifest.source.type, description: manifest.source.description },
    statistics,
  };
}

/** What a standing verdict makes of a backup; `commit` alone says only that it was stored in time. */
export function stateOf(verdict: Verdict | undefined): BackupState {
  if (verdict === undefined) return 'completed';
  if (verdict.result !== 'good') return 'corrupted';
  return verdict.level === 'commit' ? 'completed' : 'validated';
}
