import type { RunId } from '../model/ids.ts';
import type { Milliseconds, RunRecord } from './records.ts';

/** One moment at which a plan was to run, and the run that it became. */
export interface OccurrenceRecord {
  /** `<plan>/schedule/<ISO time>`, `<plan>/event/<id or time>` (`/again`: the burst's second run), `<plan>/manual/<idempotency key>`. */
  readonly key: string;
  readonly planName: string;
  readonly trigger: 'schedule' | 'event' | 'manual' | 'catch-up';
  /** When it was due; for events and people, when it came. */
  readonly at: Milliseconds;
  readonly runId: RunId;
  readonly claimedAt: Milliseconds;
}

/** A run with everything that its way through queue, task and commit needs. */
export interface LedgerRun extends RunRecord {
  readonly vault: string;
  readonly occurrence: string;
  /** Place in the queue: enqueue time minus the bonus of its service level. */
  readonly rank: number;
  /** Not to be admitted before; moved ahead by back-off. */
  readonly notBefore: Milliseconds;
  /** End of its start window: not started by then, it fails. */
  readonly startBy: Milliseconds;
  /** Refused starts so far. */
  readonly attempts: number;
  /** Why it was put back last. */
  readonly waitingFor?: string;
  /** Grows with every holder; 0 before the first admission. */
  readonly fence: number;
  /** Of `starting`, `running`, `committing`. */
  readonly leaseUntil?: Milliseconds;
  /** After this the worker is told to stop. */
  readonly stopBy?: Milliseconds;
  readonly taskArn?: string;
  readonly progress?: StageProgress;
  readonly healing?: HealingNote;
  /** The plan as it was when the occurrence was claimed, pinned: JSON of `DeployedPlan`. */
  readonly order: string;
  readonly configHash: string;
}

export interface StageProgress {
  readonly stage: string;
  readonly doneBytes: number;
  readonly totalBytes?: number;
}

/** What became of older backups of its vault that were not whole when the run ended (V1). */
export interface HealingNote {
  /** `due`: the task that reads its backup back heals what can be healed. `healed`: nothing is left. `open`: somebody has to act. */
  readonly state: 'due' | 'healed' | 'open';
  readonly message: string;
  readonly nextStep?: string;
}

export interface PlanPause {
  readonly planName: string;
  readonly at: Milliseconds;
  /** Who paused it, as they are called on their machine. */
  readonly by: string;
}

export const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'] as const;
export type Severity = (typeof SEVERITIES)[number];
export const ALERT_KINDS = ['backup-failed', 'backup-delayed', 'wal-late', 'not-resumed', 'corruption-detected', 'storage-full', 'compliance-violation', 'recovery-failed', 'control-plane'] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

/** Opened once, resolved by itself, kept. */
export interface AlertRecord {
  /** Names the occasion: `backup-failed/<run id>`, `backup-delayed/<plan>/<due time>`, `wal-late/<plan>/<since>`, `not-resumed/<plan>/<run id>`. */
  readonly alertId: string;
  readonly kind: AlertKind;
  readonly severity: Severity;
  readonly state: 'open' | 'resolved';
  /** One line. */
  readonly title: string;
  /** What failed, what was seen, what was wanted. Never a secret. */
  readonly message: string;
  /** What to do now. */
  readonly nextStep: string;
  readonly planName?: string;
  readonly runId?: RunId;
  readonly openedAt: Milliseconds;
  readonly resolvedAt?: Milliseconds;
  /** Channels whose delivery was claimed, as `listAlerts` answers; ignored by `openAlert`. A message that nobody claims is told again. */
  readonly delivered?: readonly string[];
}
