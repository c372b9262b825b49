import { randomUUID } from 'node:crypto';
import { $add, $delete, $remove, $set, DeleteTransaction, GetItemCommand, PutTransaction, UpdateItemCommand, UpdateTransaction } from 'dynamodb-toolbox';
import { HoldfastError } from '../model/errors.ts';
import type { BackupId, RunId } from '../model/ids.ts';
import { DynamodbAlerts } from './dynamodb-alerts.ts';
import { DynamodbBackups } from './dynamodb-backups.ts';
import { DynamodbCalls } from './dynamodb-calls.ts';
import type { RowAction } from './dynamodb-calls.ts';
import { ACTIVE, groupKey, key, partition, timeKey, timeText } from './dynamodb-keys.ts';
import { ledgerRunOf, read } from './dynamodb-records.ts';
import type { RunRow } from './dynamodb-records.ts';
import { openTable } from './dynamodb-table.ts';
import type { DynamodbPlace, Rows } from './dynamodb-table.ts';
import type { AlertRecord, HealingNote, LedgerRun, OccurrenceRecord, PlanPause, StageProgress } from './ledger-records.ts';
import { checkAdmission, checkClaim, checkEnd, mayEnd } from './ledger-rules.ts';
import { limitOf } from './list-limit.ts';
import type { Admission, Admitted, ClaimLease, Refused, RunEnd, RunLedger } from './run-ledger.ts';

const MOST_OCCURRENCES = 10_000;
/** An occurrence stays known far longer than any schedule or catch-up looks back. */
const OCCURRENCE_SECONDS = 400 * 86_400;

/**
 * The run ledger in the table of the catalog. Every step is a conditional write; steps of several rows are transactions.
 * What a step is decided on is read consistently, and once more when somebody was faster. Lists by index (`activeRuns`,
 * `listOccurrences`, `listAlerts`) may miss what was written in the last second.
 */
export class DynamodbLedger implements RunLedger {
  readonly #rows: Rows;
  readonly #calls: DynamodbCalls;
  readonly #backups: DynamodbBackups;
  readonly #alerts: DynamodbAlerts;

  constructor(place: DynamodbPlace) {
    this.#rows = openTable(place);
    this.#calls = new DynamodbCalls(place);
    this.#backups = new DynamodbBackups(this.#rows, this.#calls);
    this.#alerts = new DynamodbAlerts(this.#rows, this.#calls, this.#backups);
  }

  async claimOccurrence(occurrence: OccurrenceRecord, run: LedgerRun): Promise<{ isNew: boolean; runId: RunId }> {
    checkClaim(occurrence, run);
    const known = await this.getOccurrence(occurrence.key);
    if (known !== undefined) return { isNew: known.runId === run.runId, runId: known.runId };
    const refused = await this.#calls.write([this.#newOccurrence(occurrence), this.#newRun(run), this.#enqueue(run), ...(await this.#backups.knowPlan(run)), ...(await this.#backups.knowMonth('RUN', run.queuedAt))]);
    if (refused === undefined) return { isNew: true, runId: run.runId };
    const first = await this.getOccurrence(occurrence.key);
    if (first !== undefined) return { isNew: first.runId === run.runId, runId: first.runId };
    throw new HoldfastError('already-exists', `Run ${run.runId} is in the catalog already, wanted a new run for ${occurrence.key}.`);
  }

  async getOccurrence(occurrence: string): Promise<OccurrenceRecord | undefined> {
    const { Item } = await this.#calls.send(() => this.#rows.occurrences.build(GetItemCommand).key(key.occurrence(occurrence)).options({ consistent: true }).send());
    return Item === undefined ? undefined : (Item as OccurrenceRecord);
  }

  async listOccurrences(planName: string, since: number): Promise<OccurrenceRecord[]> {
    const found: OccurrenceRecord[] = [];
    for await (const page of this.#calls.query({ index: 'byGroup', partition: partition.occurrencesOf(planName), from: timeText(Math.max(0, since)) })) {
      found.push(...page.map((row) => read<OccurrenceRecord>(this.#rows.occurrences, row)));
      if (found.length >= MOST_OCCURRENCES) break;
    }
    return found.slice(0, MOST_OCCURRENCES);
  }

  async getLedgerRun(runId: RunId): Promise<LedgerRun | undefined> {
    const row = await this.#run(runId);
    return row === undefined ? undefined : ledgerRunOf(row);
  }

  async queue(vault: string, limit: number): Promise<LedgerRun[]> {
    const ids: RunId[] = [];
    for await (const page of this.#calls.query({ partition: partition.queue(vault), pageSize: limitOf(limit) })) {
      ids.push(...page.map((row) => row.runId as RunId));
      if (ids.length >= limit) break;
    }
    const runs = new Map((await this.#runs(ids.slice(0, limit))).map((run) => [run.runId, run]));
    return ids.map((id) => runs.get(id)).filter((run): run is LedgerRun => run?.state === 'queued');
  }

  async activeRuns(): Promise<LedgerRun[]> {
    const ids: RunId[] = [];
    for await (const page of this.#calls.query({ index: 'byGroup', partition: ACTIVE })) ids.push(...page.map((row) => row.runId as RunId));
    // The index is a moment behind; the rows are not.
    return (await this.#runs(ids)).filter((run) => run.finishedAt === undefined);
  }

  async admit(runId: RunId, admission: Admission): Promise<Admitted | Refused> {
    checkAdmission(admission);
    const holder = admission.holder ?? randomUUID();
    for (;;) {
      const run = await this.#run(runId);
      if (run?.state === 'starting' && run.admittedBy === holder) return { isAdmitted: true, fence: run.fence };
      if (run?.state !== 'queued') return { isAdmitted: false, reason: 'not-queued' };
      if (run.notBefore > admission.now) return { isAdmitted: false, reason: 'not-due' };
      const refused = await this.#calls.write(this.#admission(run, admission, holder));
      if (refused === undefined) return { isAdmitted: true, fence: run.fence + 1 };
      if (refused > 0) return { isAdmitted: false, reason: refused === 1 ? 'vault-full' : 'plan-busy' };
    }
  }

  async noteTask(runId: RunId, fence: number, taskArn: string): Promise<boolean> {
    return this.#updateRun(runId, { taskArn }, { attr: 'admission', eq: fence });
  }

  async requeue(runId: RunId, fence: number, until: { readonly notBefore: number; readonly reason: string }): Promise<boolean> {
    const run = await this.#run(runId);
    if (run?.fence !== fence || fence === 0) return false;
    // Queued with the token of this holder: put back already, by the call whose answer was lost.
    if (run.state === 'queued') return true;
    if (run.state !== 'starting') return false;
    const back = {
      state: 'queued', attempts: run.attempts + 1, notBefore: until.notBefore, waitingFor: until.reason,
      leaseUntil: $remove(), admission: $remove(), admittedBy: $remove(), taskArn: $remove(),
    };
    const refused = await this.#calls.write([this.#moveRun(run, back), ...this.#giveBack(run), this.#enqueue(run)]);
    return refused === undefined || this.#isQueuedWith(runId, fence);
  }

  async claimRun(runId: RunId, lease: ClaimLease): Promise<LedgerRun | undefined> {
    const claimedBy = lease.holder ?? randomUUID();
    await this.#updateRun(
      runId,
      { state: 'running', fence: $add(1), startedAt: lease.now, leaseUntil: lease.leaseUntil, claimedBy },
      { and: [{ attr: 'state', eq: 'starting' }, { attr: 'leaseUntil', gt: lease.now }] },
    );
    // Refused or not, the row says whose it is: the same holder may ask again, or the first answer was lost.
    const run = await this.#run(runId);
    return run?.state === 'running' && run.claimedBy === claimedBy ? ledgerRunOf(run) : undefined;
  }

  async heartbeat(runId: RunId, fence: number, beat: { readonly now: number; readonly leaseUntil: number; readonly progress?: StageProgress }): Promise<boolean> {
    return this.#updateRun(
      runId,
      { leaseUntil: beat.leaseUntil, ...(beat.progress && { progress: $set(beat.progress) }) },
      { and: [{ attr: 'fence', eq: fence }, { attr: 'state', in: ['running', 'committing'] }, { attr: 'leaseUntil', gt: beat.now }] },
    );
  }

  async beginCommit(runId: RunId, fence: number, commit: { readonly now: number; readonly leaseUntil: number; readonly backupId: BackupId }): Promise<boolean> {
    const isHeld = [{ attr: 'fence', eq: fence }, { attr: 'leaseUntil', gt: commit.now }] as const;
    const isAgain = { and: [{ attr: 'state', eq: 'committing' }, { attr: 'backupId', eq: commit.backupId }] } as const;
    return this.#updateRun(runId, { state: 'committing', leaseUntil: commit.leaseUntil, backupId: commit.backupId }, { and: [...isHeld, { or: [{ attr: 'state', eq: 'running' }, isAgain] }] });
  }

  async endRun(runId: RunId, end: RunEnd): Promise<boolean> {
    checkEnd(end);
    for (;;) {
      const run = await this.#run(runId);
      if (run === undefined) return false;
      if (run.state === end.to) return true;
      if (!mayEnd(run, end)) return false;
      // Refused: the run moved on, or its backup, plan or generation did; both are read again.
      if ((await this.#calls.write(await this.#ending(run, end))) === undefined) return true;
    }
  }

  async noteHealing(runId: RunId, note: HealingNote): Promise<boolean> {
    return this.#updateRun(runId, { healing: $set(note) }, { attr: 'vault', exists: true });
  }

  openAlert = (alert: AlertRecord): Promise<boolean> => this.#alerts.open(alert);
  resolveAlert = (alertId: string, at: number): Promise<boolean> => this.#alerts.resolve(alertId, at);
  claimDelivery = (alertId: string, channel: string, _at: number): Promise<boolean> => this.#alerts.claimDelivery(alertId, channel);
  listAlerts = (filter: { readonly state?: AlertRecord['state']; readonly limit?: number } = {}): Promise<AlertRecord[]> => this.#alerts.list(filter);
  setPaused = (planName: string, paused: { readonly at: number; readonly by: string } | undefined): Promise<void> => this.#alerts.setPaused(planName, paused);
  pauses = (): Promise<readonly PlanPause[]> => this.#alerts.pauses();
  pausedPlans = async (): Promise<readonly string[]> => (await this.pauses()).map(({ planName }) => planName);

  #newOccurrence(occurrence: OccurrenceRecord): RowAction {
    const group = groupKey(partition.occurrencesOf(occurrence.planName), { time: occurrence.at, id: occurrence.key });
    const expiresAt = Math.floor(occurrence.claimedAt / 1000) + OCCURRENCE_SECONDS;
    return this.#rows.occurrences.build(PutTransaction).item({ ...key.occurrence(occurrence.key), ...group, ...occurrence, expiresAt }).options({ condition: { attr: 'pk', exists: false } });
  }

  #newRun(run: LedgerRun): RowAction {
    const lists = { ...timeKey('RUN', 0, { time: run.queuedAt, id: run.runId }), gsi2pk: ACTIVE, gsi2sk: run.runId };
    return this.#rows.runs.build(PutTransaction).item({ ...key.run(run.runId), ...lists, ...run }).options({ condition: { attr: 'pk', exists: false } });
  }

  #enqueue({ vault, rank, runId }: Pick<LedgerRun, 'vault' | 'rank' | 'runId'>): RowAction {
    return this.#rows.queued.build(PutTransaction).item({ ...key.queued(vault, rank, runId), runId });
  }

  #admission(run: RunRow, admission: Admission, holder: string): RowAction[] {
    const { now, leaseUntil, vaultLimit, planLimit } = admission;
    const fence = run.fence + 1;
    const started = { state: 'starting', fence, admission: fence, admittedBy: holder, leaseUntil, waitingFor: $remove() };
    return [
      this.#moveRun(run, started, { attr: 'notBefore', lte: now }),
      this.#takeSlot(key.vaultSlots(run.vault), run.runId, vaultLimit),
      this.#takeSlot(key.planSlots(run.planId), run.runId, planLimit),
      this.#rows.queued.build(DeleteTransaction).key(key.queued(run.vault, run.rank, run.runId)),
    ];
  }

  /** The run as it was read, or nothing. */
  #moveRun(run: RunRow, to: object, also?: object): RowAction {
    const asRead = [{ attr: 'state', eq: run.state }, { attr: 'fence', eq: run.fence }, ...(also === undefined ? [] : [also])];
    return this.#rows.runs.build(UpdateTransaction).item({ ...key.run(run.runId), ...to }).options({ condition: { and: asRead } as never });
  }

  #takeSlot(slots: ReturnType<typeof key.vaultSlots>, runId: string, limit: number): RowAction {
    return this.#rows.slots.build(UpdateTransaction).item({ ...slots, runs: $add(new Set([runId])) }).options({
      condition: { and: [{ or: [{ attr: 'runs', exists: false }, { size: 'runs', lt: limit }] }, { not: { attr: 'runs', contains: runId } }] },
    });
  }

  #giveBack(run: RunRow): RowAction[] {
    return [key.vaultSlots(run.vault), key.planSlots(run.planId)].map((slots) => this.#rows.slots.build(UpdateTransaction).item({ ...slots, runs: $delete(new Set([run.runId])) }));
  }

  async #ending(run: RunRow, end: RunEnd): Promise<RowAction[]> {
    const ended = {
      state: end.to, finishedAt: end.now, leaseUntil: $remove(), waitingFor: $remove(), gsi2pk: $remove(), gsi2sk: $remove(),
      ...(end.error && { error: $set(end.error) }), ...(end.backup && { backupId: end.backup.backupId }),
    };
    const place = run.state === 'queued' ? [this.#rows.queued.build(DeleteTransaction).key(key.queued(run.vault, run.rank, run.runId))] : this.#giveBack(run);
    return [this.#moveRun(run, ended), ...place, ...(end.backup === undefined ? [] : await this.#backups.recording(end.backup))];
  }

  async #isQueuedWith(runId: RunId, fence: number): Promise<boolean> {
    const run = await this.#run(runId);
    return run?.state === 'queued' && run.fence === fence;
  }

  async #updateRun(runId: RunId, to: object, condition: object): Promise<boolean> {
    return this.#calls.writeOne(() => this.#rows.runs.build(UpdateItemCommand).item({ ...key.run(runId), ...to }).options({ condition: condition as never }).send());
  }

  async #run(runId: RunId): Promise<RunRow | undefined> {
    const { Item } = await this.#calls.send(() => this.#rows.runs.build(GetItemCommand).key(key.run(runId)).options({ consistent: true }).send());
    return Item?.vault === undefined ? undefined : (Item as unknown as RunRow);
  }

  async #runs(ids: readonly RunId[]): Promise<LedgerRun[]> {
    return (await this.#calls.getMany(ids.map(key.run))).map((row) => ledgerRunOf(read(this.#rows.runs, row)));
  }
}
