import type { PlanId } from '../model/ids.ts';
import type { BackupRecord, SourceSummary } from './records.ts';
import type { SqliteConnection } from './sqlite-connection.ts';
import { BACKUPS, insertSql, PLANS, toValues, upsertSql } from './sqlite-rows.ts';

/** A run says nothing of its source; the first backup does. */
export const UNKNOWN_SOURCE: SourceSummary = { type: 'unknown', description: '' };

/** Writes or replaces a backup; its plan becomes known. To be called within a transaction. */
export function writeBackup(database: SqliteConnection, backup: BackupRecord): void {
  ensurePlan(database, backup, backup.source);
  database.run(upsertSql(BACKUPS), toValues(BACKUPS, backup));
}

/** What is known of the plan stays. */
export function ensurePlan(database: SqliteConnection, { planId, planName }: { readonly planId: PlanId; readonly planName: string }, source: SourceSummary): void {
  database.run(`${insertSql(PLANS)} ON CONFLICT (plan_id) DO NOTHING`, toValues(PLANS, { planId, name: planName, state: 'active', source }));
}
