import { HoldfastError } from '../model/errors.ts';
import type { BackupId, RunId } from '../model/ids.ts';
import type { AlertRecord, HealingNote, LedgerRun, OccurrenceRecord, PlanPause, StageProgress } from './ledger-records.ts';
import { limitOf } from './list-limit.ts';
import { checkAdmission, checkClaim, checkEnd, mayEnd } from './ledger-rules.ts';
import { ACTIVE_STATES } from './records.ts';
import type { Admission, Admitted, ClaimLease, Refused, RunEnd, RunLedger } from './run-ledger.ts';
import type { Row, SqliteOptions, Values } from './sqlite-connection.ts';
import { SqliteConnection } from './sqlite-connection.ts';
import { damagedCatalog } from './sqlite-errors.ts';
import type { Table } from './sqlite-rows.ts';
import { ALERTS, insertSql, LEDGER_RUNS, OCCURRENCES, toRecord, toValue, toValues } from './sqlite-rows.ts';
import { ensurePlan, UNKNOWN_SOURCE, writeBackup } from './sqlite-writes.ts';

const MOST_OCCURRENCES = 10_000;

/**
 * The run ledger in the SQLite file of the catalog (`SqliteCatalog` of the same file shows its runs and backups). Opened
 * by the first call; `:memory:` is a ledger that nobody else sees.
 */
export class SqliteLedger implements RunLedger {
  readonly #file: string;
  readonly #database: SqliteConnection;

  constructor(file: string, options: SqliteOptions = {}) {
    this.#file = file;
    this.#database = new SqliteConnection(file, options);
  }

  async claimOccurrence(occurrence: OccurrenceRecord, run: LedgerRun): Promise<{ isNew: boolean; runId: RunId }> {
    checkClaim(occurrence, run);
    return this.#database.transaction(() => {
      const known = this.#occurrence(occurrence.key);
      if (known !== undefined) return { isNew: known.runId === run.runId, runId: known.runId };
      ensurePlan(this.#database, run, UNKNOWN_SOURCE);
      const written = this.#database.run(`${insertSql(LEDGER_RUNS)} ON CONFLICT (run_id) DO NOTHING`, toValues(LEDGER_RUNS, run));
      if (written === 0) throw new HoldfastError('already-exists', `Run ${run.runId} is in the catalog already, wanted a new run for ${occurrence.key}.`);
      this.#database.run(insertSql(OCCURRENCES), toValues(OCCURRENCES, occurrence));
      return { isNew: true, runId: run.runId };
    });
  }

  async getOccurrence(key: string): Promise<OccurrenceRecord | undefined> {
    return this.#occurrence(key);
  }

  async listOccurrences(planName: string, since: number): Promise<OccurrenceRecord[]> {
    return this.#select(OCCURRENCES, 'WHERE plan_name = ? AND at >= ? ORDER BY at, key LIMIT ?', [planName, since, MOST_OCCURRENCES]);
  }

  async getLedgerRun(runId: RunId): Promise<LedgerRun | undefined> {
    return this.#run(runId);
  }

  async queue(vault: string, limit: number): Promise<LedgerRun[]> {
    return this.#select(LEDGER_RUNS, "WHERE vault = ? AND state = 'queued' ORDER BY rank, run_id LIMIT ?", [vault, limitOf(limit)]);
  }

  async activeRuns(): Promise<LedgerRun[]> {
    return this.#select(LEDGER_RUNS, `WHERE vault IS NOT NULL AND state IN (${marks(ACTIVE_STATES)})`, ACTIVE_STATES);
  }

  async admit(runId: RunId, admission: Admission): Promise<Admitted | Refused> {
    checkAdmission(admission);
    return this.#database.transaction(() => {
      const run = this.#run(runId);
      if (run?.state === 'starting' && this.#isHolder(runId, 'admitted_by', admission.holder)) return { isAdmitted: true, fence: run.fence };
      const reason = this.#refusal(run, admission);
      if (reason !== undefined) return { isAdmitted: false, reason };
      this.#database.run("UPDATE runs SET state = 'starting', fence = fence + 1, admission = fence + 1, admitted_by = ?, lease_until = ?, waiting_for = NULL WHERE run_id = ?", [admission.holder ?? null, admission.leaseUntil, runId]);
      return { isAdmitted: true, fence: (run?.fence ?? 0) + 1 };
    });
  }

  async noteTask(runId: RunId, fence: number, taskArn: string): Promise<boolean> {
    return this.#database.run('UPDATE runs SET task_arn = ? WHERE run_id = ? AND admission = ?', [taskArn, runId, fence]) > 0;
  }

  async requeue(runId: RunId, fence: number, until: { readonly notBefore: number; readonly reason: string }): Promise<boolean> {
    return this.#database.transaction(() => {
      const run = this.#run(runId);
      if (run?.fence !== fence || fence === 0) return false;
      // Queued with the token of this holder: put back already, by the call whose answer was lost.
      if (run.state === 'queued') return true;
      const back = 'attempts = attempts + 1, not_before = ?, waiting_for = ?, lease_until = NULL, admission = NULL, admitted_by = NULL, task_arn = NULL';
      return this.#database.run(`UPDATE runs SET state = 'queued', ${back} WHERE run_id = ? AND state = 'starting'`, [until.notBefore, until.reason, runId]) > 0;
    });
  }

  async claimRun(runId: RunId, lease: ClaimLease): Promise<LedgerRun | undefined> {
    return this.#database.transaction(() => {
      if (this.#run(runId)?.state === 'running' && this.#isHolder(runId, 'claimed_by', lease.holder)) return this.#run(runId);
      const claimed = this.#database.run(
        "UPDATE runs SET state = 'running', fence = fence + 1, started_at = ?, lease_until = ?, claimed_by = ? WHERE run_id = ? AND state = 'starting' AND lease_until > ?",
        [lease.now, lease.leaseUntil, lease.holder ?? null, runId, lease.now],
      );
      return claimed === 0 ? undefined : this.#run(runId);
    });
  }

  async heartbeat(runId: RunId, fence: number, beat: { readonly now: number; readonly leaseUntil: number; readonly progress?: StageProgress }): Promise<boolean> {
    const progress = toValue(beat.progress, 'json');
    return this.#database.run(
      "UPDATE runs SET lease_until = ?, progress = coalesce(?, progress) WHERE run_id = ? AND fence = ? AND state IN ('running', 'committing') AND lease_until > ?",
      [beat.leaseUntil, progress, runId, fence, beat.now],
    ) > 0;
  }

  async beginCommit(runId: RunId, fence: number, commit: { readonly now: number; readonly leaseUntil: number; readonly backupId: BackupId }): Promise<boolean> {
    return this.#database.run(
      "UPDATE runs SET state = 'committing', lease_until = ?, backup_id = ? WHERE run_id = ? AND fence = ? AND lease_until > ? AND (state = 'running' OR (state = 'committing' AND backup_id = ?))",
      [commit.leaseUntil, commit.backupId, runId, fence, commit.now, commit.backupId],
    ) > 0;
  }

  async endRun(runId: RunId, end: RunEnd): Promise<boolean> {
    checkEnd(end);
    return this.#database.transaction(() => {
      const run = this.#run(runId);
      if (run === undefined) return false;
      if (run.state === end.to) return true;
      if (!mayEnd(run, end)) return false;
      if (end.backup !== undefined) writeBackup(this.#database, end.backup);
      this.#database.run(
        'UPDATE runs SET state = ?, finished_at = ?, error = ?, backup_id = coalesce(?, backup_id), lease_until = NULL, waiting_for = NULL WHERE run_id = ?',
        [end.to, end.now, toValue(end.error, 'json'), end.backup?.backupId ?? null, runId],
      );
      return true;
    });
  }

  async noteHealing(runId: RunId, note: HealingNote): Promise<boolean> {
    return this.#database.run('UPDATE runs SET healing = ? WHERE run_id = ? AND vault IS NOT NULL', [toValue(note, 'json'), runId]) > 0;
  }

  async openAlert(alert: AlertRecord): Promise<boolean> {
    return this.#database.run(`${insertSql(ALERTS)} ON CONFLICT (alert_id) DO NOTHING`, toValues(ALERTS, alert)) > 0;
  }

  async resolveAlert(alertId: string, at: number): Promise<boolean> {
    return this.#database.run("UPDATE alerts SET state = 'resolved', resolved_at = ? WHERE alert_id = ? AND state = 'open'", [at, alertId]) > 0;
  }

  async claimDelivery(alertId: string, channel: string, at: number): Promise<boolean> {
    return this.#database.run('INSERT INTO deliveries (alert_id, channel, at) SELECT alert_id, ?, ? FROM alerts WHERE alert_id = ? ON CONFLICT DO NOTHING', [channel, at, alertId]) > 0;
  }

  async listAlerts(filter: { readonly state?: AlertRecord['state']; readonly limit?: number } = {}): Promise<AlertRecord[]> {
    const where = filter.state === undefined ? '' : 'WHERE state = ?';
    const alerts = this.#select(ALERTS, `${where} ORDER BY opened_at DESC, alert_id DESC LIMIT ?`, [...(filter.state === undefined ? [] : [filter.state]), limitOf(filter.limit)]);
    return alerts.map((alert) => ({ ...alert, ...this.#delivered(alert.alertId) }));
  }

  async setPaused(planName: string, paused: { readonly at: number; readonly by: string } | undefined): Promise<void> {
    if (paused === undefined) this.#database.run('DELETE FROM pauses WHERE plan_name = ?', [planName]);
    else this.#database.run('INSERT INTO pauses (plan_name, at, paused_by) VALUES (?, ?, ?) ON CONFLICT (plan_name) DO UPDATE SET at = excluded.at, paused_by = excluded.paused_by', [planName, paused.at, paused.by]);
  }

  async pausedPlans(): Promise<readonly string[]> {
    return (await this.pauses()).map(({ planName }) => planName);
  }

  async pauses(): Promise<readonly PlanPause[]> {
    return this.#database.rows('SELECT plan_name, at, paused_by FROM pauses ORDER BY plan_name').map((row) => ({ planName: String(row.plan_name), at: Number(row.at), by: String(row.paused_by) }));
  }

  /** Callable twice; nothing else may be called afterwards. */
  async close(): Promise<void> {
    this.#database.close();
  }

  #delivered(alertId: string): Pick<AlertRecord, 'delivered'> {
    const channels = this.#database.rows('SELECT channel FROM deliveries WHERE alert_id = ? ORDER BY channel', [alertId]).map((row) => String(row.channel));
    return channels.length === 0 ? {} : { delivered: channels };
  }

  #refusal(run: LedgerRun | undefined, admission: Admission): Refused['reason'] | undefined {
    if (run?.state !== 'queued') return 'not-queued';
    if (run.notBefore > admission.now) return 'not-due';
    if (this.#held('vault', run.vault) >= admission.vaultLimit) return 'vault-full';
    return this.#held('plan_id', run.planId) >= admission.planLimit ? 'plan-busy' : undefined;
  }

  #held(column: 'vault' | 'plan_id', value: string): number {
    return Number(this.#database.row(`SELECT count(*) AS held FROM runs WHERE vault IS NOT NULL AND ${column} = ? AND state IN ('starting', 'running', 'committing')`, [value])?.held);
  }

  #isHolder(runId: RunId, column: 'admitted_by' | 'claimed_by', holder: string | undefined): boolean {
    return holder !== undefined && this.#database.row(`SELECT ${column} AS holder FROM runs WHERE run_id = ?`, [runId])?.holder === holder;
  }

  #run(runId: RunId): LedgerRun | undefined {
    return this.#select(LEDGER_RUNS, 'WHERE run_id = ? AND vault IS NOT NULL', [runId])[0];
  }

  #occurrence(key: string): OccurrenceRecord | undefined {
    return this.#select(OCCURRENCES, 'WHERE key = ?', [key])[0];
  }

  #select<T>(table: Table<T>, rest: string, values: Values = []): T[] {
    const rows = this.#database.rows(`SELECT ${table.columns.map(([, column]) => column).join(', ')} FROM ${table.name} ${rest}`, values);
    try {
      return rows.map((row: Row) => toRecord(table, row));
    } catch (cause) {
      throw damagedCatalog(this.#file, `a row of ${table.name} cannot be read`, cause);
    }
  }
}

function marks(values: readonly unknown[]): string {
  return values.map(() => '?').join(', ');
}
