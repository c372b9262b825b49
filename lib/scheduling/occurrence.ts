import type { OccurrenceRecord } from '../catalog/ledger-records.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import type { RunId } from '../model/ids.ts';
import { dueTimeOf } from './due-time.ts';
import type { ScheduledPlan } from './pinned-plan.ts';
import type { Trigger } from './trigger.ts';
import { occurrenceKey } from './trigger.ts';

const MINUTE = 60_000;
/** EventBridge cuts the time of an event to seconds, and its clock is not that of the table. */
const COARSE = 5000;
/** States of runs whose worker has not claimed them: nothing has been read. */
const NOT_BEGUN: ReadonlySet<string> = new Set(['queued', 'starting']);

/** The moment that a trigger stands for. */
export interface Moment extends Pick<OccurrenceRecord, 'key' | 'trigger' | 'at'> {
  /** Its run may not start before. */
  readonly mayStartAt: number;
}

/** What says which runs there are already. */
export interface MomentPorts {
  readonly ledger: Pick<RunLedger, 'getOccurrence' | 'getLedgerRun'>;
  readonly now: number;
}

/**
 * Which occurrence a trigger is; undefined when a schedule fired that the plan does not have (any more). The same
 * trigger, however often and late it is delivered, is the same occurrence.
 */
export async function momentOf(trigger: Trigger, plan: ScheduledPlan, ports: MomentPorts): Promise<Moment | undefined> {
  const { now } = ports;
  if (trigger.kind === 'manual') return { key: occurrenceKey(plan.name, 'manual', trigger.idempotencyKey), trigger: 'manual', at: now, mayStartAt: now };
  if (trigger.kind === 'event') return { trigger: 'event', ...(await eventMoment(trigger, plan, ports)) };
  const due = plan.schedule === undefined ? undefined : dueTimeOf(plan.schedule, trigger.scheduledTime ?? now);
  if (due === undefined) return undefined;
  return { key: occurrenceKey(plan.name, 'schedule', due), trigger: trigger.kind, at: due, mayStartAt: Math.max(now, due) };
}

/**
 * A burst is one run, or two (P7): events fall into buckets as long as the collapse window, and the first of a bucket
 * joins the one before it when that began less than a window ago. A plan without a window has one run for each event.
 *
 * The first event starts a run at once. What changes after that run has begun to read may be missing from it: such an
 * event asks for the burst's second run, `<burst>/again`, which starts when the window has ended and so has everything.
 *
 * ```
 * bucket 1         bucket 2
 * |        e e e e | e e e      |      the second half of the burst joins the first
 *          ^ run .. reads  ^ again, a window after the first e
 * ```
 * Two first events on both sides of an edge at the same instant may become two bursts: more than asked, never fewer.
 */
async function eventMoment(trigger: Extract<Trigger, { kind: 'event' }>, plan: ScheduledPlan, ports: MomentPorts): Promise<Omit<Moment, 'trigger'>> {
  const { ledger, now } = ports;
  const collapse = Math.max(0, ...plan.events.map((event) => event.collapseMinutes)) * MINUTE;
  const at = trigger.eventTime ?? now;
  if (collapse === 0) return { key: occurrenceKey(plan.name, 'event', trigger.eventId), at, mayStartAt: now };
  const bucket = Math.floor(at / collapse) * collapse;
  const before = await ledger.getOccurrence(occurrenceKey(plan.name, 'event', bucket - collapse));
  const key = occurrenceKey(plan.name, 'event', bucket);
  const burst = before !== undefined && at - before.at < collapse ? before : await ledger.getOccurrence(key);
  if (burst === undefined) return { key, at, mayStartAt: now };
  if (await willRead(burst.runId, at, ledger)) return { key: burst.key, at, mayStartAt: now };
  return { key: `${burst.key}/again`, at, mayStartAt: Math.max(now, burst.at + collapse) };
}

/**
 * Whether a run reads its source after `at`: it has not begun, or began later; the second delivery of the first event
 * asks for nothing new. A run that ended without having begun reads nothing.
 */
async function willRead(runId: RunId, at: number, ledger: MomentPorts['ledger']): Promise<boolean> {
  const run = await ledger.getLedgerRun(runId);
  if (run === undefined) return false;
  return run.startedAt === undefined ? NOT_BEGUN.has(run.state) : at + COARSE <= run.startedAt;
}
