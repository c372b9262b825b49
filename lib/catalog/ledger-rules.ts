import { invariant } from '../model/errors.ts';
import type { LedgerRun, OccurrenceRecord } from './ledger-records.ts';
import type { RunState } from './records.ts';
import { mayBecome } from './records.ts';
import type { Admission, RunEnd } from './run-ledger.ts';

/** What every ledger refuses before it asks its database: mistakes of the caller, `broken-invariant`. */
export function checkClaim(occurrence: OccurrenceRecord, run: LedgerRun): void {
  invariant(run.state === 'queued' && run.fence === 0, `run ${run.runId} is ${run.state} with token ${run.fence}, wanted a queued one with token 0`);
  invariant(run.runId === occurrence.runId && run.occurrence === occurrence.key, `the occurrence ${occurrence.key} and run ${run.runId} do not name each other`);
  invariant(Number.isSafeInteger(run.rank), `the rank of run ${run.runId} is ${run.rank}, wanted a whole number`);
}

export function checkAdmission({ vaultLimit, planLimit }: Admission): void {
  for (const limit of [vaultLimit, planLimit]) invariant(Number.isInteger(limit) && limit >= 1, `the limit of runs at once is ${limit}, wanted 1 or more`);
}

export function checkEnd(end: RunEnd): void {
  invariant((end.fence === undefined) !== (end.expected === undefined), 'a run is ended either by its holder (fence) or on a judgement (expected)');
  invariant(end.expected === undefined || mayBecome(end.expected.state, end.to), `a run cannot go from ${end.expected?.state} to ${end.to}`);
  invariant(end.backup === undefined || end.to === 'completed' || end.to === 'warnings', `a run that ends ${end.to} has no backup`);
}

/** Whether the one who asks may end a run that is in this state with this token. */
export function mayEnd(run: { readonly state: RunState; readonly fence: number }, end: RunEnd): boolean {
  const isHis = end.expected === undefined ? run.fence === end.fence : run.fence === end.expected.fence && run.state === end.expected.state;
  return isHis && mayBecome(run.state, end.to);
}
