import type { LedgerRun } from '../catalog/ledger-records.ts';
import type { BackupRecord } from '../catalog/records.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import type { HoldfastError } from '../model/errors.ts';
import { alertOfEnd } from '../monitoring/alerts.ts';
import { backupMetrics, writeMetrics } from '../monitoring/emf.ts';
import type { LineWriter } from '../monitoring/emf.ts';
import { tellAlert } from '../monitoring/tell.ts';
import type { TellPorts } from '../monitoring/tell.ts';
import { pinnedPlan } from './pinned-plan.ts';

export interface EndPorts extends TellPorts {
  readonly ledger: TellPorts['ledger'] & Pick<RunLedger, 'endRun'>;
  readonly stackName: string;
  /** Where metrics of ended runs are written; absent: nowhere. */
  readonly writeLine?: LineWriter;
}

/**
 * Ends a run as failed, on the judgement of the state and token in `run`, and tells it. False when the run has moved on
 * since it was read: the judgement is void. Dying after the end is made good by the monitor, which looks for failed runs
 * without an alert.
 */
export async function failRun(run: LedgerRun, error: HoldfastError, ports: EndPorts): Promise<boolean> {
  const now = ports.now();
  const { code, message, nextStep } = error;
  const words = { code, message, ...(nextStep !== undefined && { nextStep }) };
  const isEnded = await ports.ledger.endRun(run.runId, { to: 'failed', now, expected: { state: run.state, fence: run.fence }, error: words });
  if (!isEnded) return false;
  const ended = { ...run, state: 'failed' as const, finishedAt: now, error: words };
  // Of two who end it at once, the one whose alert was first counts it.
  if (await tellEnd(ended, ports)) count(ended, undefined, ports);
  return true;
}

/** Tells the end of a run that its worker wrote down, which may not publish. True when nobody had told it. */
export async function tellEnd(run: LedgerRun, ports: TellPorts): Promise<boolean> {
  const rpoMinutes = pinnedPlan(run).policy.serviceLevel?.rpoMinutes;
  const alert = alertOfEnd({ ...run, ...(rpoMinutes !== undefined && { rpoMinutes }) });
  return alert !== undefined && tellAlert(alert, ports);
}

/** Ends a run whose snapshot was found in its vault after its worker had gone. False as in `failRun`. */
export async function completeRun(run: LedgerRun, backup: BackupRecord, ports: EndPorts): Promise<boolean> {
  const now = ports.now();
  const to = backup.warnings > 0 ? 'warnings' : 'completed';
  const isEnded = await ports.ledger.endRun(run.runId, { to, now, expected: { state: run.state, fence: run.fence }, backup });
  if (isEnded) count({ ...run, state: to, finishedAt: now }, backup, ports);
  return isEnded;
}

function count(run: LedgerRun, backup: BackupRecord | undefined, { stackName, writeLine }: EndPorts): void {
  if (writeLine === undefined) return;
  writeMetrics(backupMetrics(run, backup), { stackName, planName: run.planName, at: run.finishedAt ?? run.queuedAt }, writeLine);
}
