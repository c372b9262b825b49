import { $set, ConditionCheck, GetItemCommand, PutItemCommand, PutTransaction, UpdateItemCommand, UpdateTransaction } from 'dynamodb-toolbox';
import { HoldfastError, invariant } from '../model/errors.ts';
import type { BackupId, RunId } from '../model/ids.ts';
import type { BackupFilter, BackupPage, Catalog, CatalogContents, CatalogStats, PlanStats, RunMove } from './catalog.ts';
import { asRead, DynamodbBackups, plus } from './dynamodb-backups.ts';
import type { Sums } from './dynamodb-backups.ts';
import { DynamodbCalls } from './dynamodb-calls.ts';
import type { QueryRange } from './dynamodb-calls.ts';
import { groupKey, key, monthOf, partition, POINTER, timeKey, timeText } from './dynamodb-keys.ts';
import { DynamodbRebuild } from './dynamodb-rebuild.ts';
import { read, readBackup, runRecordOf } from './dynamodb-records.ts';
import { openTable } from './dynamodb-table.ts';
import type { DynamodbPlace, Rows } from './dynamodb-table.ts';
import { limitOf } from './list-limit.ts';
import { decodeCursor, encodeCursor } from './page-cursor.ts';
import type { BackupRecord, BackupState, PlanRecord, RestoreRecord, RunRecord, RunState, ValidationRecord } from './records.ts';
import { BACKUP_STATES, mayBecome } from './records.ts';

const NOT_EXPIRED: readonly BackupState[] = BACKUP_STATES.filter((state) => state !== 'expired');
const USABLE: readonly BackupState[] = ['completed', 'validating', 'validated'];
/** Not fewer rows at once: many may be of a state that is not asked for. */
const SMALL_PAGE = 25;
/** Of runs that are looked for among all: the failed ones of a healthy stack are few in thousands. */
const SEARCHED_PAGE = 250;

type Item = Readonly<Record<string, unknown>>;
type PlanRow = PlanRecord & Partial<Sums>;

/**
 * The catalog in a DynamoDB table. Rows by id and plans are read consistently; lists come from indexes and may miss what
 * was written in the last second. Writes of several rows are transactions.
 *
 * `replaceAll` writes the new contents beside the old ones and takes them over by one write: killed before that, the old
 * catalog is whole; killed after it, old rows stay until the next rebuild, unseen, but ended runs go on being listed. A
 * backup that is recorded meanwhile is kept. A second rebuild at the same time makes the first fail with `busy`.
 */
export class DynamodbCatalog implements Catalog {
  readonly description: string;
  readonly #rows: Rows;
  readonly #calls: DynamodbCalls;
  readonly #backups: DynamodbBackups;

  constructor(place: DynamodbPlace) {
    this.description = `DynamoDB table ${place.tableName}`;
    this.#rows = openTable(place);
    this.#calls = new DynamodbCalls(place);
    this.#backups = new DynamodbBackups(this.#rows, this.#calls);
  }

  async recordPlan(plan: PlanRecord): Promise<void> {
    const pointer = await this.#backups.pointer();
    for (const generation of [pointer.generation, pointer.building]) {
      if (generation !== undefined) await this.#calls.send(() => this.#rows.plans.build(UpdateItemCommand).item({ ...key.plan(generation, plan.planId), ...plan, source: $set(plan.source) } as never).send());
    }
  }

  async listPlans(): Promise<PlanRecord[]> {
    return (await this.#plans()).map(({ planId, name, state, source }) => ({ planId, name, state, source }));
  }

  async recordRun(run: RunRecord): Promise<void> {
    const row = { ...key.run(run.runId), ...timeKey('RUN', 0, { time: run.queuedAt, id: run.runId }), ...run };
    const put = this.#rows.runs.build(PutTransaction).item(row as never).options({ condition: { attr: 'pk', exists: false } });
    const refused = await this.#calls.write([put, ...(await this.#backups.knowPlan(run)), ...(await this.#backups.knowMonth('RUN', run.queuedAt))]);
    if (refused !== undefined) throw new HoldfastError('already-exists', `Run ${run.runId} is in the catalog already, wanted a new run.`);
  }

  async transitionRun(runId: RunId, move: RunMove): Promise<boolean> {
    for (const from of move.from) invariant(mayBecome(from, move.to), `a run cannot go from ${from} to ${move.to}`);
    for (;;) {
      const run = await this.#run(runId);
      if (run === undefined) throw new HoldfastError('not-found', `Run ${runId} is not in the catalog.`);
      invariant(run.vault === undefined, `run ${runId} belongs to the run ledger, which alone moves it`);
      if (!move.from.includes(run.state as RunState)) return false;
      const to = { ...key.run(runId), ...move.set, state: move.to, ...(move.set?.error && { error: $set(move.set.error) }) };
      const row = this.#rows.runs.build(UpdateTransaction).item(to as never).options({ condition: { attr: 'state', eq: run.state } });
      if ((await this.#calls.write([row])) === undefined) return true;
    }
  }

  async getRun(runId: RunId): Promise<RunRecord | undefined> {
    const run = await this.#run(runId);
    return run === undefined ? undefined : runRecordOf(run);
  }

  async listRuns(filter: { plan?: string; states?: readonly RunState[]; limit?: number } = {}): Promise<RunRecord[]> {
    const isWanted = (run: RunRecord): boolean => isOfPlan(run, filter.plan) && (filter.states?.includes(run.state) ?? true);
    const limit = limitOf(filter.limit);
    const isSearch = filter.plan !== undefined || filter.states !== undefined;
    const pages = this.#backups.byTime('RUN', 0, { pageSize: isSearch ? Math.max(limit, SEARCHED_PAGE) : limit });
    return take(pages, limit, (row) => runRecordOf(read(this.#rows.runs, row)), isWanted);
  }

  async recordBackup(backup: BackupRecord): Promise<void> {
    // Refused: the backup or the generation changed since it was read; both are read again.
    while ((await this.#calls.write(await this.#backups.recording(backup))) !== undefined);
  }

  async getBackup(idOrPrefix: string): Promise<BackupRecord> {
    const prefix = idOrPrefix.toUpperCase();
    const found = prefix === '' ? [] : await this.#beginning(prefix);
    const exact = found.find((backup) => backup.backupId === prefix) ?? (found.length === 1 ? found[0] : undefined);
    return exact ?? noneOrSeveral(idOrPrefix, found);
  }

  async listBackups(filter: BackupFilter = {}): Promise<BackupPage> {
    const limit = limitOf(filter.limit);
    const after = filter.cursor === undefined ? undefined : decodeCursor(filter.cursor);
    const { generation } = await this.#backups.pointer();
    const states = filter.states ?? NOT_EXPIRED;
    const below = after === undefined ? undefined : { month: monthOf(after.finishedAt), sk: timeText(after.finishedAt, after.backupId) };
    let seen = 0;
    const pageSize = (): number => Math.max(SMALL_PAGE, limit + 1 - seen);
    const lists = filter.plan === undefined
      ? [this.#backups.byTime('BACKUP', generation, { ...(below && { below }), pageSize })]
      : (await this.#planIds(filter.plan)).map((planId) => this.#ofPlan(generation, planId, { ...(below && { below: below.sk }), pageSize }));
    const isWanted = (backup: BackupRecord): boolean => {
      const isIt = states.includes(backup.state) && isOfPlan(backup, filter.plan);
      if (isIt && seen < limit) seen += 1;
      return isIt;
    };
    const found = await Promise.all(lists.map((pages) => take(pages, limit + 1, readBackup, isWanted)));
    return pageOf(found.flat().sort(newestFirst), limit);
  }

  async latestBackup(plan?: string): Promise<BackupRecord | undefined> {
    return (await this.listBackups({ ...(plan === undefined ? {} : { plan }), states: USABLE, limit: 1 })).backups[0];
  }

  async setBackupState(backupId: BackupId, to: BackupState, from: readonly BackupState[] = BACKUP_STATES): Promise<boolean> {
    for (;;) {
      const pointer = await this.#backups.pointer();
      const known = await this.#backups.find(pointer.generation, backupId);
      if (known === undefined) throw new HoldfastError('not-found', `Backup ${backupId} is not in the catalog.`);
      if (!from.includes(known.backup.state)) return false;
      const backup = { ...known.backup, state: to };
      const rows = [...this.#backups.change(pointer.generation, known, backup), ...this.#backups.guard(pointer, backup)];
      if ((await this.#calls.write(rows)) === undefined) return true;
    }
  }

  async recordValidation(validation: ValidationRecord): Promise<void> {
    for (;;) {
      const pointer = await this.#backups.pointer();
      const generations = [pointer.generation, ...(pointer.building === undefined ? [] : [pointer.building])];
      const rows = generations.map((generation) => this.#rows.validations.build(PutTransaction).item(validationRow(generation, validation) as never));
      const months = await Promise.all(generations.map((generation) => this.#backups.knowMonth('VALIDATION', validation.finishedAt, generation)));
      const guard = this.#rows.pointer.build(ConditionCheck).key(POINTER).condition(asRead(pointer));
      if ((await this.#calls.write([...rows, ...months.flat(), guard])) === undefined) return;
    }
  }

  async lastValidation(backupId: BackupId): Promise<ValidationRecord | undefined> {
    return (await this.listValidations({ backupId, limit: 1 }))[0];
  }

  async listValidations(filter: { backupId?: BackupId; limit?: number } = {}): Promise<ValidationRecord[]> {
    const { generation } = await this.#backups.pointer();
    const limit = limitOf(filter.limit);
    const pages = filter.backupId === undefined
      ? this.#backups.byTime('VALIDATION', generation, { pageSize: limit })
      : this.#calls.query({ index: 'byGroup', partition: partition.validationsOf(generation, filter.backupId), isNewestFirst: true, pageSize: limit });
    return take(pages, limit, (row) => read<ValidationRecord>(this.#rows.validations, row));
  }

  async recordRestore(restore: RestoreRecord): Promise<void> {
    const { generation } = await this.#backups.pointer();
    const at = { time: restore.startedAt, id: restore.restoreId };
    const row = { ...key.restore(generation, restore.restoreId), ...timeKey('RESTORE', generation, at), ...groupKey(partition.restoresOf(generation, restore.backupId), at), ...restore };
    const months = await this.#backups.knowMonth('RESTORE', restore.startedAt, generation);
    if (months.length > 0) await this.#calls.write(months);
    const isOpen = { or: [{ attr: 'pk' as const, exists: false as const }, { attr: 'state' as const, eq: 'running' as const }] };
    const put = this.#rows.restores.build(PutItemCommand).item(row as never);
    await this.#calls.writeOne(() => (restore.state === 'running' ? put.options({ condition: isOpen }) : put).send());
  }

  async listRestores(filter: { backupId?: BackupId; limit?: number } = {}): Promise<RestoreRecord[]> {
    const { generation } = await this.#backups.pointer();
    const limit = limitOf(filter.limit);
    const pages = filter.backupId === undefined
      ? this.#backups.byTime('RESTORE', generation, { pageSize: limit })
      : this.#calls.query({ index: 'byGroup', partition: partition.restoresOf(generation, filter.backupId), isNewestFirst: true, pageSize: limit });
    return take(pages, limit, (row) => read<RestoreRecord>(this.#rows.restores, row));
  }

  /** From the sums that the plans carry: one small read, and one for the newest backup of each plan. */
  async stats(): Promise<CatalogStats> {
    const { generation } = await this.#backups.pointer();
    const plans = (await this.#plans()).filter((plan) => (plan.backups ?? 0) > 0);
    const sums = plans.map(sumsOfPlan).reduce(plus, { backups: 0, files: 0, bytes: 0, addedBytes: 0 });
    const latest = await Promise.all(plans.map((plan) => take(this.#ofPlan(generation, plan.planId, { pageSize: 10 }), 1, readBackup, (backup) => backup.state !== 'expired')));
    return { ...sums, plans: plans.map((plan, index) => statsOf(plan, latest[index]?.[0])).sort(byName) };
  }

  async replaceAll(found: CatalogContents): Promise<void> {
    await new DynamodbRebuild(this.#rows, this.#calls, this.#backups).replaceAll(found);
  }

  async close(): Promise<void> {
    // The client belongs to whoever made it.
  }

  async #run(runId: RunId) {
    return (await this.#calls.send(() => this.#rows.runs.build(GetItemCommand).key(key.run(runId)).options({ consistent: true }).send())).Item;
  }

  /** By name, then id. */
  async #plans(): Promise<PlanRow[]> {
    const { generation } = await this.#backups.pointer();
    const plans: PlanRow[] = [];
    for await (const page of this.#calls.query({ partition: partition.plans(generation) })) plans.push(...page.map((row) => read<PlanRow>(this.#rows.plans, row)));
    return plans.sort((one, other) => compare(one.name, other.name) || compare(one.planId, other.planId));
  }

  async #planIds(nameOrId: string): Promise<string[]> {
    return (await this.#plans()).filter(({ planId, name }) => planId === nameOrId || name === nameOrId).map(({ planId }) => planId);
  }

  async #beginning(prefix: string): Promise<BackupRecord[]> {
    const { generation } = await this.#backups.pointer();
    return take(this.#calls.query({ partition: partition.backups(generation), prefix, pageSize: 11 }), 11, readBackup);
  }

  #ofPlan(generation: number, planId: string, options: { readonly below?: string; readonly pageSize?: NonNullable<QueryRange['pageSize']> }): AsyncGenerator<readonly Item[]> {
    return this.#calls.query({ index: 'byGroup', partition: partition.backupsOfPlan(generation, planId), isNewestFirst: true, ...options });
  }
}

async function take<T>(pages: AsyncIterable<readonly Item[]>, limit: number, parse: (row: Item) => T, isWanted: (record: T) => boolean = () => true): Promise<T[]> {
  const found: T[] = [];
  for await (const page of pages) {
    found.push(...page.map(parse).filter(isWanted));
    if (found.length >= limit) break;
  }
  return found.slice(0, limit);
}

function pageOf(backups: readonly BackupRecord[], limit: number): BackupPage {
  const last = backups[limit - 1];
  return backups.length <= limit || last === undefined ? { backups } : { backups: backups.slice(0, limit), next: encodeCursor(last) };
}

function noneOrSeveral(idOrPrefix: string, found: readonly BackupRecord[]): never {
  if (found.length === 0) throw new HoldfastError('not-found', `No backup begins with ${JSON.stringify(idOrPrefix)}.`, { nextStep: '`holdfast list` shows all backups.' });
  const candidates = found.slice(0, 10).map((backup) => backup.backupId);
  throw new HoldfastError('usage', `${JSON.stringify(idOrPrefix)} is the beginning of several backups (${candidates.join(', ')}${found.length > 10 ? ', ...' : ''}), wanted one.`, { nextStep: 'Give more characters of the id.', data: { candidates } });
}

function validationRow(generation: number, validation: ValidationRecord): object {
  const at = { time: validation.finishedAt, id: validation.validationId };
  return { ...key.validation(generation, validation.validationId), ...timeKey('VALIDATION', generation, at), ...groupKey(partition.validationsOf(generation, validation.backupId), at), ...validation };
}

function sumsOfPlan({ backups = 0, files = 0, bytes = 0, addedBytes = 0 }: PlanRow): Sums {
  return { backups, files, bytes, addedBytes };
}

function statsOf({ planId, name, backups = 0, bytes = 0, addedBytes = 0 }: PlanRow, latest: BackupRecord | undefined): PlanStats {
  return { planId, planName: latest?.planName ?? name, backups, latestFinishedAt: latest?.finishedAt ?? 0, bytes, addedBytes };
}

function isOfPlan({ planId, planName }: { readonly planId: string; readonly planName: string }, plan: string | undefined): boolean {
  return plan === undefined || planId === plan || planName === plan;
}

function newestFirst(one: BackupRecord, other: BackupRecord): number {
  return other.finishedAt - one.finishedAt || compare(other.backupId, one.backupId);
}

function byName(one: PlanStats, other: PlanStats): number {
  return compare(one.planName, other.planName) || compare(one.planId, other.planId);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
