import { $add, $remove, EntityParser, UpdateTransaction } from 'dynamodb-toolbox';
import type { Entity } from 'dynamodb-toolbox';
import { HoldfastError } from '../model/errors.ts';
import type { CatalogContents } from './catalog.ts';
import { asRead, plus, sumsOf } from './dynamodb-backups.ts';
import type { DynamodbBackups, Pointer, Sums } from './dynamodb-backups.ts';
import type { DynamodbCalls } from './dynamodb-calls.ts';
import { ACTIVE, groupKey, key, monthOf, partition, POINTER, timeKey } from './dynamodb-keys.ts';
import type { Listed, RowKey } from './dynamodb-keys.ts';
import type { Rows } from './dynamodb-table.ts';
import type { BackupRecord, PlanRecord, RunState, ValidationRecord } from './records.ts';
import { FINAL_STATES } from './records.ts';

type Item = Readonly<Record<string, unknown>>;

/**
 * Takes over what a walk of the vault found:
 *
 * 1. The pointer says that generation n is being built. From here every backup that is recorded goes into the old
 *    generation and beside, for the builder, and is counted in the pointer.
 * 2. All rows of generation n are written. Nobody reads them.
 * 3. The backups that came beside are added; the pointer turns to n if it counts no more of them, else once more.
 * 4. What older generations left is deleted, and the runs that have ended.
 *
 * Killed at any time: before the turn everything is as it was, after it the new generation is whole.
 */
export class DynamodbRebuild {
  readonly #rows: Rows;
  readonly #calls: DynamodbCalls;
  readonly #backups: DynamodbBackups;

  constructor(rows: Rows, calls: DynamodbCalls, backups: DynamodbBackups) {
    this.#rows = rows;
    this.#calls = calls;
    this.#backups = backups;
  }

  async replaceAll(found: CatalogContents): Promise<void> {
    const old = await this.#backups.pointer();
    const next = Math.max(old.generation, old.building ?? 0) + 1;
    // Made before anything is written: a record that cannot be written is found here.
    const rows = [...found.backups.map((backup) => this.#parsed(this.#rows.backups, this.#backups.row(next, backup))), ...found.validations.map((validation) => this.#validation(next, validation))];
    const oldest = old.oldest ?? old.generation;
    await this.#movePointer(old, { building: next, late: 0, oldest });
    await this.#putAll(rows);
    await this.#turn({ generation: old.generation, building: next }, found);
    await this.#forget(oldest, next);
  }

  async #turn(pointer: Pointer & { readonly building: number }, found: CatalogContents): Promise<void> {
    for (;;) {
      const { late = 0 } = await this.#backups.pointer();
      const backups = await this.#addLate(pointer.building, found.backups);
      await this.#putAll(await this.#plans(pointer.building, found.plans, backups));
      await this.#knowMonths(pointer.building, backups, found.validations);
      if (await this.#tryPointer({ ...pointer, late }, { generation: pointer.building, building: $remove(), late: $remove() })) return;
      const now = await this.#backups.pointer();
      if (now.building !== pointer.building) throw overtaken();
    }
  }

  async #movePointer(from: Pointer, to: object): Promise<void> {
    if (!(await this.#tryPointer(from, { generation: from.generation, ...to }))) throw overtaken();
  }

  async #tryPointer(from: Pointer, to: object): Promise<boolean> {
    const isUncounted = from.late === undefined ? [] : [{ attr: 'late' as const, eq: from.late }];
    const row = this.#rows.pointer.build(UpdateTransaction).item({ ...POINTER, ...to } as never).options({ condition: { and: [asRead(from), ...isUncounted] } as never });
    return (await this.#calls.write([row])) === undefined;
  }

  /** What was recorded meanwhile is newer than what was found. */
  async #addLate(generation: number, backups: readonly BackupRecord[]): Promise<BackupRecord[]> {
    const all = new Map(backups.map((backup) => [backup.backupId, backup]));
    const late: BackupRecord[] = [];
    for await (const page of this.#calls.query({ partition: partition.late(generation) })) late.push(...page.map((row) => row.backup as BackupRecord));
    await this.#putAll(late.map((backup) => this.#parsed(this.#rows.backups, this.#backups.row(generation, backup))));
    for (const backup of late) all.set(backup.backupId, backup);
    return [...all.values()];
  }

  /** Those that were found, those of backups, those of runs under way. */
  async #plans(generation: number, found: readonly PlanRecord[], backups: readonly BackupRecord[]): Promise<Item[]> {
    const plans = new Map<string, PlanRecord>(found.map((plan) => [plan.planId, plan]));
    const sums = new Map<string, Sums>();
    for (const backup of backups) {
      const { planId, planName: name, source } = backup;
      if (!plans.has(planId)) plans.set(planId, { planId, name, state: 'active', source });
      sums.set(planId, plus(sums.get(planId) ?? sumsOf(undefined), sumsOf(backup)));
    }
    for await (const page of this.#calls.query({ index: 'byGroup', partition: ACTIVE })) {
      for (const { planId, planName } of page as unknown as readonly { planId: PlanRecord['planId']; planName: string }[]) {
        if (!plans.has(planId)) plans.set(planId, { planId, name: planName, state: 'active', source: { type: 'unknown', description: '' } });
      }
    }
    return [...plans.values()].map((plan) => this.#parsed(this.#rows.plans, { ...key.plan(generation, plan.planId), ...plan, ...sums.get(plan.planId) }));
  }

  /** Added, not put: a validation that is recorded meanwhile adds its own. */
  async #knowMonths(generation: number, backups: readonly BackupRecord[], validations: readonly ValidationRecord[]): Promise<void> {
    const listed: readonly (readonly [Listed, readonly number[]])[] = [['BACKUP', backups.map(({ finishedAt }) => finishedAt)], ['VALIDATION', validations.map(({ finishedAt }) => finishedAt)]];
    const rows = listed.filter(([, times]) => times.length > 0).map(([name, times]) => {
      return this.#rows.months.build(UpdateTransaction).item({ ...key.months(name, generation), months: $add(new Set(times.map(monthOf))) });
    });
    if (rows.length > 0) await this.#calls.write(rows);
  }

  #validation(generation: number, validation: ValidationRecord): Item {
    const at = { time: validation.finishedAt, id: validation.validationId };
    return this.#parsed(this.#rows.validations, { ...key.validation(generation, validation.validationId), ...timeKey('VALIDATION', generation, at), ...groupKey(partition.validationsOf(generation, validation.backupId), at), ...validation });
  }

  #parsed(entity: Entity, row: object): Item {
    return this.#calls.build(() => entity.build(EntityParser).parse(row as never).item as Item);
  }

  async #forget(oldest: number, current: number): Promise<void> {
    for (let generation = oldest; generation < current; generation++) {
      const parts = [partition.plans(generation), partition.backups(generation), partition.validations(generation), partition.restores(generation), partition.late(generation)];
      for (const part of parts) await this.#removeRows(this.#calls.query({ partition: part }));
      await this.#removeAll((['BACKUP', 'VALIDATION', 'RESTORE'] as const).map((listed) => key.months(listed, generation)));
    }
    await this.#removeRows(this.#calls.query({ partition: partition.late(current) }));
    // Runs that are not the ledger's, and those of it that have ended.
    await this.#removeRows(this.#backups.byTime('RUN', 0), (run) => run.vault === undefined || FINAL_STATES.includes(run.state as RunState));
    await this.#calls.write([this.#rows.pointer.build(UpdateTransaction).item({ ...POINTER, generation: current, oldest: current }).options({ condition: { attr: 'generation', eq: current } })]);
  }

  async #removeRows(pages: AsyncIterable<readonly Item[]>, isWanted: (row: Item) => boolean = () => true): Promise<void> {
    for await (const page of pages) await this.#removeAll(page.filter(isWanted).map(({ pk, sk }) => ({ pk, sk }) as RowKey));
  }

  #removeAll(keys: readonly RowKey[]): Promise<void> {
    return this.#calls.batch(keys.map((remove) => ({ remove })));
  }

  #putAll(rows: readonly Item[]): Promise<void> {
    return this.#calls.batch(rows.map((put) => ({ put })));
  }
}

function overtaken(): HoldfastError {
  return new HoldfastError('busy', 'Another rebuild of this catalog began meanwhile, wanted one at a time.', { retryable: true, nextStep: 'Wait for the other one, then look whether this one is still needed.' });
}
