import type { SQLInputValue } from 'node:sqlite';
import type { AlertRecord, LedgerRun, OccurrenceRecord } from './ledger-records.ts';
import type { BackupRecord, PlanRecord, RestoreRecord, RunRecord, ValidationRecord } from './records.ts';
import type { Row } from './sqlite-connection.ts';

/**
 * How the fields of a record lie in the columns of a table. Rows of a table, so that writing, replacing and reading
 * cannot disagree; `json` columns hold maps and lists.
 */
export interface Table<T> {
  readonly name: string;
  readonly columns: readonly (readonly [field: keyof T & string, column: string, kind?: 'json'])[];
}

export const PLANS: Table<PlanRecord> = {
  name: 'plans',
  columns: [['planId', 'plan_id'], ['name', 'name'], ['state', 'state'], ['source', 'source', 'json']],
};

export const RUNS: Table<RunRecord> = {
  name: 'runs',
  columns: [
    ['runId', 'run_id'], ['planId', 'plan_id'], ['planName', 'plan_name'], ['type', 'type'], ['state', 'state'], ['queuedAt', 'queued_at'],
    ['startedAt', 'started_at'], ['finishedAt', 'finished_at'], ['backupId', 'backup_id'], ['host', 'host'], ['processId', 'process_id'], ['error', 'error', 'json'],
  ],
};

export const BACKUPS: Table<BackupRecord> = {
  name: 'backups',
  columns: [
    ['backupId', 'backup_id'], ['planId', 'plan_id'], ['planName', 'plan_name'], ['runId', 'run_id'], ['type', 'type'], ['state', 'state'],
    ['startedAt', 'started_at'], ['finishedAt', 'finished_at'], ['sequence', 'sequence'], ['entries', 'entries'], ['files', 'files'], ['bytes', 'bytes'],
    ['addedBytes', 'added_bytes'], ['warnings', 'warnings'], ['host', 'host'], ['vault', 'vault'], ['source', 'source', 'json'], ['statistics', 'statistics', 'json'],
  ],
};

export const VALIDATIONS: Table<ValidationRecord> = {
  name: 'validations',
  columns: [
    ['validationId', 'validation_id'], ['backupId', 'backup_id'], ['level', 'level'], ['result', 'result'], ['startedAt', 'started_at'],
    ['finishedAt', 'finished_at'], ['bytesRead', 'bytes_read'], ['problems', 'problems', 'json'],
  ],
};

export const RESTORES: Table<RestoreRecord> = {
  name: 'restores',
  columns: [
    ['restoreId', 'restore_id'], ['backupId', 'backup_id'], ['target', 'target'], ['state', 'state'], ['startedAt', 'started_at'],
    ['finishedAt', 'finished_at'], ['files', 'files'], ['bytes', 'bytes'], ['error', 'error', 'json'], ['stages', 'stages', 'json'],
  ],
};

/** The same table as `RUNS`; the rows that have a vault. */
export const LEDGER_RUNS: Table<LedgerRun> = {
  name: 'runs',
  columns: [
    ...RUNS.columns,
    ['vault', 'vault'], ['occurrence', 'occurrence'], ['rank', 'rank'], ['notBefore', 'not_before'], ['startBy', 'start_by'], ['attempts', 'attempts'],
    ['waitingFor', 'waiting_for'], ['fence', 'fence'], ['leaseUntil', 'lease_until'], ['stopBy', 'stop_by'], ['taskArn', 'task_arn'],
    ['progress', 'progress', 'json'], ['healing', 'healing', 'json'], ['order', 'run_order'], ['configHash', 'config_hash'],
  ],
};

export const OCCURRENCES: Table<OccurrenceRecord> = {
  name: 'occurrences',
  columns: [['key', 'key'], ['planName', 'plan_name'], ['trigger', 'trigger_kind'], ['at', 'at'], ['runId', 'run_id'], ['claimedAt', 'claimed_at']],
};

/** `delivered` is not here: it is the rows of `deliveries`. */
export const ALERTS: Table<AlertRecord> = {
  name: 'alerts',
  columns: [
    ['alertId', 'alert_id'], ['kind', 'kind'], ['severity', 'severity'], ['state', 'state'], ['title', 'title'], ['message', 'message'],
    ['nextStep', 'next_step'], ['planName', 'plan_name'], ['runId', 'run_id'], ['openedAt', 'opened_at'], ['resolvedAt', 'resolved_at'],
  ],
};

export function insertSql<T>({ name, columns }: Table<T>): string {
  return `INSERT INTO ${name} (${columns.map(([, column]) => column).join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
}

/** Updates in place: REPLACE would delete first, and a plan that has backups cannot be deleted. */
export function upsertSql<T>(table: Table<T>): string {
  const [key, ...rest] = table.columns.map(([, column]) => column);
  return `${insertSql(table)} ON CONFLICT (${key}) DO UPDATE SET ${rest.map((column) => `${column} = excluded.${column}`).join(', ')}`;
}

/** Values in the order of the columns; absent fields are NULL. */
export function toValues<T>({ columns }: Table<T>, record: T): SQLInputValue[] {
  return columns.map(([field, , kind]) => toValue(record[field], kind));
}

export function toValue(value: unknown, kind?: 'json'): SQLInputValue {
  if (value === undefined) return null;
  return kind === 'json' ? JSON.stringify(value) : (value as SQLInputValue);
}

/** Leaves out what is NULL, so that a record reads as it was written. Throws a SyntaxError when JSON is broken. */
export function toRecord<T>({ columns }: Table<T>, row: Row): T {
  const record: Record<string, unknown> = {};
  for (const [field, column, kind] of columns) {
    const value = row[column];
    if (value !== null) record[field] = kind === 'json' ? JSON.parse(value as string) : value;
  }
  return record as T;
}
