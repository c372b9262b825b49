import type { AlertRecord } from '../catalog/ledger-records.ts';
import type { BackupRecord, RunRecord } from '../catalog/records.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { alertOfEnd, delayedAlert, keyAlert, unconfirmedAlert } from '../monitoring/alerts.ts';
import type { KeyAtRisk } from '../monitoring/alerts.ts';
import { isAnswered, overdueSince } from '../monitoring/freshness.ts';
import { walAlerts, walLateAlert } from '../monitoring/wal-late.ts';
import { retellAlerts, tellAlert } from '../monitoring/tell.ts';
import { missedRun } from './catch-up.ts';
import type { Missed } from './catch-up.ts';
import { dispatchOccurrence } from './dispatch.ts';
import type { DispatchPorts } from './dispatch.ts';
import type { ScheduledPlan } from './pinned-plan.ts';
import { reconcileAll } from './reconcile.ts';
import type { ReconcilePorts } from './reconcile.ts';
import { startQueued } from './start-queued.ts';
import type { TaskLauncher } from './task-launcher.ts';

/** Older failures are not told any more: whoever looks now sees more than they say. */
const TOLD_WITHIN = 7 * 24 * 60 * 60_000;
/** Open alerts and failed runs that one pass looks at. */
const LOOKED_AT = 500;

/** States of runs that a worker holds. */
const AT_WORK: ReadonlySet<RunRecord['state']> = new Set(['running', 'committing']);

export interface MonitorPorts extends DispatchPorts, Omit<ReconcilePorts, 'start'> {
  readonly ledger: DispatchPorts['ledger'] & ReconcilePorts['ledger'] & Pick<RunLedger, 'listOccurrences' | 'listAlerts' | 'resolveAlert'>;
  readonly launcher: TaskLauncher;
  /** When the deployed configuration came into force. */
  readonly configSince: number;
  /** The newest backup of a plan that is neither corrupted nor expired. */
  readonly latestBackup: (planName: string) => Promise<Pick<BackupRecord, 'finishedAt'> | undefined>;
  /** Runs that ended failed, newest first. */
  readonly failedRuns: (limit: number) => Promise<readonly RunRecord[]>;
  /** Keys of vaults that are disabled or about to be deleted. */
  readonly keysAtRisk: () => Promise<readonly KeyAtRisk[]>;
  /** When all WAL of a plan was last known to be kept, by the store's clock, if that was since then. One request for each thousand notes since. */
  readonly walKeptAt: (plan: ScheduledPlan, since: number) => Promise<number | undefined>;
  /** Addresses that have not confirmed that they want alerts. */
  readonly unconfirmedSubscriptions: () => Promise<readonly string[]>;
}

export interface MonitorReport {
  readonly caughtUp: readonly Missed[];
  readonly reconciled: Readonly<Record<string, number>>;
  readonly started: number;
  readonly opened: readonly string[];
  readonly resolved: readonly string[];
  readonly retold: number;
}

/**
 * Everything that does not look after itself, once. Callable at any time, by two at once, after dying anywhere: every
 * step asks what is so and does what is missing. A step that fails does not keep the others from being done; the first
 * failure is thrown at the end, so that it is seen.
 */
export async function monitorOnce(ports: MonitorPorts): Promise<MonitorReport> {
  const pass = new Pass(ports);
  await pass.attempt(() => pass.reconcile());
  for (const plan of ports.plans) await pass.attempt(() => pass.catchUp(plan));
  for (const vault of pass.vaults) await pass.attempt(() => pass.startWaiting(vault));
  await pass.attempt(() => pass.tellFailures());
  for (const plan of ports.plans) await pass.attempt(() => pass.watchFreshness(plan));
  for (const plan of ports.plans) await pass.attempt(() => pass.watchWal(plan));
  await pass.attempt(() => pass.forgetWal());
  await pass.attempt(() => pass.resolve());
  await pass.attempt(() => pass.watchSubscriptions());
  await pass.attempt(() => pass.watchKeys());
  await pass.attempt(() => pass.retell());
  return pass.report();
}

class Pass {
  readonly #ports: MonitorPorts;
  readonly #errors: HoldfastError[] = [];
  readonly #lastSuccess = new Map<string, number | undefined>();
  readonly #caughtUp: Missed[] = [];
  readonly #reconciled: Record<string, number> = {};
  readonly #opened: string[] = [];
  readonly #resolved: string[] = [];
  readonly vaults: Set<string>;
  #atWork: Promise<ReadonlySet<string>> | undefined;
  #started = 0;
  #retold = 0;

  constructor(ports: MonitorPorts) {
    this.#ports = ports;
    this.vaults = new Set(ports.plans.map(({ vault }) => vault));
  }

  async attempt(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      this.#errors.push(error);
    }
  }

  /** First, so that what has ended gives its places back before others are started. */
  async reconcile(): Promise<void> {
    for (const run of await this.#ports.ledger.activeRuns()) this.vaults.add(run.vault);
    const { done, errors } = await reconcileAll({ ...this.#ports, start: this.#ports });
    for (const what of done.values()) this.#reconciled[what] = (this.#reconciled[what] ?? 0) + 1;
    this.#errors.push(...errors);
  }

  async catchUp(plan: ScheduledPlan): Promise<void> {
    const missed = await missedRun(plan, this.#ports.ledger, { now: this.#ports.now(), since: this.#ports.configSince });
    if (missed === undefined) return;
    const answer = await dispatchOccurrence({ plan: plan.name, kind: 'catch-up', scheduledTime: missed.dueAt }, this.#ports);
    if (answer.outcome === 'accepted' && answer.isNew) this.#caughtUp.push(missed);
  }

  async startWaiting(vault: string): Promise<void> {
    for (const outcome of (await startQueued(vault, this.#ports)).values()) if (outcome === 'started') this.#started += 1;
  }

  /** Whoever ended a run and died before it could say so; the newest failures of a week, as many as one pass looks at. */
  async tellFailures(): Promise<void> {
    const { ledger, failedRuns, now } = this.#ports;
    const known = new Set((await ledger.listAlerts({ limit: LOOKED_AT })).map(({ alertId }) => alertId));
    for (const run of await failedRuns(LOOKED_AT)) {
      if ((run.finishedAt ?? 0) < now() - TOLD_WITHIN) continue;
      const rpoMinutes = this.#ports.plans.find(({ name }) => name === run.planName)?.policy.serviceLevel?.rpoMinutes;
      const alert = alertOfEnd({ ...run, ...(rpoMinutes !== undefined && { rpoMinutes }) });
      if (alert === undefined || known.has(alert.alertId)) continue;
      if (await tellAlert(alert, this.#ports)) this.#opened.push(alert.alertId);
    }
  }

  /** Plans that run only when asked to are never late; a paused one is late on purpose. */
  async watchFreshness(plan: ScheduledPlan): Promise<void> {
    const { ledger, now, configSince } = this.#ports;
    if (plan.schedule === undefined || (await ledger.pausedPlans()).includes(plan.name)) return;
    const lastSuccessAt = await this.#lastSuccessOf(plan.name);
    const last = lastSuccessAt === undefined ? {} : { lastSuccessAt };
    const isRunning = (await this.#plansAtWork()).has(plan.name);
    const dueAt = overdueSince(plan, { ...last, deployedAt: configSince, now: now(), isRunning });
    if (dueAt === undefined) return;
    const { serviceLevel } = plan.policy;
    const alert = delayedAlert({ planName: plan.name, dueAt, ...last, now: now(), ...(serviceLevel && { rpoMinutes: serviceLevel.rpoMinutes }) });
    if (await tellAlert(alert, this.#ports)) this.#opened.push(alert.alertId);
  }

  /** Looks at notes of the time that counts alone; at all of them once, when an alert opens. WAL is received while a plan is paused, too. */
  async watchWal(plan: ScheduledPlan): Promise<void> {
    if (plan.wal === undefined) return;
    const { ledger, now, configSince: since, walKeptAt } = this.#ports;
    const limitMs = plan.wal.freshnessMs;
    const open = (await ledger.listAlerts({ state: 'open', limit: LOOKED_AT })).filter(({ alertId }) => alertId.startsWith(walAlerts(plan.name)));
    if ((await walKeptAt(plan, now() - limitMs)) !== undefined) return this.#resolveAll(open);
    if (open.length > 0) return;
    const keptAt = await walKeptAt(plan, 0);
    if (keptAt === undefined && since + limitMs >= now()) return;
    const alert = walLateAlert({ planName: plan.name, limitMs, ...(keptAt !== undefined && { keptAt }), since, now: now() });
    if (await tellAlert(alert, this.#ports)) this.#opened.push(alert.alertId);
  }

  /** Of plans that are gone, or whose WAL nobody asks for any more. */
  async forgetWal(): Promise<void> {
    const watched = this.#ports.plans.filter(({ wal }) => wal !== undefined).map(({ name }) => walAlerts(name));
    const open = await this.#ports.ledger.listAlerts({ state: 'open', limit: LOOKED_AT });
    await this.#resolveAll(open.filter(({ kind, alertId }) => kind === 'wal-late' && !watched.some((begin) => alertId.startsWith(begin))));
  }

  /** A vault whose key is about to go is about to be unreadable; told until it is safe again. */
  async watchKeys(): Promise<void> {
    const { ledger, now, keysAtRisk } = this.#ports;
    const alerts = (await keysAtRisk()).map((key) => keyAlert(key, now()));
    for (const alert of alerts) if (await tellAlert(alert, this.#ports)) this.#opened.push(alert.alertId);
    const open = await ledger.listAlerts({ state: 'open', limit: LOOKED_AT });
    const safe = open.filter(({ alertId }) => alertId.startsWith('control-plane/key/') && !alerts.some((alert) => alert.alertId === alertId));
    await this.#resolveAll(safe);
  }

  async resolve(): Promise<void> {
    const { ledger, now } = this.#ports;
    for (const alert of await ledger.listAlerts({ state: 'open', limit: LOOKED_AT })) {
      if (alert.planName === undefined || !isAnswered(alert, await this.#lastSuccessOf(alert.planName))) continue;
      if (await ledger.resolveAlert(alert.alertId, now())) this.#resolved.push(alert.alertId);
    }
  }

  async watchSubscriptions(): Promise<void> {
    const { ledger, now, unconfirmedSubscriptions } = this.#ports;
    const alerts = (await unconfirmedSubscriptions()).map((subscription) => unconfirmedAlert(subscription, now()));
    for (const alert of alerts) if (await tellAlert(alert, this.#ports)) this.#opened.push(alert.alertId);
    const open = await ledger.listAlerts({ state: 'open', limit: LOOKED_AT });
    const confirmed = open.filter(({ alertId }) => alertId.startsWith('control-plane/unconfirmed/') && !alerts.some((alert) => alert.alertId === alertId));
    await this.#resolveAll(confirmed);
  }

  async retell(): Promise<void> {
    this.#retold = await retellAlerts(this.#ports);
  }

  report(): MonitorReport {
    const [first] = this.#errors;
    if (first !== undefined) {
      const more = this.#errors.length === 1 ? '' : ` ${this.#errors.length - 1} more steps failed.`;
      throw new HoldfastError(first.code, `The monitor could not do everything: ${first.message}${more}`, { cause: first, retryable: true, data: { messages: this.#errors.map(({ message }) => message) } });
    }
    return { caughtUp: this.#caughtUp, reconciled: this.#reconciled, started: this.#started, opened: this.#opened, resolved: this.#resolved, retold: this.#retold };
  }

  async #resolveAll(alerts: readonly Pick<AlertRecord, 'alertId'>[]): Promise<void> {
    const { ledger, now } = this.#ports;
    for (const { alertId } of alerts) if (await ledger.resolveAlert(alertId, now())) this.#resolved.push(alertId);
  }

  /** Read once in a pass. */
  #plansAtWork(): Promise<ReadonlySet<string>> {
    this.#atWork ??= this.#ports.ledger.activeRuns().then((runs) => new Set(runs.filter(({ state }) => AT_WORK.has(state)).map(({ planName }) => planName)));
    return this.#atWork;
  }

  async #lastSuccessOf(planName: string): Promise<number | undefined> {
    if (!this.#lastSuccess.has(planName)) this.#lastSuccess.set(planName, (await this.#ports.latestBackup(planName))?.finishedAt);
    return this.#lastSuccess.get(planName);
  }
}
