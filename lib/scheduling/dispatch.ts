import type { LedgerRun } from '../catalog/ledger-records.ts';
import type { BackupRecord } from '../catalog/records.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import type { PlanId, RunId } from '../model/ids.ts';
import { momentOf } from './occurrence.ts';
import type { Moment } from './occurrence.ts';
import { rankOf, windowsOf } from './order-rules.ts';
import type { ScheduledPlan } from './pinned-plan.ts';
import { launchAdmitted, startQueued } from './start-queued.ts';
import type { Start, StartPorts } from './start-queued.ts';
import { taskSizeFor } from './task-size.ts';
import type { Trigger } from './trigger.ts';

export interface DispatchPorts extends StartPorts {
  readonly ledger: StartPorts['ledger'] & Pick<RunLedger, 'claimOccurrence' | 'getOccurrence' | 'pausedPlans'>;
  /** Plans of the deployed configuration; whole, for they are pinned into runs. */
  readonly plans: readonly ScheduledPlan[];
  readonly configHash: string;
  /** Names of plans that have backups but are no longer configured. */
  readonly retiredPlans: () => Promise<readonly string[]>;
  /** The last few backups of a plan, newest first. */
  readonly lastBackups: (planName: string) => Promise<readonly Pick<BackupRecord, 'bytes'>[]>;
  readonly newRunId: (now: number) => RunId;
}

/** A refusal is an answer: a schedule that fires for a paused plan must not be tried again for an hour. */
export type Dispatched =
  | { readonly outcome: 'refused'; readonly reason: string; readonly nextStep: string }
  /** `isNew` false: the occurrence had its run already; it was helped along where it had stopped. */
  | { readonly outcome: 'accepted'; readonly runId: RunId; readonly occurrence: string; readonly isNew: boolean; readonly start: Start };

/**
 * Turns a trigger into exactly one run, and starts it when there is a place.
 *
 * 1. The occurrence and its run are written in one step, with the plan pinned: dying before, nothing has happened and
 *    the trigger comes again; dying after, the monitor finds the run.
 * 2. `admit` gives it the places of vault and plan and a lease: dying after, the monitor launches it.
 * 3. The task is launched under a token that stands for this attempt: dying after, launching again is the same task.
 * 4. The task is noted. The worker claims the run; a second task would find it taken and leave.
 */
export async function dispatchOccurrence(trigger: Trigger, ports: DispatchPorts): Promise<Dispatched> {
  const plan = ports.plans.find(({ name }) => name === trigger.plan);
  if (plan === undefined) return refuseUnknown(trigger.plan, ports);
  if ((await ports.ledger.pausedPlans()).includes(plan.name)) {
    return { outcome: 'refused', reason: `Plan ${plan.name} is paused.`, nextStep: `Resume plan ${plan.name} with \`holdfast schedules resume ${plan.name} --aws STACK\`; until then it makes no backups.` };
  }
  const moment = await momentOf(trigger, plan, { ledger: ports.ledger, now: ports.now() });
  if (moment === undefined) {
    return { outcome: 'refused', reason: `Plan ${plan.name} has no schedule.`, nextStep: 'Deploy the stack again: a schedule of an earlier configuration still fires.' };
  }
  const type = trigger.kind === 'manual' && trigger.type === 'full' ? 'full' : 'incremental';
  const claimed = await claim({ ...moment, type }, plan, ports);
  return { outcome: 'accepted', ...claimed, occurrence: moment.key, start: await start(claimed.runId, plan.vault, ports) };
}

async function refuseUnknown(name: string, { retiredPlans, plans }: DispatchPorts): Promise<Dispatched> {
  if ((await retiredPlans()).includes(name)) {
    return { outcome: 'refused', reason: `Plan ${name} is retired: it is no longer configured, its backups are kept.`, nextStep: 'Put it back into holdfast.yaml and deploy, or remove what still starts it.' };
  }
  return { outcome: 'refused', reason: `There is no plan ${name}.`, nextStep: plans.length === 0 ? 'Add a plan to holdfast.yaml and deploy.' : `Choose one of ${plans.map((plan) => plan.name).join(', ')}.` };
}

/** What is to be run, and how much of it is read again. */
type Wanted = Moment & Pick<LedgerRun, 'type'>;

async function claim(moment: Wanted, plan: ScheduledPlan, ports: DispatchPorts): Promise<{ readonly runId: RunId; readonly isNew: boolean }> {
  // The usual second delivery ends here, without asking for the sizes of earlier backups.
  const known = await ports.ledger.getOccurrence(moment.key);
  if (known !== undefined) return { runId: known.runId, isNew: false };
  const run = await orderRun(moment, plan, ports);
  const { key, trigger, at } = moment;
  return ports.ledger.claimOccurrence({ key, planName: plan.name, trigger, at, runId: run.runId, claimedAt: run.queuedAt }, run);
}

async function orderRun(moment: Wanted, plan: ScheduledPlan, ports: DispatchPorts): Promise<LedgerRun> {
  const now = ports.now();
  const task = taskSizeFor(plan.task, await ports.lastBackups(plan.name));
  return {
    runId: ports.newRunId(now),
    planId: plan.planId as PlanId,
    planName: plan.name,
    type: moment.type,
    state: 'queued',
    queuedAt: now,
    host: 'fargate',
    vault: plan.vault,
    occurrence: moment.key,
    rank: rankOf(plan.policy, now),
    notBefore: moment.mayStartAt,
    ...windowsOf(plan, moment.mayStartAt),
    attempts: 0,
    fence: 0,
    // Pinned with the size of its task: launching it again must ask for the same, or ECS answers with a conflict.
    order: JSON.stringify({ ...plan, task }),
    configHash: ports.configHash,
  };
}

/** Helps the run along from wherever it stands, and everybody that waits before it. */
async function start(runId: RunId, vault: string, ports: DispatchPorts): Promise<Start> {
  const run = await ports.ledger.getLedgerRun(runId);
  if (run?.state === 'starting' && run.taskArn === undefined && ports.now() < (run.leaseUntil ?? 0)) return launchAdmitted(run, ports);
  if (run?.state !== 'queued') return 'elsewhere';
  return (await startQueued(vault, ports)).get(runId) ?? 'waiting';
}
