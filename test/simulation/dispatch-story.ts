import type { LedgerRun } from '../../lib/catalog/ledger-records.ts';
import type { RunRecord } from '../../lib/catalog/records.ts';
import { dispatchOccurrence } from '../../lib/scheduling/dispatch.ts';
import { occurrencesBetween } from '../../lib/scheduling/cron.ts';
import { monitorOnce } from '../../lib/scheduling/monitor.ts';
import type { MonitorPorts } from '../../lib/scheduling/monitor.ts';
import { taskStopped } from '../../lib/scheduling/reconcile.ts';
import type { ScheduledPlan } from '../../lib/scheduling/pinned-plan.ts';
import { isHoldfastError } from '../../lib/model/errors.ts';
import { ControlPlane, HOUR, MINUTE, NOON, plan } from '../support/control-plane.ts';
import { Died, Life } from '../support/dying.ts';
import { FakeWorker } from '../support/fake-worker.ts';
import { SeededRandom } from './dice.ts';

const HOLDING: ReadonlySet<string> = new Set(['starting', 'running', 'committing']);
/** More than the largest bonus in the queue: whoever has waited so long is first. */
const PATIENCE = 4 * HOUR;
/** Processes die after at most so many steps. */
const LONGEST_LIFE = 60;

interface Job {
  readonly worker: FakeWorker;
  readonly beginsAt: number;
  phase: 'coming' | 'working' | 'committing' | 'stored' | 'gone';
  worksUntil: number;
  /** Does nothing until then; longer than a lease makes it a zombie. */
  pausedUntil: number;
}

/** What may be broken on purpose, to see the story notice. */
export type Meddling = (ports: MonitorPorts) => MonitorPorts;

/**
 * A day in a stack: plans fire, firings are lost and doubled, dispatches and monitors die anywhere and come in twos, ECS
 * has no capacity or loses answers, workers are slow, paused, killed, before and after their snapshot. A minute at a
 * time; everything within a minute happens at once. The same seed is the same story.
 */
export class DispatchStory {
  readonly plane: ControlPlane;
  readonly plans: readonly ScheduledPlan[];
  readonly jobs: Job[] = [];
  readonly crashes = { dispatch: 0, monitor: 0, worker: 0, zombie: 0 };
  readonly #dice: SeededRandom;
  readonly #vaultLimit: number;
  #ports: MonitorPorts;
  #endOfSchedules = 0;
  /** Publications that were not followed by their mark, because the publisher died. */
  lateMarks = 0;

  constructor(seed: number, file: string, meddle: Meddling = (ports) => ports) {
    this.#dice = new SeededRandom('dispatch story', seed);
    this.#vaultLimit = 1 + this.#dice.pick(3);
    this.plans = Array.from({ length: 3 + this.#dice.pick(6) }, (_, index) => this.#newPlan(index));
    this.plane = new ControlPlane(file, { plans: this.plans, seed, vaultLimit: this.#vaultLimit });
    this.#ports = meddle(this.plane.ports);
  }

  /** Tells the story and checks its invariants every minute; throws what is broken. */
  async tell(minutes: number): Promise<void> {
    for (let minute = 0; minute < minutes; minute += 1) await this.#minute(true);
    // Nobody dies any more; a last look at what was missed. Then no plan is due any more, and everything must end.
    for (let minute = 0; minute < 16; minute += 1) await this.#minute(false);
    this.#endOfSchedules = this.plane.now - 12 * MINUTE;
    this.#ports = { ...this.#ports, plans: this.plans.map(({ schedule: _, ...rest }) => rest) };
    for (let minute = 0; minute < 26 * 60 && (await this.plane.runs()).length > 0; minute += 1) await this.#minute(false);
    for (let pass = 0; pass < 3; pass += 1) {
      this.plane.advance(5 * MINUTE);
      await monitorOnce(this.#ports);
    }
    await this.#checkEnd();
  }

  async #minute(isWild: boolean): Promise<void> {
    this.plane.advance(MINUTE);
    if (isWild && this.#dice.isOnceIn(25)) this.plane.launcher.mishaps.push(...Array.from({ length: 1 + this.#dice.pick(4) }, () => this.#dice.from([{ noCapacity: 'Capacity is unavailable at this time' }, 'lost'] as const)));
    const acts: (() => Promise<unknown>)[] = this.jobs.map((job) => () => this.#work(job, isWild));
    if (isWild) for (const { name, schedule } of this.plans) for (const due of schedule === undefined ? [] : occurrencesBetween(schedule, this.plane.now, this.plane.now + MINUTE)) acts.push(...this.#firings(name, due));
    const monitors = (this.plane.now / MINUTE) % 5 === 0 ? (isWild ? this.#dice.pick(3) : 1) : 0;
    for (let one = 0; one < monitors; one += 1) acts.push(() => this.#live('monitor', isWild, monitorOnce));
    const shuffled = acts.map((act) => ({ act, place: this.#dice.next() })).sort((a, b) => a.place - b.place);
    await Promise.all(shuffled.map(({ act }) => act()));
    this.#employ();
    await this.#checkNow();
  }

  /** Usually one; lost, doubled, or tried again after its function died. */
  #firings(name: string, due: number): (() => Promise<unknown>)[] {
    const count = this.#dice.from([1, 1, 1, 1, 0, 2, 3]);
    return Array.from({ length: count }, () => () => this.#live('dispatch', true, (ports) => dispatchOccurrence({ plan: name, kind: 'schedule', scheduledTime: due }, ports)));
  }

  async #live(who: 'dispatch' | 'monitor', mayDie: boolean, act: (ports: MonitorPorts) => Promise<unknown>): Promise<void> {
    const doomed = mayDie && this.#dice.isOnceIn(3);
    const life = new Life(doomed ? { at: this.#dice.pick(LONGEST_LIFE), when: this.#dice.from(['before', 'after']) } : undefined);
    const { ledger, launcher, publisher } = this.#ports;
    try {
      await act({ ...this.#ports, ledger: life.watch('ledger', ledger), launcher: life.watch('launcher', launcher), ...(publisher && { publisher: life.watch('publisher', publisher) }) });
    } catch (error) {
      if (!(error instanceof Died) && !isHoldfastError(error, 'unavailable')) throw error;
      this.crashes[who] += 1;
      if (life.steps.at(-1) === 'publisher.publish' || life.steps.slice(-2)[0] === 'publisher.publish') this.lateMarks += 1;
    }
  }

  /** Tasks that were launched get a worker. */
  #employ(): void {
    for (const task of this.plane.launcher.tasks.slice(this.jobs.length)) {
      const beginsAt = this.plane.now + (this.#dice.isOnceIn(30) ? 20 : this.#dice.pick(4)) * MINUTE;
      this.jobs.push({ worker: new FakeWorker(this.plane, task.taskArn), beginsAt, phase: 'coming', worksUntil: 0, pausedUntil: 0 });
    }
  }

  async #work(job: Job, isWild: boolean): Promise<void> {
    const task = this.plane.launcher.task(job.worker.taskArn);
    if (job.phase === 'gone' || task.status === 'stopped' || this.plane.now < job.beginsAt || this.plane.now < job.pausedUntil) return;
    if (task.stopAsked !== undefined && this.#dice.isOnceIn(2)) return this.#leave(job, 143);
    // The few minutes around the snapshot are where it matters most.
    const once = job.phase === 'committing' || job.phase === 'stored' ? 6 : 60;
    if (isWild && this.#dice.isOnceIn(once)) return this.#misfortune(job);
    await this.#step(job);
  }

  async #step(job: Job): Promise<void> {
    const { worker } = job;
    if (job.phase === 'coming') {
      if (!(await worker.begin())) return void (job.phase = 'gone');
      job.phase = 'working';
      job.worksUntil = this.plane.now + this.#dice.pick(20) * MINUTE;
    } else if (job.phase === 'working') {
      if (!(await worker.beat())) return this.#leave(job, 1);
      if (this.plane.now < job.worksUntil) return;
      if (this.#dice.isOnceIn(10)) return void ((await worker.endFailed()), await this.#leave(job, 1));
      if (!(await worker.beginCommit())) return this.#leave(job, 1);
      job.phase = 'committing';
    } else if (job.phase === 'committing') {
      worker.storeSnapshot();
      job.phase = 'stored';
    } else {
      await worker.endGood();
      await this.#leave(job, 0);
    }
  }

  async #misfortune(job: Job): Promise<void> {
    if (job.phase !== 'coming' && this.#dice.isOnceIn(2)) {
      job.pausedUntil = this.plane.now + (2 + this.#dice.pick(30)) * MINUTE;
      this.crashes.zombie += 1;
      return;
    }
    this.crashes.worker += 1;
    await this.#leave(job, this.#dice.from([1, 137]));
  }

  async #leave(job: Job, exitCode: number): Promise<void> {
    job.phase = 'gone';
    job.worker.exit(exitCode);
    const [task] = await this.plane.launcher.describe([job.worker.taskArn]);
    if (task !== undefined && !this.#dice.isOnceIn(3)) await taskStopped(job.worker.runId, task, this.#ports);
  }

  async #checkNow(): Promise<void> {
    const runs = await this.plane.runs();
    const holding = runs.filter(({ state }) => HOLDING.has(state));
    demand(holding.length <= this.#vaultLimit, `${holding.length} runs hold places of ${this.#vaultLimit}`);
    demand(new Set(holding.map(({ planName }) => planName)).size === holding.length, 'a plan has two runs at once');
    for (const run of holding) this.#checkFair(run, runs);
  }

  /** Whoever was admitted a moment ago did not overtake somebody who had waited past every bonus. */
  #checkFair(run: LedgerRun, runs: readonly LedgerRun[]): void {
    if (run.state !== 'starting' || (run.leaseUntil ?? 0) < this.plane.now + 15 * MINUTE) return;
    const busy = new Set(runs.filter(({ state }) => HOLDING.has(state)).map(({ planName }) => planName));
    const overtaken = runs.find((other) => other.state === 'queued' && !busy.has(other.planName) && other.notBefore < this.plane.now - MINUTE && other.queuedAt + PATIENCE < run.queuedAt);
    demand(overtaken === undefined, `run ${run.runId} was admitted before ${overtaken?.runId}, which had waited longer than any bonus`);
  }

  async #checkEnd(): Promise<void> {
    demand((await this.plane.runs()).length === 0, 'a run never ends');
    const runs = await this.plane.catalog.listRuns({ limit: 10_000 });
    await this.#checkOccurrences(runs.length);
    await this.#checkResults(runs);
    const told = this.plane.published.map(({ alertId }) => alertId);
    const failed = runs.filter(({ state }) => state === 'failed').map(({ runId }) => `backup-failed/${runId}`);
    for (const alertId of failed) demand(told.includes(alertId), `nobody was told of ${alertId}`);
    const ofRuns = told.filter((alertId) => alertId.startsWith('backup-failed/'));
    demand(new Set(ofRuns).size === failed.length, 'an alert was opened for a run that has not failed');
    demand(told.length - new Set(told).size <= this.lateMarks, `${told.length - new Set(told).size} messages came twice, only ${this.lateMarks} publishers died before their mark`);
  }

  /** Each has one run; none was left out but for one that came after it within the outage. */
  async #checkOccurrences(runs: number): Promise<void> {
    let claimed = 0;
    for (const { name, schedule } of this.plans) {
      const occurrences = await this.plane.ledger.listOccurrences(name, 0);
      claimed += occurrences.length;
      demand(new Set(occurrences.map(({ at }) => at)).size === occurrences.length, `a time of ${name} has two occurrences`);
      const last = occurrences.at(-1)?.at ?? 0;
      for (const due of schedule === undefined ? [] : occurrencesBetween(schedule, NOON + MINUTE, this.#endOfSchedules - 5 * MINUTE)) {
        demand(due <= last, `${name} was due at ${new Date(due).toISOString()} and nobody made up for it`);
      }
    }
    demand(claimed === runs, `${claimed} occurrences made ${runs} runs`);
  }

  /** Catalog and vault agree, and every good run ended under the newest token. */
  async #checkResults(runs: readonly RunRecord[]): Promise<void> {
    const { backups } = await this.plane.catalog.listBackups({ limit: 10_000 });
    const good = runs.filter(({ state }) => state === 'completed' || state === 'warnings');
    demand(backups.length === good.length, `${backups.length} backups of ${good.length} good runs`);
    for (const run of good) demand(this.plane.vault.has(run.runId) && backups.some(({ runId }) => runId === run.runId), `run ${run.runId} is good without a snapshot`);
  }

  #newPlan(index: number): ScheduledPlan {
    const serviceLevel = this.#dice.from([undefined, { rtoMinutes: 15, rpoMinutes: 5 }, { rtoMinutes: 60, rpoMinutes: 15 }, { rtoMinutes: 1440, rpoMinutes: 240 }]);
    const cron = this.#dice.from(['*/15 * * * *', '0 * * * *', '30 */2 * * *', '5,35 * * * *', '0 */6 * * *']);
    return plan(`plan-${index}`, {
      schedule: { cron, timeZone: 'UTC', offsetMinutes: this.#dice.pick(10) },
      policy: { priority: this.#dice.pick(101), ...(serviceLevel && { serviceLevel }) },
      startWindowMinutes: this.#dice.from([30, 120, 600]),
      maxDurationMinutes: 60,
    });
  }
}

function demand(isSo: boolean, otherwise: string): void {
  if (!isSo) throw new Error(otherwise);
}
