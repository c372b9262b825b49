import type { LedgerRun } from '../catalog/ledger-records.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { RunId } from '../model/ids.ts';
import { backOff } from './back-off.ts';
import { failRun } from './end-run.ts';
import type { EndPorts } from './end-run.ts';
import { RUNS_PER_PLAN, STARTING_LEASE } from './order-rules.ts';
import { pinnedPlan } from './pinned-plan.ts';
import type { TaskLauncher } from './task-launcher.ts';
import { windowEnded } from './wait-reasons.ts';

export interface StartPorts extends EndPorts {
  readonly ledger: EndPorts['ledger'] & Pick<RunLedger, 'queue' | 'admit' | 'noteTask' | 'requeue' | 'getLedgerRun'>;
  readonly launcher: Pick<TaskLauncher, 'launch'>;
  /** Most runs at once in a vault; 1 for one that is no longer configured. */
  readonly vaultLimit: (vault: string) => number;
  /** From 0 up to 1. */
  readonly random: () => number;
}

/** How the start of one run went. `unknown`: ECS did not say whether there is a task; it is asked again later. */
export type Start = 'started' | 'waiting' | 'failed' | 'unknown' | 'elsewhere';

/** A vault's queue is looked at so far: what waits behind so many runs of busy plans waits until some have gone. */
const QUEUE_LOOK = 500;

/**
 * Starts what waits for a vault, in the order of the queue, until its places are taken. Runs of a plan that is busy and
 * runs that are not due are passed over; those whose window has ended fail. Any number of callers at once is fine:
 * `admit` lets one through. Answers what became of the runs that were touched.
 */
export async function startQueued(vault: string, ports: StartPorts): Promise<ReadonlyMap<RunId, Start>> {
  const outcomes = new Map<RunId, Start>();
  for (const run of await ports.ledger.queue(vault, QUEUE_LOOK)) {
    const outcome = await startOne(run, ports);
    if (outcome === 'vault-full') break;
    if (outcome !== undefined) outcomes.set(run.runId, outcome);
  }
  return outcomes;
}

async function startOne(run: LedgerRun, ports: StartPorts): Promise<Start | 'vault-full' | undefined> {
  const now = ports.now();
  if (run.startBy <= now) return (await failRun(run, windowEnded(run), ports)) ? 'failed' : 'elsewhere';
  if (run.notBefore > now) return undefined;
  const admission = { now, leaseUntil: now + STARTING_LEASE, vaultLimit: ports.vaultLimit(run.vault), planLimit: RUNS_PER_PLAN };
  const answer = await ports.ledger.admit(run.runId, admission);
  if (!answer.isAdmitted) return answer.reason === 'vault-full' ? 'vault-full' : undefined;
  return launchAdmitted({ ...run, state: 'starting', fence: answer.fence, leaseUntil: admission.leaseUntil }, ports);
}

/**
 * Starts the task of a run that was admitted with `run.fence`, or finds the one that was started for this attempt: dying
 * before or after, and calling this again, makes no second task. An error that waiting does not cure ends the run.
 */
export async function launchAdmitted(run: LedgerRun, ports: StartPorts): Promise<Start> {
  const launched = await ports.launcher.launch({ run, plan: pinnedPlan(run), fence: run.fence }).catch((error: unknown) => refusalOf(error));
  if (launched instanceof HoldfastError) return launched.retryable ? 'unknown' : (await failRun(run, launched, ports)) ? 'failed' : 'elsewhere';
  if ('noCapacity' in launched) return putBack(run, launched.noCapacity, ports);
  // False: it was put back or admitted anew meanwhile; the worker of this task will find that out and leave.
  return (await ports.ledger.noteTask(run.runId, run.fence, launched.taskArn)) ? 'started' : 'elsewhere';
}

/** Back into the queue, after a wait that grows with the attempts. */
export async function putBack(run: LedgerRun, reason: string, ports: Pick<StartPorts, 'now' | 'random'> & { readonly ledger: Pick<RunLedger, 'requeue'> }): Promise<Start> {
  const notBefore = ports.now() + backOff(run.attempts, ports.random);
  return (await ports.ledger.requeue(run.runId, run.fence, { notBefore, reason })) ? 'waiting' : 'elsewhere';
}

function refusalOf(error: unknown): HoldfastError {
  if (isHoldfastError(error)) return error;
  throw error;
}
