import type { LedgerRun } from '../catalog/ledger-records.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import { isHoldfastError } from '../model/errors.ts';
import type { Clock } from '../model/clock.ts';
import { standstillAlert, standstillAlerts } from '../monitoring/alerts.ts';
import type { SetOptions } from '../sources/set.ts';

type Inner = NonNullable<SetOptions['standstill']>;

export interface StandstillTold {
  readonly ledger: Pick<RunLedger, 'openAlert' | 'resolveAlert' | 'listAlerts'>;
  readonly clock: Pick<Clock, 'now'>;
}

const ALERTS_LOOKED_AT = 500;

/**
 * Opens an alert at once, long before the backup is committed, when something could not be set going again; the monitor
 * sends it. One that ends well resolves what earlier runs of the plan told.
 */
export class ToldStandstill implements Inner {
  readonly #inner: Inner;
  readonly #run: Pick<LedgerRun, 'planName' | 'runId'>;
  readonly #told: StandstillTold;
  #hasBegun = false;

  constructor(inner: Inner, run: Pick<LedgerRun, 'planName' | 'runId'>, told: StandstillTold) {
    this.#inner = inner;
    this.#run = run;
    this.#told = told;
  }

  check(): Promise<void> {
    return this.#inner.check();
  }

  begin(signal: AbortSignal): Promise<readonly string[]> {
    signal.throwIfAborted();
    this.#hasBegun = true;
    return this.#inner.begin(signal);
  }

  async end(): Promise<readonly string[]> {
    const complaints = await this.#inner.end();
    if (!this.#hasBegun) return complaints;
    this.#hasBegun = false;
    try {
      await (complaints.length > 0 ? this.#open(complaints) : this.#resolve());
      return complaints;
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      // The run's own record says it, at its end.
      return complaints.length > 0 ? [...complaints, `No alert could be opened: ${error.message}`] : [];
    }
  }

  async #open(complaints: readonly string[]): Promise<void> {
    await this.#told.ledger.openAlert(standstillAlert(complaints, this.#run, this.#told.clock.now()));
  }

  async #resolve(): Promise<void> {
    const { ledger, clock } = this.#told;
    const open = await ledger.listAlerts({ state: 'open', limit: ALERTS_LOOKED_AT });
    for (const { alertId } of open) if (alertId.startsWith(standstillAlerts(this.#run.planName))) await ledger.resolveAlert(alertId, clock.now());
  }
}
