import type { Catalog } from '../../../lib/catalog/catalog.ts';
import type { LedgerRun } from '../../../lib/catalog/ledger-records.ts';
import type { RunLedger } from '../../../lib/catalog/run-ledger.ts';
import { backupId } from '../catalog.ts';
import { admission, ledgerRun, occurrenceOf, runId } from './records.ts';

/** Ledger and catalog of one place, empty. */
export interface LedgerPlace {
  readonly ledger: RunLedger;
  readonly catalog: Catalog;
  close(): Promise<void>;
}

/** The place of the test that runs, and the steps by which a run gets somewhere there. */
export class LedgerDesk {
  #place: LedgerPlace | undefined;

  async sitDown(place: LedgerPlace | Promise<LedgerPlace>): Promise<void> {
    this.#place = await place;
  }

  async leave(): Promise<void> {
    await this.#here.close();
  }

  get ledger(): RunLedger {
    return this.#here.ledger;
  }

  get catalog(): Catalog {
    return this.#here.catalog;
  }

  async claim(number: number, fields: Partial<LedgerRun> = {}): Promise<LedgerRun> {
    const run = ledgerRun(number, fields);
    await this.ledger.claimOccurrence(occurrenceOf(run), run);
    return run;
  }

  /** Claimed, admitted: its token. */
  async start(number: number, fields: Partial<LedgerRun> = {}): Promise<number> {
    await this.claim(number, fields);
    const answer = await this.ledger.admit(runId(number), admission(1_000, { vaultLimit: 10, planLimit: 10 }));
    if (!answer.isAdmitted) throw new Error(`not admitted: ${answer.reason}`);
    return answer.fence;
  }

  /** Claimed by a worker at 2,000 with a lease until 10,000: its token. */
  async work(number: number, fields: Partial<LedgerRun> = {}): Promise<number> {
    await this.start(number, fields);
    return (await this.ledger.claimRun(runId(number), { now: 2_000, leaseUntil: 10_000 }))?.fence as number;
  }

  async commit(number: number): Promise<number> {
    const fence = await this.work(number);
    expect(await this.ledger.beginCommit(runId(number), fence, { now: 3_000, leaseUntil: 10_000, backupId: backupId(number) })).toBe(true);
    return fence;
  }

  async stateOf(number: number): Promise<string | undefined> {
    return (await this.ledger.getLedgerRun(runId(number)))?.state;
  }

  async activeIds(): Promise<string[]> {
    return (await this.ledger.activeRuns()).map((run) => run.runId).sort();
  }

  get #here(): LedgerPlace {
    if (!this.#place) throw new Error('no test has begun');
    return this.#place;
  }
}
