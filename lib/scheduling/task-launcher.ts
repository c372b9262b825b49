import type { LedgerRun } from '../catalog/ledger-records.ts';
import type { PinnedPlan } from './pinned-plan.ts';

/**
 * Starts the task of a run somewhere, such as on ECS. Callable again after a lost answer: the same attempt of a run is
 * the same task (`attemptToken`), however often it is launched, for at least an hour after that task has ended.
 *
 * Fails as `unavailable` when it is unknown whether a task was made (a timeout, a 5xx): the caller launches the same
 * attempt again later. `permission`, `not-found` (no task definition), `config-invalid` will not pass by waiting.
 */
export interface TaskLauncher {
  launch(order: TaskOrder): Promise<Launched | NoCapacity>;
  /** In any order; a task that is not known any more is left out. At most a few hundred. */
  describe(taskArns: readonly string[]): Promise<readonly TaskState[]>;
  /** Asks it to end; `reason` (at most 255 characters) is what `describe` says afterwards. A task that is gone is no error. */
  stop(taskArn: string, reason: string): Promise<void>;
}

export interface TaskOrder {
  readonly run: LedgerRun;
  /** As pinned in the run: name (its family), network, size. */
  readonly plan: PinnedPlan;
  /** Token of the admission; the worker does not need it, it takes its own when it claims the run. */
  readonly fence: number;
}

export interface Launched {
  readonly taskArn: string;
}

/**
 * Certainly no task was made, and waiting may help: capacity, network interfaces, a quota, throttling, whether it came
 * inside an HTTP 200 (`failures`) or as an exception.
 */
export interface NoCapacity {
  readonly noCapacity: string;
}

export interface TaskState {
  readonly taskArn: string;
  readonly status: 'coming' | 'running' | 'stopped';
  /** As ECS says it: `EssentialContainerExited`, `TaskFailedToStart`, `UserInitiated`, ... */
  readonly stopCode?: string;
  /** Of the worker's container; absent when it never ran. */
  readonly exitCode?: number;
  /** What ECS says of the task and of the container, together. */
  readonly reason?: string;
}

/**
 * The client token of RunTask: the run's id, with the number of the attempt after the first was put back, because a token
 * stands for one task, even one that has stopped. At most 64 characters of ASCII, as ECS wants it.
 */
export function attemptToken(run: Pick<LedgerRun, 'runId' | 'attempts'>): string {
  return run.attempts === 0 ? run.runId : `${run.runId}-${run.attempts}`;
}
