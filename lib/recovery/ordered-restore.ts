import type { Catalog } from '../catalog/catalog.ts';
import type { RestoreRecord, RestoreStage } from '../catalog/records.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { BackupId } from '../model/ids.ts';

/** What a restore brought back; of `state` warnings when not everything is as asked. */
export interface RestoredThings {
  readonly state: 'completed' | 'warnings';
  readonly files: number;
  readonly bytes: number;
  readonly warnings: readonly string[];
}

/** One stage of the work, in order; `done` says how far it is, in plain bytes. */
export interface RestoreStep {
  readonly name: Extract<RestoreStage['name'], 'restored' | 'validated'>;
  perform(report: (doneBytes: number, totalBytes?: number) => void, signal: AbortSignal): Promise<void>;
}

export interface OrderedRestorePorts {
  readonly catalog: Pick<Catalog, 'listRestores' | 'recordRestore'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Tells whoever waits that this still lives; `stale` when nobody waits any more. */
  readonly heartbeat: () => Promise<void>;
  readonly heartbeatMs?: number;
  /** After so long without an answer to a heartbeat nobody waits any more; the time limit of the state, less a beat. */
  readonly patienceMs?: number;
  /** A step of the record or of the heartbeat that could not be written; the restore goes on. */
  readonly onTrouble: (error: HoldfastError) => void;
}

const HEARTBEAT_MILLISECONDS = 30_000;
/** The state ends after 300 seconds of silence: before that this task stops, so that never two write to one target. */
const PATIENCE_MILLISECONDS = 270_000;

/**
 * Walks the stages of a restore that a workflow ordered, writing each into the catalog's record (R3), with a heartbeat.
 * When nobody waits for it any more, or it is asked to stop, the step under way is aborted and its reason is thrown.
 * The record's end is the workflow's to write: it also ends restores whose task died.
 */
export async function performOrderedRestore(order: { readonly restoreId: string; readonly backupId: BackupId }, steps: readonly RestoreStep[], ports: OrderedRestorePorts): Promise<void> {
  // A task that was long in coming may find that its execution has ended, and that another one restores there.
  await isTold(ports);
  const stages = new Stages(order, ports);
  await stages.load();
  const given = new AbortController();
  const beating = beat(stages, given, ports);
  const signal = AbortSignal.any([ports.signal, given.signal]);
  try {
    for (const step of steps) {
      await stages.begin(step.name);
      await step.perform((done, total) => stages.progress(done, total), signal);
      signal.throwIfAborted();
      await stages.end('done');
    }
  } catch (error) {
    await stages.end('failed');
    throw signal.aborted && !isHoldfastError(error, 'damaged') ? signal.reason : error;
  } finally {
    given.abort(new HoldfastError('interrupted', 'The restore has ended.'));
    await beating;
  }
}

async function beat(stages: Stages, given: AbortController, ports: OrderedRestorePorts): Promise<void> {
  const { clock, heartbeatMs = HEARTBEAT_MILLISECONDS, patienceMs = PATIENCE_MILLISECONDS } = ports;
  let toldAt = clock.now();
  while (!given.signal.aborted) {
    await clock.sleep(heartbeatMs, given.signal).catch(() => undefined);
    if (given.signal.aborted) return;
    try {
      if (await isTold(ports)) toldAt = clock.now();
      else if (clock.now() - toldAt >= patienceMs) throw unheard();
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      return given.abort(error);
    }
    await stages.save();
  }
}

/** False when it is not known whether somebody waits; throws `stale` when nobody does. */
async function isTold({ heartbeat, onTrouble }: OrderedRestorePorts): Promise<boolean> {
  try {
    await heartbeat();
    return true;
  } catch (error) {
    if (!isHoldfastError(error) || error.code === 'stale') throw error;
    onTrouble(error);
    return false;
  }
}

function unheard(): HoldfastError {
  return new HoldfastError('stale', 'The workflow could not be told that this restore lives, so it waits no more.', { nextStep: 'Look whether the network of the target reaches Step Functions, then start a new execution.' });
}

/** The record as this task knows it: what was there when it began, and its own stages behind. */
class Stages {
  readonly #order: { readonly restoreId: string; readonly backupId: BackupId };
  readonly #ports: OrderedRestorePorts;
  #record: RestoreRecord | undefined;
  #stages: RestoreStage[] = [];

  constructor(order: { readonly restoreId: string; readonly backupId: BackupId }, ports: OrderedRestorePorts) {
    this.#order = order;
    this.#ports = ports;
  }

  async load(): Promise<void> {
    await this.#unlessTroubled(async () => {
      const records = await this.#ports.catalog.listRestores({ backupId: this.#order.backupId });
      this.#record = records.find(({ restoreId }) => restoreId === this.#order.restoreId);
      this.#stages = [...(this.#record?.stages ?? [])];
    });
  }

  async begin(name: RestoreStage['name']): Promise<void> {
    this.#stages.push({ name, state: 'running', startedAt: this.#ports.clock.now() });
    await this.save();
  }

  progress(doneBytes: number, totalBytes: number | undefined): void {
    const last = this.#stages.at(-1);
    if (last) this.#stages[this.#stages.length - 1] = { ...last, doneBytes, ...(totalBytes !== undefined && { totalBytes }) };
  }

  async end(state: 'done' | 'failed'): Promise<void> {
    const last = this.#stages.at(-1);
    if (last?.state === 'running') this.#stages[this.#stages.length - 1] = { ...last, state, finishedAt: this.#ports.clock.now() };
    await this.save();
  }

  async save(): Promise<void> {
    const record = this.#record;
    if (record) await this.#unlessTroubled(() => this.#ports.catalog.recordRestore({ ...record, stages: [...this.#stages] }));
  }

  /** The catalog is for watching: data that somebody waits for does not wait for it. */
  async #unlessTroubled(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      this.#ports.onTrouble(error);
    }
  }
}
