import { EntityFormatter } from 'dynamodb-toolbox';
import type { Entity, FormattedItem } from 'dynamodb-toolbox';
import { HoldfastError } from '../model/errors.ts';
import { BACKUP_FIELDS } from './dynamodb-table.ts';
import type { Rows } from './dynamodb-table.ts';
import type { LedgerRun } from './ledger-records.ts';
import type { BackupRecord, RunRecord } from './records.ts';

type Item = Readonly<Record<string, unknown>>;

/** A run of the ledger as it lies in the table: also the token of its newest admission, and who holds it. */
export type RunRow = LedgerRun & { readonly admission?: number; readonly admittedBy?: string; readonly claimedBy?: string };

const RUN_FIELDS = ['runId', 'planId', 'planName', 'type', 'state', 'queuedAt', 'startedAt', 'finishedAt', 'backupId', 'host', 'processId', 'error'] as const;

/** A raw row without its keys; `damaged` when it is not what its entity says. */
export function read<T>(entity: Entity, row: Item): T {
  try {
    return entity.build(EntityFormatter).format(row) as T;
  } catch (cause) {
    throw unreadable(row, (cause as Error).message, cause);
  }
}

/** As `read`, for lists of thousands: only that all fields are there is checked, which takes a tenth of the time. */
export function readBackup(row: Item): BackupRecord {
  const record: Record<string, unknown> = {};
  for (const field in BACKUP_FIELDS) {
    if (row[field] !== undefined) record[field] = row[field];
    else if (field !== 'vault') throw unreadable(row, `it has no ${field}`);
  }
  return record as unknown as BackupRecord;
}

export function ledgerRunOf({ admission: _, admittedBy: _by, claimedBy: _claimed, ...run }: RunRow): LedgerRun {
  return run;
}

/** What the catalog shows of any run. */
export function runRecordOf(row: FormattedItem<Rows['runs']>): RunRecord {
  return Object.fromEntries(RUN_FIELDS.flatMap((field) => (row[field] === undefined ? [] : [[field, row[field]]]))) as unknown as RunRecord;
}

function unreadable(row: Item, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('damaged', `A row of the catalog table cannot be read (${String(row.pk)} / ${String(row.sk)}): ${what}.`, {
    cause, nextStep: 'Run `holdfast catalog rebuild`: backups and plans are read again from the vault.',
  });
}
