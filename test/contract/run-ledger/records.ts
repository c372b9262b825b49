import type { AlertRecord, LedgerRun, OccurrenceRecord } from '../../../lib/catalog/ledger-records.ts';
import type { Admission } from '../../../lib/catalog/run-ledger.ts';
import type { PlanId, RunId } from '../../../lib/model/ids.ts';

export const MINUTE = 60_000;
export const PLAN_IDS: Readonly<Record<string, PlanId>> = { photos: 'a'.repeat(32) as PlanId, mail: 'b'.repeat(32) as PlanId };

/** A ULID-like id whose order is the number's. */
export function runId(number: number): RunId {
  return `01KR${String(number).padStart(22, '0')}` as RunId;
}

export function ledgerRun(number: number, fields: Partial<LedgerRun> = {}): LedgerRun {
  const planName = fields.planName ?? 'photos';
  return {
    runId: runId(number), planId: PLAN_IDS[planName] as PlanId, planName, type: 'incremental', state: 'queued', queuedAt: 1_000_000 + number, host: 'aws',
    vault: 'main', occurrence: `${planName}/manual/${number}`, rank: 1_000_000 + number, notBefore: 0, startBy: 9_000_000, attempts: 0, fence: 0,
    stopBy: 20_000_000, order: `{"name":"${planName}"}`, configHash: 'c'.repeat(64), ...fields,
  };
}

export function occurrenceOf(run: LedgerRun, fields: Partial<OccurrenceRecord> = {}): OccurrenceRecord {
  return { key: run.occurrence, planName: run.planName, trigger: 'manual', at: run.queuedAt, runId: run.runId, claimedAt: run.queuedAt, ...fields };
}

export function admission(now: number, fields: Partial<Admission> = {}): Admission {
  return { now, leaseUntil: now + 15 * MINUTE, vaultLimit: 2, planLimit: 1, ...fields };
}

export function alert(number: number, fields: Partial<AlertRecord> = {}): AlertRecord {
  return {
    alertId: `backup-failed/${number}`, kind: 'backup-failed', severity: 'high', state: 'open', title: 'Backup of photos failed', message: 'The disk is full.',
    nextStep: 'Make room.', planName: 'photos', runId: runId(number), openedAt: 5_000 + number, ...fields,
  };
}
