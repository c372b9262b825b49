import type { RunLedger } from '../catalog/run-ledger.ts';
import { latestOccurrence, occurrencesBetween } from './cron.ts';
import type { ScheduledPlan } from './pinned-plan.ts';
import { occurrenceKey } from './trigger.ts';

const MINUTE = 60_000;

/** What nobody has claimed so long after it was due has been lost: Scheduler comes within a minute. */
export const CLAIM_PATIENCE = 10 * MINUTE;
/** As many missed times are counted, for the note. */
const COUNTED_DAYS = 40;

export interface Missed {
  readonly planName: string;
  /** The latest time that was due: the one that is caught up. */
  readonly dueAt: number;
  /** How many times were missed with it since the last that was claimed or the deployment; 1 or more. */
  readonly missed: number;
}

/**
 * The run that a plan has missed: lost events, times that Scheduler skips at the DST edge (EventBridge Scheduler runs no
 * skipped clock time, and a repeated one once), an outage. However many were missed, one run makes up for them: the
 * latest time that was due, unless that one, or one after it, is claimed. What was due before the configuration came
 * into force is not missed.
 */
export async function missedRun(plan: ScheduledPlan, ledger: Pick<RunLedger, 'getOccurrence' | 'listOccurrences'>, { now, since }: { readonly now: number; readonly since: number }): Promise<Missed | undefined> {
  const { schedule } = plan;
  if (schedule === undefined) return undefined;
  const dueAt = latestOccurrence(schedule, now - CLAIM_PATIENCE);
  if (dueAt === undefined || dueAt < since) return undefined;
  if ((await ledger.getOccurrence(occurrenceKey(plan.name, 'schedule', dueAt))) !== undefined) return undefined;
  const start = Math.max(since, dueAt - COUNTED_DAYS * 24 * 60 * MINUTE);
  const claimed = (await ledger.listOccurrences(plan.name, start)).filter(({ trigger }) => trigger === 'schedule' || trigger === 'catch-up');
  const last = claimed.at(-1)?.at;
  if (last !== undefined && last > dueAt) return undefined;
  return { planName: plan.name, dueAt, missed: occurrencesBetween(schedule, last === undefined ? start : last + 1, dueAt + 1).length };
}
