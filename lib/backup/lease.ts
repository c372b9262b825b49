import type { RunLedger } from '../catalog/run-ledger.ts';
import type { StageProgress } from '../catalog/ledger-records.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { BackupId, RunId } from '../model/ids.ts';

export const HEARTBEAT_MILLISECONDS = 30_000;
export const LEASE_MILLISECONDS = 3 * 60_000;

export interface LeaseOptions {
  readonly ledger: Pick<RunLedger, 'heartbeat' | 'beginCommit'>;
  readonly clock: Clock;
  readonly runId: RunId;
  readonly fence: number;
  /** When the lease that was given with the claim ends. */
  readonly leaseUntil: number;
  readonly heartbeatMs?: number;
  readonly leaseMs?: number;
  /** After this the run has taken too long (its plan's maximum duration). */
  readonly stopBy?: number | undefined;
  readonly progress: () => StageProgress | undefined;
  /** A heartbeat that could not be written; the next one is tried. */
  readonly onTrouble?: (error: HoldfastError) => void;
}

/**
 * Holds the right to work on a run: extends it while the run lives and aborts `signal` when it is lost, when nobody could
 * be told for a whole lease, or when the run has taken too long. The clock of this machine measures only spans; whether
 * the lease stands is decided by the ledger with the fencing token.
 */
export class Lease {
  readonly #options: LeaseOptions;
  readonly #stopped = new AbortController();
  readonly #lost = new AbortController();
  #heldUntil: number;
  #beating: Promise<void> | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#heldUntil = options.leaseUntil;
  }

  /** Somebody else decides about the run: nothing may be written in its name. */
  isLost = false;

  /** Aborted with the reason as a HoldfastError. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  start(): void {
    this.#beating = this.#beat();
  }

  /** The last moment before the snapshot: throws `stale` when somebody else decides about this run by now. */
  async beginCommit(backupId: BackupId): Promise<void> {
    const { ledger, clock, runId, fence, leaseMs = LEASE_MILLISECONDS } = this.#options;
    this.#lost.signal.throwIfAborted();
    const now = clock.now();
    if (await ledger.beginCommit(runId, fence, { now, leaseUntil: now + leaseMs, backupId })) return void (this.#heldUntil = now + leaseMs);
    throw this.#lose('the control plane gave the run up before the commit');
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#beating;
  }

  async #beat(): Promise<void> {
    const { clock, heartbeatMs = HEARTBEAT_MILLISECONDS } = this.#options;
    while (!this.#stopped.signal.aborted && !this.#lost.signal.aborted) {
      await clock.sleep(heartbeatMs, this.#stopped.signal).catch(() => undefined);
      if (this.#stopped.signal.aborted) return;
      await this.#extend();
      this.#refuseOverrun();
    }
  }

  async #extend(): Promise<void> {
    const { ledger, clock, runId, fence, leaseMs = LEASE_MILLISECONDS, progress, onTrouble } = this.#options;
    const now = clock.now();
    const state = progress();
    try {
      const isHeld = await ledger.heartbeat(runId, fence, { now, leaseUntil: now + leaseMs, ...(state && { progress: state }) });
      if (isHeld) this.#heldUntil = now + leaseMs;
      else if (!this.#stopped.signal.aborted) this.#lose('the control plane gave the run up');
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      onTrouble?.(error);
      if (clock.now() >= this.#heldUntil) this.#lose(`nobody could be told that it lives: ${error.message}`);
    }
  }

  #lose(how: string): HoldfastError {
    this.isLost = true;
    const error = new HoldfastError('stale', `This worker lost its lease: ${how}. It stores nothing more.`, { nextStep: 'Nothing to do here: the run was ended or given to somebody else, and the next one reuses what is stored.' });
    this.#lost.abort(error);
    return error;
  }

  #refuseOverrun(): void {
    const { clock, stopBy } = this.#options;
    if (stopBy === undefined || clock.now() < stopBy) return;
    this.#lost.abort(
      new HoldfastError('interrupted', `The run was stopped at the end of its plan's maximum duration.`, {
        nextStep: 'What was stored so far is reused by the next run. Raise `max-duration-minutes` of the plan or `task` (cpu) when this happens again.',
      }),
    );
  }
}
