import type { LedgerRun } from '../catalog/ledger-records.ts';
import type { BackupRecord } from '../catalog/records.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import { isHoldfastError } from '../model/errors.ts';
import type { HoldfastError } from '../model/errors.ts';
import type { RunId } from '../model/ids.ts';
import { completeRun, failRun, tellEnd } from './end-run.ts';
import type { EndPorts } from './end-run.ts';
import { judge, judgeUnseen } from './judge.ts';
import type { Verdict } from './judge.ts';
import { launchAdmitted, putBack } from './start-queued.ts';
import type { StartPorts } from './start-queued.ts';
import type { TaskLauncher, TaskState } from './task-launcher.ts';

/**
 * The record of the snapshot that a run was about to store, read from its vault; undefined when it is not there. An
 * error that is answered, not thrown: nobody can look, now or later, for this reason.
 */
export type SnapshotLook = (run: LedgerRun) => Promise<BackupRecord | HoldfastError | undefined>;

export interface ReconcilePorts extends EndPorts {
  readonly ledger: EndPorts['ledger'] & Pick<RunLedger, 'activeRuns' | 'getLedgerRun' | 'requeue'>;
  readonly launcher: Pick<TaskLauncher, 'describe' | 'stop'>;
  readonly random: () => number;
  readonly snapshotExists: SnapshotLook;
  /** What launching takes; absent where a function may not: the monitor does it. */
  readonly start?: StartPorts;
}

/** What was done about a run. `told`: its worker had ended it as failed; the alert was opened. */
export type Reconciled = Verdict['do'] | 'completed' | 'moved-on' | 'told';

export interface Reconciliation {
  readonly done: ReadonlyMap<RunId, Reconciled>;
  /** Of runs that could not be looked after this time; the others were. */
  readonly errors: readonly HoldfastError[];
}

/** Looks after every run that has not ended: what its task and its lease prove is carried out. Two at once is fine. */
export async function reconcileAll(ports: ReconcilePorts): Promise<Reconciliation> {
  const runs = await ports.ledger.activeRuns();
  const tasks = await describe(runs, ports);
  const done = new Map<RunId, Reconciled>();
  const errors: HoldfastError[] = [];
  for (const run of runs) {
    try {
      done.set(run.runId, await reconcileRun(run, run.taskArn === undefined ? undefined : tasks.get(run.taskArn), ports));
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      errors.push(error);
    }
  }
  return { done, errors };
}

/** The same for the one run of a task that ECS says has stopped; undefined when there is nothing of it to look after. */
export async function taskStopped(runId: RunId, task: TaskState, ports: ReconcilePorts): Promise<Reconciled | undefined> {
  const run = await ports.ledger.getLedgerRun(runId);
  if (run === undefined) return undefined;
  // A task of an earlier attempt, or one that came second, says nothing of the one that works.
  if (run.taskArn !== undefined && run.taskArn !== task.taskArn) return 'nothing';
  if (await tellEnd(run, ports)) return 'told';
  return reconcileRun(run, task, ports);
}

/** `run` is judged as it was read: when it has moved on since, every step below changes nothing and says so. */
export async function reconcileRun(run: LedgerRun, task: TaskState | undefined, ports: ReconcilePorts): Promise<Reconciled> {
  return carryOut(judge(run, { now: ports.now(), ...(task !== undefined && { task }) }), run, ports);
}

async function carryOut(verdict: Verdict, run: LedgerRun, ports: ReconcilePorts): Promise<Reconciled> {
  switch (verdict.do) {
    case 'nothing':
      return 'nothing';
    case 'launch':
      if (ports.start !== undefined) await launchAdmitted(run, ports.start);
      return 'launch';
    case 'requeue':
      return (await putBack(run, verdict.reason, ports)) === 'waiting' ? 'requeue' : 'moved-on';
    case 'stop':
      await ports.launcher.stop(run.taskArn ?? '', verdict.reason);
      return 'stop';
    case 'fail': {
      const isEnded = await failRun(run, verdict.error, ports);
      if (isEnded && verdict.stop && run.taskArn !== undefined) await ports.launcher.stop(run.taskArn, 'Holdfast: its run was ended, its lease is over');
      return isEnded ? 'fail' : 'moved-on';
    }
    case 'look-at-vault': {
      const seen = await ports.snapshotExists(run);
      if (seen === undefined) return carryOut(verdict.otherwise, run, ports);
      if (isHoldfastError(seen)) return carryOut(judgeUnseen(run, verdict.otherwise, { error: seen, now: ports.now() }), run, ports);
      return (await completeRun(run, seen, ports)) ? 'completed' : 'moved-on';
    }
  }
}

async function describe(runs: readonly LedgerRun[], { launcher }: ReconcilePorts): Promise<ReadonlyMap<string, TaskState>> {
  const arns = runs.flatMap(({ taskArn }) => taskArn ?? []);
  if (arns.length === 0) return new Map();
  return new Map((await launcher.describe(arns)).map((task) => [task.taskArn, task]));
}
