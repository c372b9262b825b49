import type { LedgerRun } from '../catalog/ledger-records.ts';
import { HoldfastError } from '../model/errors.ts';
import { STARTING_LEASE } from './order-rules.ts';
import { mayBeStartedAgain, stopError } from './stop-reasons.ts';
import type { TaskState } from './task-launcher.ts';
import { windowEnded } from './wait-reasons.ts';

const MINUTE = 60_000;
/** A dispatch that has not noted a task by then is thought dead; launching again is the same task if it is not. */
export const DISPATCH_PATIENCE = 2 * MINUTE;
/** The worker stops itself at its maximum duration; this much later it is stopped. */
export const STOP_GRACE = 5 * MINUTE;
/** A task that was told to stop is gone after 2 minutes; a commit whose task is still there then is judged anyway. */
export const COMMIT_PATIENCE = 10 * MINUTE;

/** What is to be done about a run. */
export type Verdict =
  | { readonly do: 'nothing' }
  /** Its dispatch died before the task was known. */
  | { readonly do: 'launch' }
  | { readonly do: 'requeue'; readonly reason: string }
  /** `stop`: the task is still there; it can no longer commit, but costs. */
  | { readonly do: 'fail'; readonly error: HoldfastError; readonly stop: boolean }
  | { readonly do: 'stop'; readonly reason: string }
  /** The snapshot may have been stored. `otherwise`: what to do when it was not. */
  | { readonly do: 'look-at-vault'; readonly otherwise: Verdict };

export interface Evidence {
  readonly now: number;
  /** Of `run.taskArn`; absent when none is noted, or ECS does not know it (yet, or any more). */
  readonly task?: TaskState;
}

const NOTHING: Verdict = { do: 'nothing' };

/**
 * Pure: what the evidence proves about a run that has not ended. Only two things prove a worker dead: its task has
 * stopped, or its lease has ended (then it cannot commit any more, dead or not). An exit code of 0 proves nothing while
 * the lease lasts: it is also what a second task says that found the run taken.
 *
 * ```
 * claim ──── heartbeats every 30 s ──── last ─── lease ends 3 min later ─── monitor within 5 min: failed
 *                                         └── task stops: event within a minute: failed
 * ```
 */
export function judge(run: LedgerRun, evidence: Evidence): Verdict {
  return JUDGES[run.state]?.(run, evidence) ?? NOTHING;
}

const JUDGES: { readonly [S in LedgerRun['state']]?: (run: LedgerRun, evidence: Evidence) => Verdict } = {
  queued: (run, { now }) => (run.startBy <= now ? fail(windowEnded(run)) : NOTHING),
  starting: judgeStarting,
  running: judgeRunning,
  committing: judgeCommitting,
};

function judgeStarting(run: LedgerRun, { now, task }: Evidence): Verdict {
  // Had its worker claimed the run, it would not be starting: whatever the exit code, nobody works on it.
  if (task?.status === 'stopped') return mayBeStartedAgain(task) ? requeueOrFail(run, task, now) : fail(stopError(task));
  if (hasLease(run, now)) return run.taskArn === undefined && isAdmittedLongAgo(run, now) ? { do: 'launch' } : NOTHING;
  return fail(neverCame(run), task !== undefined);
}

function judgeRunning(run: LedgerRun, { now, task }: Evidence): Verdict {
  const isStopped = task?.status === 'stopped';
  if (isStopped && (task.exitCode !== 0 || !hasLease(run, now))) return fail(stopError(task));
  if (!hasLease(run, now)) return fail(silent(run), run.taskArn !== undefined && !isStopped);
  return isOverdue(run, now) && run.taskArn !== undefined && !isStopped ? { do: 'stop', reason: `Holdfast: past the maximum duration of plan ${run.planName}` } : NOTHING;
}

function judgeCommitting(run: LedgerRun, { now, task }: Evidence): Verdict {
  const isStopped = task?.status === 'stopped';
  if (!isStopped && hasLease(run, now)) return NOTHING;
  const error = isStopped && task.exitCode !== 0 ? stopError(task) : silent(run);
  const isStillThere = task !== undefined && !isStopped && now < (run.leaseUntil ?? 0) + COMMIT_PATIENCE;
  const otherwise: Verdict = isStillThere ? { do: 'stop', reason: 'Holdfast: lost its lease while committing' } : fail(error);
  return { do: 'look-at-vault', otherwise };
}

/**
 * What is to be done about a commit when nobody can look whether its snapshot was stored: it is waited for as long as its
 * worker or an earlier configuration may still say so, then it ends.
 */
export function judgeUnseen(run: LedgerRun, otherwise: Verdict, { error, now }: { readonly error: HoldfastError; readonly now: number }): Verdict {
  if (now >= (run.leaseUntil ?? 0) + COMMIT_PATIENCE) return fail(error, otherwise.do === 'stop');
  return otherwise.do === 'stop' ? otherwise : NOTHING;
}

/** Why a commit cannot be looked for. */
export function vaultGone({ vault, planName }: Pick<LedgerRun, 'vault' | 'planName'>): HoldfastError {
  return new HoldfastError('vault-not-found', `The vault ${vault} was removed from holdfast.yaml while a run of plan ${planName} stored its backup there; whether it was stored cannot be seen.`, {
    nextStep: `To have its backups, put the vault ${vault} back into holdfast.yaml, deploy, and run \`holdfast catalog rebuild --aws STACK\`. Otherwise start plan ${planName} again for a backup in its new vault.`,
  });
}

function requeueOrFail(run: LedgerRun, task: TaskState, now: number): Verdict {
  return run.startBy > now ? { do: 'requeue', reason: task.reason ?? 'the task was not started' } : fail(windowEnded({ ...run, waitingFor: task.reason ?? '' }));
}

function hasLease(run: LedgerRun, now: number): boolean {
  return now < (run.leaseUntil ?? 0);
}

function isAdmittedLongAgo(run: LedgerRun, now: number): boolean {
  return now >= (run.leaseUntil ?? 0) - STARTING_LEASE + DISPATCH_PATIENCE;
}

function isOverdue(run: LedgerRun, now: number): boolean {
  return run.stopBy !== undefined && now >= run.stopBy + STOP_GRACE;
}

function fail(error: HoldfastError, stop = false): Verdict {
  return { do: 'fail', error, stop };
}

function neverCame(run: LedgerRun): HoldfastError {
  return new HoldfastError('unavailable', `The task of plan ${run.planName} did not begin its work within ${STARTING_LEASE / MINUTE} minutes.`, {
    nextStep: 'Look at the task in ECS: most often the image cannot be pulled or the network of the plan does not reach DynamoDB. Then start the plan again.',
    retryable: false,
  });
}

function silent(run: LedgerRun): HoldfastError {
  const seen = run.leaseUntil === undefined ? '' : ` since ${new Date(run.leaseUntil).toISOString()}`;
  return new HoldfastError('interrupted', `The worker of plan ${run.planName} has not been heard${seen}; it died or was cut off.`, {
    nextStep: 'The next run reuses what is stored. Read the log of the task when it happens again.',
  });
}
