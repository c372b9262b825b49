import { HoldfastError, invariant } from '../model/errors.ts';
import type { BackupId, RunId } from '../model/ids.ts';
import type { BackupFilter, BackupPage, Catalog, CatalogContents, CatalogStats, RunMove } from './catalog.ts';
import { limitOf } from './list-limit.ts';
import { decodeCursor, encodeCursor } from './page-cursor.ts';
import type { BackupRecord, BackupState, PlanRecord, RestoreRecord, RunRecord, RunState, ValidationRecord } from './records.ts';
import { BACKUP_STATES, FINAL_STATES, RUN_TRANSITIONS } from './records.ts';
import type { Row, SqliteOptions, Values } from './sqlite-connection.ts';
import { SqliteConnection } from './sqlite-connection.ts';
import { damagedCatalog } from './sqlite-errors.ts';
import type { Table } from './sqlite-rows.ts';
import { BACKUPS, insertSql, PLANS, RESTORES, RUNS, toRecord, toValue, toValues, upsertSql, VALIDATIONS } from './sqlite-rows.ts';
import { ensurePlan, UNKNOWN_SOURCE, writeBackup } from './sqlite-writes.ts';

const NOT_EXPIRED: readonly BackupState[] = BACKUP_STATES.filter((state) => state !== 'expired');
const USABLE: readonly BackupState[] = ['completed', 'validating', 'validated'];

/**
 * The catalog in one SQLite file in WAL mode, made when it is not there. The file is opened by the first call, so the
 * constructor costs nothing and fails never. `:memory:` is a catalog that nobody else sees.
 */
export class SqliteCatalog implements Catalog {
  readonly description: string;
  readonly #file: string;
  readonly #database: SqliteConnection;

  constructor(file: string, options: SqliteOptions = {}) {
    this.description = `SQLite catalog ${file}`;
    this.#file = file;
    this.#database = new SqliteConnection(file, options);
  }

  async recordPlan(plan: PlanRecord): Promise<void> {
    this.#database.run(upsertSql(PLANS), toValues(PLANS, plan));
  }

  async listPlans(): Promise<PlanRecord[]> {
    return this.#select(PLANS, 'ORDER BY name, plan_id');
  }

  async recordRun(run: RunRecord): Promise<void> {
    this.#database.transaction(() => {
      ensurePlan(this.#database, run, UNKNOWN_SOURCE);
      const written = this.#database.run(`${insertSql(RUNS)} ON CONFLICT (run_id) DO NOTHING`, toValues(RUNS, run));
      if (written === 0) throw new HoldfastError('already-exists', `Run ${run.runId} is in the catalog already, wanted a new run.`);
    });
  }

  async transitionRun(runId: RunId, move: RunMove): Promise<boolean> {
    for (const from of move.from) invariant((RUN_TRANSITIONS[from] as readonly string[]).includes(move.to), `a run cannot go from ${from} to ${move.to}`);
    const set = RUNS.columns.flatMap(([field, column, kind]) => (move.set !== undefined && field in move.set ? [[column, toValue(move.set[field as keyof typeof move.set], kind)] as const] : []));
    const assignments = ['state = ?', ...set.map(([column]) => `${column} = ?`)].join(', ');
    const moved = this.#database.run(`UPDATE runs SET ${assignments} WHERE run_id = ? AND vault IS NULL AND state IN (${marks(move.from)})`, [move.to, ...set.map(([, value]) => value), runId, ...move.from]);
    if (moved > 0) return true;
    const row = this.#database.row('SELECT vault FROM runs WHERE run_id = ?', [runId]);
    if (row === undefined) throw new HoldfastError('not-found', `Run ${runId} is not in the catalog.`);
    invariant(row.vault === null, `run ${runId} belongs to the run ledger, which alone moves it`);
    return false;
  }

  async getRun(runId: RunId): Promise<RunRecord | undefined> {
    return this.#select(RUNS, 'WHERE run_id = ?', [runId])[0];
  }

  async listRuns(filter: { plan?: string; states?: readonly RunState[]; limit?: number } = {}): Promise<RunRecord[]> {
    const where = [...planCondition(filter.plan), ...stateCondition(filter.states)];
    return this.#select(RUNS, `${whereSql(where)} ORDER BY queued_at DESC, run_id DESC LIMIT ?`, [...where.flatMap(({ values }) => values), limitOf(filter.limit)]);
  }

  async recordBackup(backup: BackupRecord): Promise<void> {
    this.#database.transaction(() => writeBackup(this.#database, backup));
  }

  async getBackup(idOrPrefix: string): Promise<BackupRecord> {
    const prefix = idOrPrefix.toUpperCase();
    // '~' sorts after every character of an id, so this range is all ids with the prefix, by the primary key.
    const found = prefix === '' ? [] : this.#select(BACKUPS, "WHERE backup_id >= ? AND backup_id < ? || '~' ORDER BY backup_id LIMIT 11", [prefix, prefix]);
    const exact = found.find((backup) => backup.backupId === prefix) ?? (found.length === 1 ? found[0] : undefined);
    if (exact !== undefined) return exact;
    if (found.length === 0) throw new HoldfastError('not-found', `No backup begins with ${JSON.stringify(idOrPrefix)}.`, { nextStep: '`holdfast list` shows all backups.' });
    const candidates = found.slice(0, 10).map((backup) => backup.backupId);
    throw new HoldfastError('usage', `${JSON.stringify(idOrPrefix)} is the beginning of several backups (${candidates.join(', ')}${found.length > 10 ? ', ...' : ''}), wanted one.`, { nextStep: 'Give more characters of the id.', data: { candidates } });
  }

  async listBackups(filter: BackupFilter = {}): Promise<BackupPage> {
    const limit = limitOf(filter.limit);
    const after = filter.cursor === undefined ? undefined : decodeCursor(filter.cursor);
    const where = [
      ...planCondition(filter.plan),
      ...stateCondition(filter.states ?? NOT_EXPIRED),
      ...(after === undefined ? [] : [{ sql: '(finished_at, backup_id) < (?, ?)', values: [after.finishedAt, after.backupId] }]),
    ];
    const backups = this.#select(BACKUPS, `${whereSql(where)} ORDER BY finished_at DESC, backup_id DESC LIMIT ?`, [...where.flatMap(({ values }) => values), limit + 1]);
    const last = backups[limit - 1];
    return backups.length <= limit || last === undefined ? { backups } : { backups: backups.slice(0, limit), next: encodeCursor(last) };
  }

  async latestBackup(plan?: string): Promise<BackupRecord | undefined> {
    return (await this.listBackups({ ...(plan === undefined ? {} : { plan }), states: USABLE, limit: 1 })).backups[0];
  }

  async setBackupState(backupId: BackupId, to: BackupState, from: readonly BackupState[] = BACKUP_STATES): Promise<boolean> {
    const changed = this.#database.run(`UPDATE backups SET state = ? WHERE backup_id = ? AND state IN (${marks(from)})`, [to, backupId, ...from]);
    if (changed === 0 && this.#database.row('SELECT 1 FROM backups WHERE backup_id = ?', [backupId]) === undefined) throw new HoldfastError('not-found', `Backup ${backupId} is not in the catalog.`);
    return changed > 0;
  }

  async recordValidation(validation: ValidationRecord): Promise<void> {
    this.#database.run(upsertSql(VALIDATIONS), toValues(VALIDATIONS, validation));
  }

  async lastValidation(backupId: BackupId): Promise<ValidationRecord | undefined> {
    return (await this.listValidations({ backupId, limit: 1 }))[0];
  }

  async listValidations(filter: { backupId?: BackupId; limit?: number } = {}): Promise<ValidationRecord[]> {
    const where = backupCondition(filter.backupId);
    return this.#select(VALIDATIONS, `${whereSql(where)} ORDER BY finished_at DESC, validation_id DESC LIMIT ?`, [...where.flatMap(({ values }) => values), limitOf(filter.limit)]);
  }

  async recordRestore(restore: RestoreRecord): Promise<void> {
    const mayReplace = restore.state === 'running' ? ` WHERE ${RESTORES.name}.state = 'running'` : '';
    this.#database.run(`${upsertSql(RESTORES)}${mayReplace}`, toValues(RESTORES, restore));
  }

  async listRestores(filter: { backupId?: BackupId; limit?: number } = {}): Promise<RestoreRecord[]> {
    const where = backupCondition(filter.backupId);
    return this.#select(RESTORES, `${whereSql(where)} ORDER BY started_at DESC, restore_id DESC LIMIT ?`, [...where.flatMap(({ values }) => values), limitOf(filter.limit)]);
  }

  async stats(): Promise<CatalogStats> {
    // In SQLite, bare columns beside max() come from the row that has the maximum.
    const plans = this.#database.rows(`SELECT plan_id AS planId, plan_name AS planName, count(*) AS backups, max(finished_at) AS latestFinishedAt,
      sum(files) AS files, sum(bytes) AS bytes, sum(added_bytes) AS addedBytes FROM backups WHERE state <> 'expired' GROUP BY plan_id ORDER BY plan_name, plan_id`) as unknown as (CatalogStats['plans'][number] & { files: number })[];
    const sum = (key: 'backups' | 'files' | 'bytes' | 'addedBytes'): number => plans.reduce((total, plan) => total + plan[key], 0);
    return { backups: sum('backups'), files: sum('files'), bytes: sum('bytes'), addedBytes: sum('addedBytes'), plans: plans.map(({ files: _, ...plan }) => plan) };
  }

  async replaceAll(found: CatalogContents): Promise<void> {
    this.#database.transaction(() => {
      for (const table of [RESTORES, VALIDATIONS, BACKUPS]) this.#database.run(`DELETE FROM ${table.name}`);
      // What a ledger still works on stays, with its plans: a rebuild ends no run.
      this.#database.run(`DELETE FROM runs WHERE vault IS NULL OR state IN (${marks(FINAL_STATES)})`, FINAL_STATES);
      this.#database.run('DELETE FROM plans WHERE plan_id NOT IN (SELECT plan_id FROM runs)');
      for (const plan of found.plans) this.#database.run(upsertSql(PLANS), toValues(PLANS, plan));
      for (const backup of found.backups) writeBackup(this.#database, backup);
      for (const validation of found.validations) this.#database.run(upsertSql(VALIDATIONS), toValues(VALIDATIONS, validation));
    });
  }

  async close(): Promise<void> {
    this.#database.close();
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

interface Condition {
  readonly sql: string;
  readonly values: Values;
}

function planCondition(plan: string | undefined): Condition[] {
  return plan === undefined ? [] : [{ sql: '(plan_name = ? OR plan_id = ?)', values: [plan, plan] }];
}

function stateCondition(states: readonly string[] | undefined): Condition[] {
  return states === undefined ? [] : [{ sql: `state IN (${marks(states)})`, values: [...states] }];
}

function backupCondition(backupId: BackupId | undefined): Condition[] {
  return backupId === undefined ? [] : [{ sql: 'backup_id = ?', values: [backupId] }];
}

function whereSql(conditions: readonly Condition[]): string {
  return conditions.length === 0 ? '' : `WHERE ${conditions.map(({ sql }) => sql).join(' AND ')}`;
}

function marks(values: readonly unknown[]): string {
  return values.map(() => '?').join(', ');
}
