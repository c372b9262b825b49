import type { LedgerRun } from '../../lib/catalog/ledger-records.ts';
import type { RunEnd, RunLedger } from '../../lib/catalog/run-ledger.ts';
import type { RunId } from '../../lib/model/ids.ts';
import { backup, backupId } from '../contract/catalog.ts';
import { admission, ledgerRun, occurrenceOf } from '../contract/run-ledger/records.ts';
import { SeededRandom } from '../simulation/dice.ts';

const VAULTS = ['main', 'other'] as const;
const PLANS = ['photos', 'mail'] as const;
const HOLDING = new Set(['starting', 'running', 'committing']);
const LEASE = 30;

export interface ChaosOptions {
  readonly seed: string;
  readonly rounds: number;
  /** How many steps begin at once in a round. */
  readonly width: number;
  /** What the place itself says of its slots, where it has any: checked against the states of the runs. */
  readonly slots?: () => Promise<ReadonlyMap<string, readonly string[]>>;
}

/**
 * Dispatchers, workers, a reconciler and zombies with old tokens on one ledger, in an order drawn from a seed, by a clock
 * that jumps. After every round the promises are checked; at last everything is drained and must end.
 */
export class LedgerChaos {
  readonly #ledger: RunLedger;
  readonly #random: SeededRandom;
  readonly #options: ChaosOptions;
  readonly #limits: Readonly<Record<string, number>>;
  /** Newest token that an answer gave, by run. */
  readonly #newest = new Map<RunId, number>();
  /** Every token ever given: zombies use them for ever. */
  readonly #tokens: (readonly [RunId, number])[] = [];
  readonly #born = new Map<string, RunId>();
  /** Workers that were let in, less admissions: an admission lets in one. */
  readonly #surplus = new Map<RunId, number>();
  readonly #ended = new Map<RunId, string>();
  #made = 0;
  now = 1_000;

  constructor(ledger: RunLedger, options: ChaosOptions) {
    this.#ledger = ledger;
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#limits = { main: 1 + this.#random.pick(3), other: 1 + this.#random.pick(2), photos: 1 + this.#random.pick(2), mail: 1 + this.#random.pick(2) };
  }

  async tell(): Promise<{ readonly runs: number; readonly completed: number }> {
    for (let round = 0; round < this.#options.rounds; round++) {
      this.now += this.#random.pick(this.#random.isOnceIn(10) ? 40 : 6);
      await Promise.all(Array.from({ length: 1 + this.#random.pick(this.#options.width) }, () => this.#step()));
      await this.#check();
    }
    await this.#drain();
    return { runs: this.#made, completed: [...this.#ended.values()].filter((state) => state === 'completed').length };
  }

  #step(): Promise<void> {
    const steps = [this.#claim, this.#admit, this.#admit, this.#requeue, this.#work, this.#work, this.#beat, this.#commit, this.#commit, this.#finish, this.#finish, this.#reconcile, this.#noteTask];
    return this.#random.from(steps).call(this);
  }

  /** Sometimes the occurrence of somebody else. */
  async #claim(): Promise<void> {
    const number = (this.#made += 1);
    const key = `event/${this.#random.pick(3) === 0 ? this.#random.pick(number) + 1 : number}`;
    const planName = this.#random.from(PLANS);
    const run = ledgerRun(number, { planName, vault: this.#random.from(VAULTS), occurrence: key, rank: this.now - this.#random.pick(50), queuedAt: this.now });
    const answer = await this.#ledger.claimOccurrence(occurrenceOf(run), run);
    const known = this.#born.get(key);
    expectThat(known === undefined || known === answer.runId, `${key} became ${known} and ${answer.runId}`);
    expectThat(answer.isNew === (answer.runId === run.runId), `${key}: isNew ${answer.isNew} for ${answer.runId}, asked with ${run.runId}`);
    this.#born.set(key, answer.runId);
  }

  async #admit(): Promise<void> {
    const vault = this.#random.from(VAULTS);
    const [first] = await this.#ledger.queue(vault, 3);
    if (first !== undefined) await this.#admitRun(first);
  }

  async #admitRun(run: LedgerRun): Promise<boolean> {
    const limits = { vaultLimit: this.#limits[run.vault] as number, planLimit: this.#limits[run.planName] as number };
    const answer = await this.#ledger.admit(run.runId, admission(this.now, { leaseUntil: this.now + LEASE, ...limits }));
    if (answer.isAdmitted) this.#given(run.runId, answer.fence, -1);
    return answer.isAdmitted;
  }

  async #work(): Promise<void> {
    const run = this.#anyRun();
    const claimed = run && (await this.#ledger.claimRun(run, { now: this.now, leaseUntil: this.now + LEASE }));
    if (claimed) this.#given(claimed.runId, claimed.fence, 1);
  }

  #requeue(): Promise<void> {
    return this.#withToken((run, fence) => this.#ledger.requeue(run, fence, { notBefore: this.now + this.#random.pick(10), reason: 'no capacity' }));
  }

  #beat(): Promise<void> {
    return this.#withToken((run, fence) => this.#ledger.heartbeat(run, fence, { now: this.now, leaseUntil: this.now + LEASE }));
  }

  #commit(): Promise<void> {
    return this.#withToken((run, fence) => this.#ledger.beginCommit(run, fence, { now: this.now, leaseUntil: this.now + LEASE, backupId: backupOf(run) }));
  }

  #finish(): Promise<void> {
    const to = this.#random.from(['completed', 'completed', 'failed'] as const);
    return this.#withToken((run, fence) => this.#end(run, { to, now: this.now, fence, ...(to === 'completed' && { backup: recordOf(run) }) }));
  }

  async #noteTask(): Promise<void> {
    const token = this.#random.from(this.#tokens);
    if (token !== undefined) await this.#ledger.noteTask(token[0], token[1], `arn:${token[0]}/${token[1]}`);
  }

  async #reconcile(): Promise<void> {
    for (const run of await this.#ledger.activeRuns()) {
      if ((run.leaseUntil ?? Infinity) > this.now) continue;
      await this.#end(run.runId, { to: 'failed', now: this.now, expected: { state: run.state, fence: run.fence } });
    }
  }

  /** An old token may not do anything; the newest known when the call began is the measure. */
  async #withToken(step: (run: RunId, fence: number) => Promise<boolean>): Promise<void> {
    const token = this.#random.from(this.#tokens);
    if (token === undefined) return;
    const [run, fence] = token;
    const newest = this.#newest.get(run) as number;
    const final = this.#ended.get(run);
    const answer = await step(run, fence);
    expectThat(!answer || fence >= newest || final !== undefined || this.#ended.has(run), `token ${fence} of ${run} worked when ${newest} had been given`);
  }

  async #end(run: RunId, end: RunEnd): Promise<boolean> {
    const isEnded = await this.#ledger.endRun(run, end);
    const known = this.#ended.get(run);
    expectThat(!isEnded || known === undefined || known === end.to, `${run} ended ${known} and ${end.to}`);
    if (isEnded) this.#ended.set(run, end.to);
    return isEnded;
  }

  #given(run: RunId, fence: number, surplus: 1 | -1): void {
    this.#surplus.set(run, (this.#surplus.get(run) ?? 0) + surplus);
    expectThat(fence > (this.#newest.get(run) ?? 0), `token ${fence} of ${run} after ${this.#newest.get(run)}`);
    this.#newest.set(run, fence);
    this.#tokens.push([run, fence]);
  }

  #anyRun(): RunId | undefined {
    return this.#random.from(this.#tokens)?.[0];
  }

  async #check(): Promise<void> {
    const active = await this.#ledger.activeRuns();
    const holding = active.filter(({ state }) => HOLDING.has(state));
    for (const vault of VAULTS) this.#checkHeld(vault, holding.filter((run) => run.vault === vault));
    for (const plan of PLANS) this.#checkHeld(plan, holding.filter((run) => run.planName === plan));
    for (const run of active) expectThat(run.fence >= (this.#newest.get(run.runId) ?? 0), `${run.runId} has token ${run.fence}, ${this.#newest.get(run.runId)} was given`);
    for (const [run, surplus] of this.#surplus) expectThat(surplus <= 0, `${run} was claimed more often than admitted`);
    for (const run of active) expectThat(!this.#ended.has(run.runId), `${run.runId} is ${run.state} after it ended`);
    for (const [name, slots] of (await this.#options.slots?.()) ?? []) {
      const held = holding.filter((run) => name === run.vault || name === run.planId).map((run) => run.runId);
      expectThat([...slots].sort().join() === held.sort().join(), `the slots of ${name} hold ${slots.join()}, the runs say ${held.join()}`);
    }
  }

  #checkHeld(name: string, held: readonly LedgerRun[]): void {
    const limit = this.#limits[name] as number;
    expectThat(held.length <= limit, `${held.length} runs hold ${name}, at most ${limit} may`);
  }

  /** Nobody dies any more: every run that waits is admitted in the order of the queue, and ends. */
  async #drain(): Promise<void> {
    this.now += 1_000;
    for (let round = 0; round < this.#made * 3 + 10; round++) {
      await this.#reconcile();
      for (const vault of VAULTS) for (const run of await this.#ledger.queue(vault, 1_000)) await this.#admitRun(run);
      for (const run of await this.#ledger.activeRuns()) if (run.state === 'starting') await this.#complete(run);
      if ((await this.#ledger.activeRuns()).length === 0) break;
      this.now += 20;
    }
    const left = await this.#ledger.activeRuns();
    expectThat(left.length === 0, `${left.map((run) => `${run.runId} ${run.state}`).join()} starved`);
    await this.#fill();
  }

  async #complete(run: LedgerRun): Promise<void> {
    const claimed = await this.#ledger.claimRun(run.runId, { now: this.now, leaseUntil: this.now + LEASE });
    if (claimed === undefined) return;
    this.#given(run.runId, claimed.fence, 1);
    const isCommitting = await this.#ledger.beginCommit(run.runId, claimed.fence, { now: this.now, leaseUntil: this.now + LEASE, backupId: backupOf(run.runId) });
    expectThat(isCommitting && (await this.#end(run.runId, { to: 'completed', now: this.now, fence: claimed.fence, backup: recordOf(run.runId) })), `${run.runId} could not complete`);
  }

  /** Every slot came back: as many runs as the limits say may go, and not one more. */
  async #fill(): Promise<void> {
    for (const vault of VAULTS) {
      for (let number = 0; number <= (this.#limits[vault] as number); number++) {
        const run = ledgerRun((this.#made += 1), { vault, planName: 'photos', occurrence: `fill/${this.#made}` });
        await this.#ledger.claimOccurrence(occurrenceOf(run), run);
        const answer = await this.#ledger.admit(run.runId, admission(this.now, { vaultLimit: this.#limits[vault] as number, planLimit: 1_000 }));
        expectThat(answer.isAdmitted === number < (this.#limits[vault] as number), `${vault}: admission ${number + 1} of ${this.#limits[vault]} answered ${answer.isAdmitted}`);
      }
    }
  }
}

function backupOf(run: RunId): ReturnType<typeof backupId> {
  return backupId(Number(run.slice(4)));
}

function recordOf(run: RunId): ReturnType<typeof backup> {
  return backup(Number(run.slice(4)), { runId: run });
}

function expectThat(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

