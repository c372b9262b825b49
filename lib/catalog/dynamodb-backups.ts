import { randomUUID } from 'node:crypto';
import { $add, $get, ConditionCheck, GetItemCommand, PutTransaction, UpdateTransaction } from 'dynamodb-toolbox';
import type { BackupId, PlanId } from '../model/ids.ts';
import type { DynamodbCalls, QueryRange, RowAction } from './dynamodb-calls.ts';
import type { Listed } from './dynamodb-keys.ts';
import { groupKey, key, monthOf, partition, POINTER, timeKey } from './dynamodb-keys.ts';
import type { Rows } from './dynamodb-table.ts';
import type { BackupRecord, SourceSummary } from './records.ts';

type Item = Readonly<Record<string, unknown>>;

/** Which generation counts; `building` is the one that a rebuild is writing now. */
export interface Pointer {
  readonly generation: number;
  readonly building?: number;
  readonly late?: number;
  /** The oldest generation that may still have rows. */
  readonly oldest?: number;
}

export interface Sums {
  readonly backups: number;
  readonly files: number;
  readonly bytes: number;
  readonly addedBytes: number;
}

const UNKNOWN_SOURCE: SourceSummary = { type: 'unknown', description: '' };
const NOTHING: Sums = { backups: 0, files: 0, bytes: 0, addedBytes: 0 };

/**
 * The rows that belong to one backup: itself, its plan with the sums of all its backups, the month it is listed in, the
 * generation it is written to. They are written together, by the catalog or as part of the end of a run.
 */
export class DynamodbBackups {
  readonly #rows: Rows;
  readonly #calls: DynamodbCalls;
  /** Months that are in the table; they never leave it. */
  readonly #known = new Set<string>();

  constructor(rows: Rows, calls: DynamodbCalls) {
    this.#rows = rows;
    this.#calls = calls;
  }

  async pointer(): Promise<Pointer> {
    const { Item } = await this.#calls.send(() => this.#rows.pointer.build(GetItemCommand).key(POINTER).options({ consistent: true }).send());
    return (Item as Pointer | undefined) ?? { generation: 0 };
  }

  /** Rows that write or replace a backup. When a condition of theirs is refused, the caller asks for them again. */
  async recording(backup: BackupRecord): Promise<RowAction[]> {
    const pointer = await this.pointer();
    const known = await this.find(pointer.generation, backup.backupId);
    return [
      this.#put(pointer.generation, backup, known?.revision),
      this.#addToPlan(pointer.generation, backup, minus(sumsOf(backup), sumsOf(known?.backup))),
      ...(await this.knowMonth('BACKUP', backup.finishedAt, pointer.generation)),
      ...this.guard(pointer, backup),
    ];
  }

  async find(generation: number, backupId: BackupId): Promise<{ readonly backup: BackupRecord; readonly revision: string } | undefined> {
    const { Item } = await this.#calls.send(() => this.#rows.backups.build(GetItemCommand).key(key.backup(generation, backupId)).options({ consistent: true }).send());
    if (Item === undefined) return undefined;
    const { revision, ...backup } = Item;
    return { backup: backup as unknown as BackupRecord, revision };
  }

  /** A row of the table for a backup, as `batch` takes it. */
  row(generation: number, backup: BackupRecord): object {
    const at = { time: backup.finishedAt, id: backup.backupId };
    return {
      ...key.backup(generation, backup.backupId), ...timeKey('BACKUP', generation, at), ...groupKey(partition.backupsOfPlan(generation, backup.planId), at),
      ...backup, revision: randomUUID(),
    };
  }

  /** Refuses when the generation has changed; while another one is being built, hands the backup to the builder. */
  guard(pointer: Pointer, backup?: BackupRecord): RowAction[] {
    const { generation, building } = pointer;
    if (building === undefined || backup === undefined) return [this.#rows.pointer.build(ConditionCheck).key(POINTER).condition(asRead(pointer))];
    return [
      this.#rows.pointer.build(UpdateTransaction).item({ ...POINTER, generation, late: $add(1) }).options({ condition: asRead(pointer) }),
      this.#rows.late.build(PutTransaction).item({ ...key.late(building, backup.backupId), backup }),
    ];
  }

  /** Makes the plan of a run known; what is known of it stays. */
  async knowPlan({ planId, planName }: { readonly planId: PlanId; readonly planName: string }): Promise<RowAction[]> {
    const { generation } = await this.pointer();
    return [this.#addToPlan(generation, { planId, planName, source: UNKNOWN_SOURCE }, NOTHING)];
  }

  /** A row that adds a month to those that are listed; none when it is there. */
  async knowMonth(listed: Listed, time: number, generation = 0): Promise<RowAction[]> {
    const month = monthOf(time);
    const name = partition.month(listed, generation, month);
    if (!this.#known.has(name) && (await this.months(listed, generation)).includes(month)) this.#known.add(name);
    return this.#known.has(name) ? [] : [this.#rows.months.build(UpdateTransaction).item({ ...key.months(listed, generation), months: $add(new Set([month])) })];
  }

  /** Newest first. */
  async months(listed: Listed, generation: number): Promise<string[]> {
    const { Item } = await this.#calls.send(() => this.#rows.months.build(GetItemCommand).key(key.months(listed, generation)).options({ consistent: true }).send());
    return [...(Item?.months ?? [])].sort().reverse();
  }

  /** Pages of rows, newest first through all months; only what lies before `below` (a sort key with its month). */
  async *byTime(listed: Listed, generation: number, options: { readonly below?: { readonly month: string; readonly sk: string }; readonly pageSize?: NonNullable<QueryRange['pageSize']> } = {}): AsyncGenerator<readonly Item[]> {
    const { below, pageSize } = options;
    for (const month of await this.months(listed, generation)) {
      if (below !== undefined && month > below.month) continue;
      const range = { index: 'byTime' as const, partition: partition.month(listed, generation, month), isNewestFirst: true };
      yield* this.#calls.query({ ...range, ...(below?.month === month && { below: below.sk }), ...(pageSize !== undefined && { pageSize }) });
    }
  }

  /** The change of a backup from one record to another: its row and the sums of its plan. */
  change(generation: number, from: { readonly backup: BackupRecord; readonly revision: string }, to: BackupRecord): RowAction[] {
    return [this.#put(generation, to, from.revision), this.#addToPlan(generation, to, minus(sumsOf(to), sumsOf(from.backup)))];
  }

  #put(generation: number, backup: BackupRecord, revision: string | undefined): RowAction {
    const condition = revision === undefined ? { attr: 'pk' as const, exists: false as const } : { attr: 'revision' as const, eq: revision };
    return this.#rows.backups.build(PutTransaction).item(this.row(generation, backup) as never).options({ condition });
  }

  #addToPlan(generation: number, plan: { readonly planId: PlanId; readonly planName: string; readonly source: SourceSummary }, sums: Sums): RowAction {
    const { planId, planName, source } = plan;
    const added = Object.fromEntries(Object.entries(sums).map(([name, value]) => [name, $add(value)]));
    return this.#rows.plans.build(UpdateTransaction).item({
      ...key.plan(generation, planId), planId, name: $get('name', planName), state: $get('state', 'active'), source: $get('source', source as never), ...added,
    } as never);
  }
}

/** What a backup adds to the sums of its plan: nothing once it has expired. */
export function sumsOf(backup: BackupRecord | undefined): Sums {
  if (backup === undefined || backup.state === 'expired') return NOTHING;
  return { backups: 1, files: backup.files, bytes: backup.bytes, addedBytes: backup.addedBytes };
}

export function plus(one: Sums, other: Sums): Sums {
  return { backups: one.backups + other.backups, files: one.files + other.files, bytes: one.bytes + other.bytes, addedBytes: one.addedBytes + other.addedBytes };
}

function minus(one: Sums, other: Sums): Sums {
  return { backups: one.backups - other.backups, files: one.files - other.files, bytes: one.bytes - other.bytes, addedBytes: one.addedBytes - other.addedBytes };
}

/** The pointer as it was read; absent it is generation 0. */
export function asRead({ generation, building }: Pointer) {
  const isGeneration = { attr: 'generation' as const, eq: generation };
  const isBuilding = building === undefined ? { attr: 'building' as const, exists: false as const } : { attr: 'building' as const, eq: building };
  return { and: [generation === 0 ? { or: [{ attr: 'pk' as const, exists: false as const }, isGeneration] } : isGeneration, isBuilding] };
}
