import type { PlanPause } from '../catalog/ledger-records.ts';
import type { BackupRecord } from '../catalog/records.ts';
import { freshUntil } from '../monitoring/freshness.ts';
import { nextOccurrences } from '../scheduling/cron.ts';
import type { DeployedPlan } from '../settings/deployed.ts';
import type { Output } from './output.ts';
import { durationInWords, timeInWords } from './words.ts';

const NEXT = 3;
const HOUR = 60 * 60_000;

/** A plan as it is deployed, and what has become of it. */
export interface PlanStanding {
  readonly plan: DeployedPlan;
  readonly lastGood: Pick<BackupRecord, 'backupId' | 'finishedAt'> | undefined;
  readonly pause: PlanPause | undefined;
}

/** What a paused plan does and does not. Every surface says it in these words. */
export const PAUSED_MEANS = 'It makes no backups: neither by its schedule nor by events nor by hand. Nothing tells that its backups grow old. What is under way or queued goes on; backups that are there stay.';
export const RESUMED_MEANS = 'It runs again at its next time. Times that it missed while it was paused are caught up by one run, within 5 minutes.';

export function nextTimes({ schedule }: Pick<DeployedPlan, 'schedule'>, now: number): number[] {
  return schedule === undefined ? [] : nextOccurrences(schedule, now, NEXT);
}

export function planLines({ plan, lastGood, pause }: PlanStanding, now: number, output: Pick<Output, 'paint'>): string[] {
  const next = nextTimes(plan, now).map((at) => timeInWords(at).slice(0, -3)).join(', ');
  return [
    `${output.paint('bold', plan.name)}  ${scheduleInWords(plan)}`,
    ...(plan.schedule === undefined ? [] : [`  next    ${pause === undefined ? next || 'never: its schedule names no day of the next four years' : `none while it is paused; it would be ${next}`}`]),
    `  last    ${lastInWords(plan, lastGood, { now, isPaused: pause !== undefined }, output)}`,
    ...(pause === undefined ? [] : [`  ${output.paint('yellow', 'paused')}  ${pausedInWords(pause, now)}. ${PAUSED_MEANS}`]),
  ];
}

/** `since 2026-11-21 03:00:00 (2 h 5 min) by somebody`. */
export function pausedInWords({ at, by }: PlanPause, now: number): string {
  return `since ${timeInWords(at)} (${durationInWords(now - at)}) by ${by}`;
}

function scheduleInWords({ schedule, events }: DeployedPlan): string {
  const byEvents = events.length > 0 ? ['by events'] : [];
  if (schedule === undefined) return [...byEvents, 'when asked'].join(' and ');
  const later = schedule.offsetMinutes > 0 ? `, ${schedule.offsetMinutes} min later to spread the load` : '';
  return [`${schedule.cron} ${schedule.timeZone}${later}`, ...byEvents].join(' and ');
}

function lastInWords(plan: DeployedPlan, lastGood: PlanStanding['lastGood'], { now, isPaused }: { readonly now: number; readonly isPaused: boolean }, output: Pick<Output, 'paint'>): string {
  if (lastGood === undefined) return output.paint('yellow', 'there is no good backup yet');
  const ago = `${lastGood.backupId} at ${timeInWords(lastGood.finishedAt)}, ${durationInWords(now - lastGood.finishedAt)} ago`;
  if (plan.schedule === undefined) return ago;
  const until = freshUntil(plan, lastGood.finishedAt);
  const limit = `the limit is ${durationInWords(until - lastGood.finishedAt)}`;
  if (until >= now) return `${ago}; fresh until ${timeInWords(until)} (${limit})`;
  return `${ago}; ${output.paint(isPaused ? 'yellow' : 'red', `too old since ${timeInWords(until)}`)} (${limit})`;
}

export function planJson({ plan, lastGood, pause }: PlanStanding, now: number): object {
  const { name, planId, vault, schedule, events, freshnessHours } = plan;
  const iso = (at: number) => new Date(at).toISOString();
  const until = lastGood === undefined || schedule === undefined ? undefined : freshUntil(plan, lastGood.finishedAt);
  return {
    type: 'schedule', plan: name, planId, vault, schedule: schedule ?? null, events: events.length, next: nextTimes(plan, now).map(iso),
    lastGood: lastGood === undefined ? null : { backup: lastGood.backupId, finishedAt: iso(lastGood.finishedAt) },
    freshnessHours, freshnessLimitHours: freshUntil(plan, 0) / HOUR, ...(until !== undefined && { freshUntil: iso(until), isFresh: until >= now }), paused: pauseJson(pause),
  };
}

export function pauseJson(pause: PlanPause | undefined): { at: string; by: string } | null {
  return pause === undefined ? null : { at: new Date(pause.at).toISOString(), by: pause.by };
}
