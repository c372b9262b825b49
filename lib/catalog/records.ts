import type { BackupId, PlanId, RunId } from '../model/ids.ts';

/** Times are milliseconds since the epoch by the clock of the machine that ran; for people and order, never for deletion. */
export type Milliseconds = number;

/** What the catalog knows of a plan; the plan itself stands in `holdfast.yaml`. */
export interface PlanRecord {
  readonly planId: PlanId;
  readonly name: string;
  /** Retired: no longer in the configuration; its backups and their retention go on. */
  readonly state: 'active' | 'retired';
  readonly source: SourceSummary;
}

export interface SourceSummary {
  readonly type: string;
  /** For people, such as the paths. */
  readonly description: string;
}

export type BackupType = 'full' | 'incremental' | 'differential' | 'snapshot';

export interface RunRecord {
  readonly runId: RunId;
  readonly planId: PlanId;
  readonly planName: string;
  readonly type: BackupType;
  readonly state: RunState;
  readonly queuedAt: Milliseconds;
  readonly startedAt?: Milliseconds;
  readonly finishedAt?: Milliseconds;
  readonly backupId?: BackupId;
  readonly host: string;
  /** Process that works on it, to find runs whose worker died. */
  readonly processId?: number;
  readonly error?: { readonly code: string; readonly message: string; readonly nextStep?: string };
}

/** What each state may become. States without a successor are final. */
export const RUN_TRANSITIONS = {
  queued: ['starting', 'cancelled', 'failed'],
  starting: ['running', 'queued', 'cancelled', 'failed'],
  running: ['committing', 'cancelled', 'failed'],
  committing: ['completed', 'warnings', 'cancelled', 'failed'],
  completed: [],
  warnings: [],
  failed: [],
  cancelled: [],
} as const satisfies Record<string, readonly string[]>;

export type RunState = keyof typeof RUN_TRANSITIONS;

const RUN_STATES = Object.keys(RUN_TRANSITIONS) as readonly RunState[];
export const FINAL_STATES: readonly RunState[] = RUN_STATES.filter((state) => RUN_TRANSITIONS[state].length === 0);
export const ACTIVE_STATES: readonly RunState[] = RUN_STATES.filter((state) => RUN_TRANSITIONS[state].length > 0);

export function mayBecome(from: RunState, to: RunState): boolean {
  return (RUN_TRANSITIONS[from] as readonly RunState[]).includes(to);
}

/** Validating and validated are not final: a later check may find damage, a repair may undo it. */
export const BACKUP_STATES = ['completed', 'validating', 'validated', 'corrupted', 'expired'] as const;
export type BackupState = (typeof BACKUP_STATES)[number];

/** The catalog's row of one backup: a copy of the manifest's figures; everything else is read from the vault. */
export interface BackupRecord {
  readonly backupId: BackupId;
  readonly planId: PlanId;
  readonly planName: string;
  readonly runId: RunId;
  readonly type: BackupType;
  readonly state: BackupState;
  readonly startedAt: Milliseconds;
  readonly finishedAt: Milliseconds;
  /** Position in the plan's chain, from 1. */
  readonly sequence: number;
  readonly entries: number;
  readonly files: number;
  /** Plain bytes of all files. */
  readonly bytes: number;
  /** Bytes that this backup added to the store. */
  readonly addedBytes: number;
  /** How many warnings; the manifest has their words. */
  readonly warnings: number;
  readonly host: string;
  /** Name of its vault, where one catalog serves several. */
  readonly vault?: string;
  readonly source: SourceSummary;
  /** All figures of the manifest, such as new, changed and unchanged files. */
  readonly statistics: Readonly<Record<string, number>>;
}

export interface ValidationRecord {
  readonly validationId: string;
  readonly backupId: BackupId;
  readonly level: 'structure' | 'sample' | 'full';
  readonly result: 'good' | 'corrupted';
  readonly startedAt: Milliseconds;
  readonly finishedAt: Milliseconds;
  readonly bytesRead: number;
  /** One line each; empty when good. */
  readonly problems: readonly string[];
}

export const RESTORE_STAGES = ['checked', 'thawed', 'safety-backup', 'restored', 'validated', 'rolled-back', 'reported'] as const;

/** What people watch while a restore goes on (R3); in the order of `RESTORE_STAGES`, only those that have begun. */
export interface RestoreStage {
  readonly name: (typeof RESTORE_STAGES)[number];
  readonly state: 'running' | 'done' | 'failed';
  readonly startedAt: Milliseconds;
  readonly finishedAt?: Milliseconds;
  readonly doneBytes?: number;
  readonly totalBytes?: number;
}

export interface RestoreRecord {
  readonly restoreId: string;
  readonly backupId: BackupId;
  readonly target: string;
  readonly state: 'running' | 'completed' | 'warnings' | 'failed' | 'cancelled';
  readonly startedAt: Milliseconds;
  readonly finishedAt?: Milliseconds;
  readonly files: number;
  readonly bytes: number;
  readonly error?: { readonly code: string; readonly message: string; readonly nextStep?: string };
  /** Absent: a restore without stages, such as one of files on this machine. */
  readonly stages?: readonly RestoreStage[];
}
