import type { Catalog } from '../catalog/catalog.ts';
import type { BackupRecord, RunRecord, RunState } from '../catalog/records.ts';
import type { Clock } from '../model/clock.ts';
import { isHoldfastError } from '../model/errors.ts';
import type { BackupId, RunId } from '../model/ids.ts';

/**
 * Writes a run's life into the catalog, which is a cache: what cannot be written becomes a note, once, and the run goes
 * on.
 */
export class RunRecorder {
  readonly notes: string[] = [];
  readonly #open: () => Promise<Catalog>;
  readonly #clock: Clock;
  #runId: RunId | undefined;

  constructor(open: () => Promise<Catalog>, clock: Clock) {
    this.#open = open;
    this.#clock = clock;
  }

  /** The caller holds the lock of the plan, so a run of it that is under way in the catalog has died. */
  async begin(run: Pick<RunRecord, 'runId' | 'planId' | 'planName' | 'type' | 'host'>): Promise<void> {
    const now = this.#clock.now();
    await this.record(async (catalog) => {
      for (const dead of await catalog.listRuns({ plan: run.planId, states: ['running', 'committing'] })) {
        await catalog.transitionRun(dead.runId, { from: ['running', 'committing'], to: 'failed', set: { finishedAt: now, error: { code: 'interrupted', message: 'Its process ended without a word.' } } });
      }
    });
    const isWritten = await this.record((catalog) => catalog.recordRun({ ...run, state: 'running', queuedAt: now, startedAt: now, processId: process.pid }));
    if (isWritten) this.#runId = run.runId;
  }

  async end(state: RunState, backup: BackupRecord, backupId: BackupId): Promise<void> {
    await this.#move(['running'], 'committing');
    await this.record((catalog) => catalog.recordBackup(backup));
    await this.#move(['committing'], state, { finishedAt: this.#clock.now(), backupId });
  }

  async fail(error: unknown): Promise<void> {
    const isInterrupted = isHoldfastError(error, 'interrupted');
    const message = error instanceof Error ? error.message : String(error);
    await this.#move(['running', 'committing'], isInterrupted ? 'cancelled' : 'failed', { finishedAt: this.#clock.now(), error: { code: isHoldfastError(error) ? error.code : 'broken-invariant', message } });
  }

  /** True when it was written. */
  async record(write: (catalog: Catalog) => Promise<unknown>): Promise<boolean> {
    try {
      await write(await this.#open());
      return true;
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      if (this.notes.length === 0) this.notes.push(`The catalog could not be written: ${error.message} The vault is not touched by this; \`holdfast catalog rebuild\` makes the catalog again.`);
      return false;
    }
  }

  async #move(from: readonly RunState[], to: RunState, set: Parameters<Catalog['transitionRun']>[1]['set'] = {}): Promise<void> {
    const runId = this.#runId;
    if (runId !== undefined) await this.record((catalog) => catalog.transitionRun(runId, { from, to, set }));
  }
}
