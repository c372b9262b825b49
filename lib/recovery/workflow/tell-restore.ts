import type { AlertRecord } from '../../catalog/ledger-records.ts';
import type { RestoreRecord } from '../../catalog/records.ts';
import type { Failure } from './failure-text.ts';

export interface RestoreEnd {
  readonly record: RestoreRecord;
  /** Entries that were there already, as in the backup. */
  readonly same: number | undefined;
  readonly warnings: readonly string[];
  readonly failure: Failure | undefined;
}

/** How people hear of the end of a restore. Both are callable again and tell at least once. */
export interface RestoreTeller {
  tellFailure(alert: AlertRecord): Promise<void>;
  /** Also resolves the alerts of earlier failures with the same target. */
  tellSuccess(notice: Notice, target: string): Promise<void>;
}

export type Notice = Pick<AlertRecord, 'alertId' | 'severity' | 'title' | 'message' | 'nextStep' | 'openedAt'>;

/** Alerts of restores into a target begin so. */
export function recoveryAlertPrefix(target: string): string {
  return `recovery-failed/${target}/`;
}

export function restoreAlert({ record }: RestoreEnd, { code, message, nextStep }: Failure): AlertRecord {
  const { restoreId, backupId, target, startedAt } = record;
  return {
    alertId: `${recoveryAlertPrefix(target)}${restoreId}`,
    kind: 'recovery-failed',
    severity: 'high',
    state: 'open',
    title: `Restore of backup ${backupId} into ${target} ${record.state === 'cancelled' ? 'was cancelled' : 'failed'}`,
    message: `${message} (${code})\n${stagesInWords(record)}`,
    nextStep: nextStep ?? 'Read the log of the restore, remove the cause, and start a new execution.',
    openedAt: startedAt,
  };
}

export function restoreNotice({ record, same, warnings }: RestoreEnd): Notice {
  const { restoreId, backupId, target, files, bytes, startedAt, finishedAt = startedAt, state } = record;
  const seconds = Math.round((finishedAt - startedAt) / 1000);
  const more = warnings.map((warning) => `- ${warning}`).join('\n');
  return {
    alertId: `recovery/${restoreId}`,
    severity: 'info',
    title: `Restore of backup ${backupId} into ${target} is complete${state === 'warnings' ? ', with warnings' : ''}`,
    message: `${files} files, ${bytes} bytes, in ${seconds} seconds${same === undefined ? '' : `; ${same} ${same === 1 ? 'entry was' : 'entries were'} there already, the same`}.${more === '' ? '' : `\n${more}`}`,
    nextStep: state === 'warnings' ? 'Look at what the warnings name before the data is used.' : 'Check the data with the application before it is used.',
    openedAt: finishedAt,
  };
}

function stagesInWords({ stages = [] }: RestoreRecord): string {
  return `Stages: ${stages.map(({ name, state, doneBytes }) => `${name} ${state}${doneBytes === undefined ? '' : ` (${doneBytes} bytes)`}`).join(', ')}.`;
}
