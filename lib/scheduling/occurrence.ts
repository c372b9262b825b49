import type { OccurrenceRecord } from '../catalog/ledger-records.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import { dueTimeOf } from './due-time.ts';
import type { ScheduledPlan } from './pinned-plan.ts';
import type { Trigger } from './trigger.ts';
import { occurrenceKey } from './trigger.ts';

const MINUTE = 60_000;

/** The moment that a trigger stands for. */
export interface Moment extends Pick<OccurrenceRecord, 'key' | 'trigger' | 'at'> {
  /** Its run may not start before. */
  readonly mayStartAt: number;
}

/**
 * Which occurrence a trigger is; undefined when a schedule fired that the plan does not have (any more). The same
 * trigger, however often and late it is delivered, is the same occurrence.
 */
export async function momentOf(trigger: Trigger, plan: ScheduledPlan, { ledger, now }: { readonly ledger: Pick<RunLedger, 'getOccurrence'>; readonly now: number }): Promise<Moment | undefined> {
  if (trigger.kind === 'manual') return { key: occurrenceKey(plan.name, 'manual', trigger.idempotencyKey), trigger: 'manual', at: now, mayStartAt: now };
  if (trigger.kind === 'event') return { key: await eventKey(trigger, plan, { ledger, now }), trigger: 'event', at: trigger.eventTime ?? now, mayStartAt: now };
  const due = plan.schedule === undefined ? undefined : dueTimeOf(plan.schedule, trigger.scheduledTime ?? now);
  if (due === undefined) return undefined;
  return { key: occurrenceKey(plan.name, 'schedule', due), trigger: trigger.kind, at: due, mayStartAt: Math.max(now, due) };
}

/**
 * A burst is one run (P7): events fall into buckets as long as the collapse window, and the first of a bucket joins the
 * one before it when that began less than a window ago. A plan without a window has one run for each event.
 *
 * ```
 * bucket 1         bucket 2
 * |        e e e e | e e e      |      the second half of the burst joins the first
 * ```
 * Two first events on both sides of an edge at the same instant may become two runs: more than asked, never fewer.
 */
async function eventKey(trigger: Extract<Trigger, { kind: 'event' }>, plan: ScheduledPlan, { ledger, now }: { readonly ledger: Pick<RunLedger, 'getOccurrence'>; readonly now: number }): Promise<string> {
  const collapse = Math.max(0, ...plan.events.map((event) => event.collapseMinutes)) * MINUTE;
  if (collapse === 0) return occurrenceKey(plan.name, 'event', trigger.eventId);
  const at = trigger.eventTime ?? now;
  const bucket = Math.floor(at / collapse) * collapse;
  const before = occurrenceKey(plan.name, 'event', bucket - collapse);
  const began = (await ledger.getOccurrence(before))?.at;
  return began !== undefined && at - began < collapse ? before : occurrenceKey(plan.name, 'event', bucket);
}
