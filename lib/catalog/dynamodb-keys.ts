import type { BackupId, PlanId, RunId } from '../model/ids.ts';

/**
 * Where every row of the table lies. Rows that a rebuild replaces carry the number of their generation, so that a new one
 * can be written beside the old and taken over by one step.
 */
export interface RowKey {
  readonly pk: string;
  readonly sk: string;
}

/** A place in the lists by month. */
export interface TimeKey {
  readonly gsi1pk: string;
  readonly gsi1sk: string;
}

/** A place in a sparse group. */
export interface GroupKey {
  readonly gsi2pk: string;
  readonly gsi2sk: string;
}

/** What is listed by month, each with rows `MONTHS` that name the months that have any. */
export type Listed = 'BACKUP' | 'RUN' | 'VALIDATION' | 'RESTORE' | 'ALERT';

export const POINTER: RowKey = { pk: 'CATALOG', sk: 'CATALOG' };
export const ACTIVE = 'ACTIVE';
export const PAUSES = 'PAUSE#';

export const partition = {
  plans: (generation: number) => `PLAN#${generation}`,
  backups: (generation: number) => `BACKUP#${generation}`,
  validations: (generation: number) => `VALIDATION#${generation}`,
  restores: (generation: number) => `RESTORE#${generation}`,
  /** Backups that came while generation `generation` was being built. */
  late: (generation: number) => `LATE#${generation}`,
  backupsOfPlan: (generation: number, planId: string) => `BACKUP#${generation}#${planId}`,
  validationsOf: (generation: number, backupId: BackupId) => `VALIDATION#${generation}#${backupId}`,
  restoresOf: (generation: number, backupId: BackupId) => `RESTORE#${generation}#${backupId}`,
  occurrencesOf: (planName: string) => `OCCURRENCE#${planName}`,
  queue: (vault: string) => `VAULT#${vault}#QUEUE`,
  /** Runs and alerts outlive generations: theirs is 0. */
  month: (listed: Listed, generation: number, month: string) => `${listed}#${generation}#${month}`,
};

export const key = {
  plan: (generation: number, planId: PlanId): RowKey => ({ pk: partition.plans(generation), sk: planId }),
  backup: (generation: number, backupId: BackupId): RowKey => ({ pk: partition.backups(generation), sk: backupId }),
  late: (generation: number, backupId: BackupId): RowKey => ({ pk: partition.late(generation), sk: backupId }),
  validation: (generation: number, id: string): RowKey => ({ pk: partition.validations(generation), sk: id }),
  restore: (generation: number, id: string): RowKey => ({ pk: partition.restores(generation), sk: id }),
  run: (runId: RunId): RowKey => ({ pk: `RUN#${runId}`, sk: 'RUN' }),
  occurrence: (occurrence: string): RowKey => ({ pk: `OCCURRENCE#${occurrence}`, sk: 'OCCURRENCE' }),
  queued: (vault: string, rank: number, runId: RunId): RowKey => ({ pk: partition.queue(vault), sk: `${rankText(rank)}#${runId}` }),
  vaultSlots: (vault: string): RowKey => ({ pk: `VAULT#${vault}#SLOTS`, sk: 'SLOTS' }),
  planSlots: (planId: PlanId): RowKey => ({ pk: `PLAN#${planId}#SLOTS`, sk: 'SLOTS' }),
  alert: (alertId: string): RowKey => ({ pk: `ALERT#${alertId}`, sk: 'ALERT' }),
  pause: (planName: string): RowKey => ({ pk: PAUSES, sk: planName }),
  months: (listed: Listed, generation: number): RowKey => ({ pk: 'MONTHS', sk: `${listed}#${generation}` }),
};

export function timeKey(listed: Listed, generation: number, at: { readonly time: number; readonly id: string }): TimeKey {
  return { gsi1pk: partition.month(listed, generation, monthOf(at.time)), gsi1sk: timeText(at.time, at.id) };
}

export function groupKey(group: string, at: { readonly time: number; readonly id: string }): GroupKey {
  return { gsi2pk: group, gsi2sk: timeText(at.time, at.id) };
}

/** Sorts as (time, id) does. */
export function timeText(time: number, id = ''): string {
  return `${String(Math.trunc(time)).padStart(16, '0')}#${id}`;
}

/** `2026-01`, in UTC. */
export function monthOf(time: number): string {
  return new Date(time).toISOString().slice(0, 7);
}

/** Whole numbers in the order of their size, negative ones too. */
function rankText(rank: number): string {
  return String(rank + 1e15).padStart(16, '0');
}
