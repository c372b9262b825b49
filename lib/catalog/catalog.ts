import type { BackupId, RunId } from '../model/ids.ts';
import type { BackupRecord, BackupState, PlanRecord, RestoreRecord, RunRecord, RunState, ValidationRecord } from './records.ts';

/**
 * A cache of the vault for quick answers, plus what lives only while running. Nothing that deletes may rely on it: it
 * may be old, empty or rebuilt. Every method is one atomic step; when it returns, other processes see it.
 *
 * Any method may fail with `damaged` (the cache is broken; the vault is not), `busy` (retryable: another process kept it
 * locked), `unsupported-version`, `permission`, `no-space`. The contract suite is `test/contract/catalog.ts`.
 */
export interface Catalog {
  /** For messages only. */
  readonly description: string;

  /** Writes or replaces. */
  recordPlan(plan: PlanRecord): Promise<void>;
  /** By name. */
  listPlans(): Promise<PlanRecord[]>;

  /** Writes a new run, and its plan when that is unknown. `already-exists` when the id is taken. */
  recordRun(run: RunRecord): Promise<void>;
  /**
   * Moves a run if it is in one of `from`: true when it moved, false when it was elsewhere (somebody else was first).
   * A move that `RUN_TRANSITIONS` does not name is `broken-invariant`, and so is a run that came in by a `RunLedger`,
   * which alone moves it; an unknown run is `not-found`.
   */
  transitionRun(runId: RunId, move: RunMove): Promise<boolean>;
  getRun(runId: RunId): Promise<RunRecord | undefined>;
  /** Newest first. */
  listRuns(filter?: { readonly plan?: string; readonly states?: readonly RunState[]; readonly limit?: number }): Promise<RunRecord[]>;

  /** Writes or replaces a backup, and its plan when that is unknown. Callable twice. */
  recordBackup(backup: BackupRecord): Promise<void>;
  /**
   * By whole id or by the beginning of one, in any case of letters; expired ones too. `not-found` when there is none,
   * `usage` with the candidates in `data.candidates` when several begin so.
   */
  getBackup(idOrPrefix: string): Promise<BackupRecord>;
  /** Newest first by the time of finishing, then by id. Without `states`, all but expired ones. */
  listBackups(filter?: BackupFilter): Promise<BackupPage>;
  /** The newest that is neither corrupted nor expired; of one plan (name or id) when given. */
  latestBackup(plan?: string): Promise<BackupRecord | undefined>;
  /** As `transitionRun`: true when the state was one of `from` (or `from` is absent) and now is `to`. `not-found` when absent. */
  setBackupState(backupId: BackupId, to: BackupState, from?: readonly BackupState[]): Promise<boolean>;

  /** Writes or replaces; does not change the backup's state. */
  recordValidation(validation: ValidationRecord): Promise<void>;
  lastValidation(backupId: BackupId): Promise<ValidationRecord | undefined>;
  /** Newest first. */
  listValidations(filter?: { readonly backupId?: BackupId; readonly limit?: number }): Promise<ValidationRecord[]>;

  /**
   * Writes or replaces: once when it begins, again when it ends. A restore that has ended stays as it is when it is said
   * to be running once more: a task that nobody waits for any more may still speak.
   */
  recordRestore(restore: RestoreRecord): Promise<void>;
  /** Newest first. */
  listRestores(filter?: { readonly backupId?: BackupId; readonly limit?: number }): Promise<RestoreRecord[]>;

  /** Sums over all backups that are not expired. */
  stats(): Promise<CatalogStats>;

  /**
   * Forgets everything, also runs and restores, and takes what a walk of the vault found: all of it or nothing. What a
   * `RunLedger` in the same place still needs stays: runs that have not ended, occurrences, alerts, pauses.
   */
  replaceAll(found: CatalogContents): Promise<void>;

  /** Callable twice; nothing else may be called afterwards. */
  close(): Promise<void>;
}

export interface RunMove {
  readonly from: readonly RunState[];
  readonly to: RunState;
  readonly set?: Partial<Pick<RunRecord, 'startedAt' | 'finishedAt' | 'backupId' | 'processId' | 'error'>>;
}

export interface BackupFilter {
  /** Name or id. */
  readonly plan?: string;
  readonly states?: readonly BackupState[];
  /** At most this many, 1 to 10,000; 1,000 when absent. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly cursor?: string;
}

export interface BackupPage {
  readonly backups: readonly BackupRecord[];
  /** Present when there is more. */
  readonly next?: string;
}

export interface CatalogStats {
  readonly backups: number;
  readonly files: number;
  readonly bytes: number;
  readonly addedBytes: number;
  readonly plans: readonly PlanStats[];
}

export interface PlanStats {
  readonly planId: string;
  readonly planName: string;
  readonly backups: number;
  /** Of the newest backup. */
  readonly latestFinishedAt: number;
  readonly bytes: number;
  readonly addedBytes: number;
}

export interface CatalogContents {
  readonly plans: readonly PlanRecord[];
  readonly backups: readonly BackupRecord[];
  readonly validations: readonly ValidationRecord[];
}
