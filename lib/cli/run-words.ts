import type { LedgerRun } from '../catalog/ledger-records.ts';
import type { RunRecord } from '../catalog/records.ts';
import { progressLine } from './progress.ts';
import { counted, durationInWords, timeInWords } from './words.ts';

/** A run of this machine, or one of a stack with everything that its ledger knows. */
export type KnownRun = RunRecord & Partial<LedgerRun>;

export interface Seen {
  readonly now: number;
  /** All runs of the stack that have not ended. */
  readonly active: readonly LedgerRun[];
}

const TRIGGERS: Readonly<Record<string, string>> = { schedule: 'schedule', 'catch-up': 'caught up', event: 'event', manual: 'by hand' };
const AT_WORK: ReadonlySet<string> = new Set(['starting', 'running', 'committing']);

/** `schedule 2026-11-21 03:00`, `event`, `by hand`. Runs without a ledger are those that somebody started here. */
export function triggerInWords({ occurrence, planName }: Pick<KnownRun, 'occurrence' | 'planName'>, trigger?: string): string {
  const [kind, what] = (occurrence ?? `${planName}/manual/`).slice(planName.length + 1).split('/');
  const word = TRIGGERS[trigger ?? kind ?? ''] ?? kind ?? '';
  const due = kind === 'schedule' ? Date.parse(what ?? '') : NaN;
  return Number.isNaN(due) ? word : `${word} ${timeInWords(due).slice(0, -3)}`;
}

/** How far a run is or what it waits for; undefined for one that has ended. */
export function standing(run: KnownRun, seen: Seen): string | undefined {
  if (isSilent(run, seen.now)) return `nothing was heard of its task since its lease ended at ${timeInWords(run.leaseUntil ?? 0)}; the monitor ends it within minutes`;
  if (run.state === 'queued') return `waits for ${waitsFor(run, seen)}${run.startBy === undefined ? '' : `; fails when it has not started by ${timeInWords(run.startBy)}`}`;
  if (run.state === 'starting') return 'its task is being started';
  if (!AT_WORK.has(run.state)) return undefined;
  const { progress } = run;
  if (progress === undefined) return `at work for ${durationInWords(tookMilliseconds(run, seen.now) ?? 0)}`;
  return progressLine({ phase: progress.stage, bytes: progress.doneBytes, totalBytes: progress.totalBytes }, tookMilliseconds(run, seen.now) ?? 0);
}

/** Its worker extends the lease every 30 seconds while it lives. */
export function isSilent({ state, leaseUntil }: KnownRun, now: number): boolean {
  return AT_WORK.has(state) && leaseUntil !== undefined && leaseUntil <= now;
}

/** From its start to its end, or until now. */
export function tookMilliseconds({ startedAt, finishedAt }: KnownRun, now: number): number | undefined {
  return startedAt === undefined ? undefined : (finishedAt ?? now) - startedAt;
}

/** From being asked for to being started; until it ended without, or until now. */
export function waitedMilliseconds({ queuedAt, startedAt, finishedAt }: KnownRun, now: number): number {
  return (startedAt ?? finishedAt ?? now) - queuedAt;
}

/** By the rate since its start; undefined where there is no telling. */
export function etaMilliseconds(run: KnownRun, now: number): number | undefined {
  const { doneBytes = 0, totalBytes } = run.progress ?? {};
  const took = tookMilliseconds(run, now);
  if (totalBytes === undefined || totalBytes < doneBytes || doneBytes === 0 || took === undefined || !AT_WORK.has(run.state)) return undefined;
  return Math.round(((totalBytes - doneBytes) / doneBytes) * took);
}

/** Why `admit` would refuse it now, in the order in which it looks. */
function waitsFor(run: KnownRun, { now, active }: Seen): string {
  if (run.notBefore !== undefined && run.notBefore > now) {
    const until = `its next attempt at ${timeInWords(run.notBefore)}`;
    return run.waitingFor === undefined ? until : `${until}; attempt ${run.attempts ?? 1} was refused: ${run.waitingFor}`;
  }
  const atWork = active.filter(({ state, runId }) => AT_WORK.has(state) && runId !== run.runId);
  const earlier = atWork.find(({ planId }) => planId === run.planId);
  if (earlier !== undefined) return `run ${earlier.runId} of the same plan`;
  const beside = atWork.filter(({ vault }) => vault === run.vault).length;
  if (beside > 0) return `a place in the vault ${run.vault}, where ${counted(beside, 'run')} ${beside === 1 ? 'is' : 'are'} at work`;
  return 'the next look of the monitor, within 5 minutes';
}

/** For programs. The pinned plan is long and says what `runs show` says. */
export function runJson({ runId, order: _, queuedAt, startedAt, finishedAt, notBefore, startBy, stopBy, leaseUntil, type: kind, planName, backupId, ...rest }: KnownRun, seen: Seen): object {
  const run = { runId, queuedAt, startedAt, finishedAt, notBefore, startBy, stopBy, leaseUntil, planName, ...rest } as KnownRun;
  const times = Object.entries({ queuedAt, startedAt, finishedAt, notBefore, startBy, stopBy, leaseUntil }).map(([name, at]) => [name, at === undefined ? undefined : new Date(at).toISOString()] as const);
  return {
    type: 'run', run: runId, plan: planName, kind, ...rest, ...Object.fromEntries(times), backup: backupId,
    trigger: triggerOf(run), standing: standing(run, seen), durationMilliseconds: tookMilliseconds(run, seen.now), etaMilliseconds: etaMilliseconds(run, seen.now), silent: isSilent(run, seen.now),
  };
}

function triggerOf({ occurrence, planName }: KnownRun): string {
  return (occurrence ?? `${planName}/manual`).slice(planName.length + 1).split('/')[0] ?? '';
}
