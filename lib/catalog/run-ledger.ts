import type { BackupId, RunId } from '../model/ids.ts';
import type { AlertRecord, HealingNote, LedgerRun, OccurrenceRecord, PlanPause, StageProgress } from './ledger-records.ts';
import type { BackupRecord, RunState } from './records.ts';

/**
 * What lives only while running: which occurrence became which run, who waits, who may go, who still lives. Each method
 * is one atomic step and callable again after a lost answer; a refusal is a value, not an error. Times are those of the
 * control plane and come in by argument.
 *
 * A run holds a slot of its vault and one of its plan from `admit` until it ends or is put back. Slots are sets of run
 * ids, never counters: giving back twice frees nothing of somebody else's. Whoever works on a run holds its fencing
 * token, a number that grows with every new holder; a step with an older one changes nothing and answers so. A lease
 * that has ended (`now` at or after `leaseUntil`) is lost: no step of its holder revives it.
 *
 * The runs are also those of `Catalog.listRuns` and `getRun` in the same place; `Catalog.transitionRun` refuses them.
 *
 * Fails as `busy` (retryable) and as `Catalog` does. The contract suite is `test/contract/run-ledger.ts`.
 */
export interface RunLedger {
  /**
   * Writes an occurrence with its run, queued, in one step; the plan of the run becomes known. When the occurrence is
   * there already, nothing is written and `isNew` is false; `runId` is then the one of the first time. The caller whose
   * run id that is gets `isNew` again.
   */
  claimOccurrence(occurrence: OccurrenceRecord, run: LedgerRun): Promise<{ readonly isNew: boolean; readonly runId: RunId }>;
  getOccurrence(key: string): Promise<OccurrenceRecord | undefined>;
  /** The occurrences of a plan whose time is at or after `since`, oldest first; at most 10,000. */
  listOccurrences(planName: string, since: number): Promise<OccurrenceRecord[]>;

  getLedgerRun(runId: RunId): Promise<LedgerRun | undefined>;
  /** Runs that wait for a vault, also those not due yet, soonest `rank` first (enqueue time minus a bonus, so nothing starves), then by id. */
  queue(vault: string, limit: number): Promise<LedgerRun[]>;
  /** All runs that have not ended, in no order: what a reconciler looks at. */
  activeRuns(): Promise<LedgerRun[]>;

  /** `queued → starting`, with both slots, a lease and a new fencing token. The same `holder` is told the same again while it is `starting`. */
  admit(runId: RunId, admission: Admission): Promise<Admitted | Refused>;
  /** Remembers the task that was started for it, also when the worker was faster and has claimed the run. False when it was put back or admitted anew. */
  noteTask(runId: RunId, fence: number, taskArn: string): Promise<boolean>;
  /** `starting → queued`: no capacity now. Gives both slots back, forgets the task, counts one attempt. False when the token is old or it moved on. */
  requeue(runId: RunId, fence: number, until: { readonly notBefore: number; readonly reason: string }): Promise<boolean>;
  /**
   * `starting → running` by the worker, before the lease of its admission has ended; undefined for every caller but the
   * first. Raises the token. `now` becomes `startedAt`. The same `holder` is given the run again while it is `running`.
   */
  claimRun(runId: RunId, lease: ClaimLease): Promise<LedgerRun | undefined>;
  /** Extends the lease of a `running` or `committing` run. False: the lease is lost, stop working. */
  heartbeat(runId: RunId, fence: number, beat: { readonly now: number; readonly leaseUntil: number; readonly progress?: StageProgress }): Promise<boolean>;
  /**
   * `running → committing`, only with the newest token and before the lease has ended. False: do not store the snapshot.
   * The run remembers the backup, for whoever has to look whether it was stored.
   */
  beginCommit(runId: RunId, fence: number, commit: { readonly now: number; readonly leaseUntil: number; readonly backupId: BackupId }): Promise<boolean>;
  /**
   * Ends a run in `to`, gives its slots back and records its backup, in one step. With `fence`, only for its holder;
   * without, for whoever has proved that nobody works on it (`expected` is the state and token that this was judged on).
   * False when it is elsewhere by now, or where `RUN_TRANSITIONS` has no way. Ending it again in the same state is true
   * and writes nothing.
   */
  endRun(runId: RunId, end: RunEnd): Promise<boolean>;

  /** Remembers what became of older backups that this run could heal; the last word counts. False for a run that is not there. */
  noteHealing(runId: RunId, note: HealingNote): Promise<boolean>;

  /** Opens an alert. False when one with this id is open or was opened before (ids name an occasion, so it is told once). */
  openAlert(alert: AlertRecord): Promise<boolean>;
  /** False when it was not open. */
  resolveAlert(alertId: string, at: number): Promise<boolean>;
  /** True for the first caller of a channel alone: who sends it. False for an alert that was never opened. */
  claimDelivery(alertId: string, channel: string, at: number): Promise<boolean>;
  /** Newest first. */
  listAlerts(filter?: { readonly state?: AlertRecord['state']; readonly limit?: number }): Promise<AlertRecord[]>;

  /** A paused plan makes no occurrences; kept beside what the configuration says. */
  setPaused(planName: string, paused: { readonly at: number; readonly by: string } | undefined): Promise<void>;
  /** By name. */
  pausedPlans(): Promise<readonly string[]>;
  /** The same with since when and by whom. */
  pauses(): Promise<readonly PlanPause[]>;
}

export interface Admission {
  readonly now: number;
  readonly leaseUntil: number;
  /** Most runs at once; 1 or more. */
  readonly vaultLimit: number;
  readonly planLimit: number;
  /** Names who asks, so that a lost answer can be asked for again. */
  readonly holder?: string;
}

export interface ClaimLease {
  readonly now: number;
  readonly leaseUntil: number;
  /** Names the worker (its task), so that a lost answer can be asked for again. */
  readonly holder?: string;
}

export interface Admitted {
  readonly isAdmitted: true;
  readonly fence: number;
}

export interface Refused {
  readonly isAdmitted: false;
  /**
   * The first that holds: `not-queued`: somebody else was first, it ended, or it is unknown. `not-due`: its `notBefore`
   * lies ahead. `vault-full`. `plan-busy`.
   */
  readonly reason: 'vault-full' | 'plan-busy' | 'not-due' | 'not-queued';
}

export interface RunEnd {
  readonly to: Extract<RunState, 'completed' | 'warnings' | 'failed' | 'cancelled'>;
  readonly now: number;
  /** This or `expected`; both or neither is `broken-invariant`. */
  readonly fence?: number;
  readonly expected?: { readonly state: RunState; readonly fence: number };
  readonly error?: { readonly code: string; readonly message: string; readonly nextStep?: string };
  /** Of runs that end `completed` or with `warnings`. */
  readonly backup?: BackupRecord;
}
