import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { SqliteCatalog } from '../../lib/catalog/sqlite-catalog.ts';
import { SqliteLedger } from '../../lib/catalog/sqlite-ledger.ts';
import type { LedgerRun } from '../../lib/catalog/ledger-records.ts';
import { runCli } from '../../lib/cli/main.ts';
import type { Runtime, StackRuntime, Vault } from '../../lib/cli/runtime.ts';
import { newUlid } from '../../lib/model/ids.ts';
import type { PlanId, RunId } from '../../lib/model/ids.ts';
import type { DeployedPlan } from '../../lib/settings/deployed.ts';
import { stackPlanId } from '../../lib/settings/ids.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { planOf } from '../support/emulated-stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { Ran } from './run-in-process.ts';

/** 21 November 2026, 03:00 in UTC. */
export const NIGHT = Date.UTC(2026, 10, 21, 3);
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

/** The command line on a stack whose table is a SQLite file, the same ports as DynamoDB's: quick, with a clock that stands. */
export class NightStack {
  readonly clock = new LeapingClock(NIGHT);
  readonly catalog: SqliteCatalog;
  readonly ledger: SqliteLedger;
  plans: readonly DeployedPlan[] = [plan('orders', { schedule: { cron: '0 3 * * *', timeZone: 'Etc/UTC', offsetMinutes: 7 } }), plan('media')];

  /** What a test adds to the stack, such as how a run is followed. */
  over: Partial<StackRuntime> = {};
  environment: Readonly<Record<string, string>> = {};
  /** The stacks that the command line asked for; undefined for this machine. */
  readonly loaded: (string | undefined)[] = [];

  constructor() {
    const file = join(temporaryFolder(), 'table.sqlite');
    this.catalog = new SqliteCatalog(file);
    this.ledger = new SqliteLedger(file);
  }

  /** A run of a plan that a trigger asked for now; queued. */
  async asked(planName: string, over: Partial<LedgerRun> = {}, trigger: 'schedule' | 'catch-up' | 'event' | 'manual' = 'schedule'): Promise<RunId> {
    const now = this.clock.now();
    const runId = newUlid<RunId>(now);
    const isTimed = trigger === 'schedule' || trigger === 'catch-up';
    const key = `${planName}/${isTimed ? 'schedule' : trigger}/${isTimed ? new Date(now).toISOString() : runId}`;
    await this.ledger.claimOccurrence(
      { key, planName, trigger, at: now, runId, claimedAt: now },
      { runId, planId: planId(planName), planName, type: 'incremental', state: 'queued', queuedAt: now, host: 'fargate', vault: 'main', occurrence: key, rank: now, notBefore: now, startBy: now + HOUR, attempts: 0, fence: 0, order: JSON.stringify({ name: planName, vault: 'main' }), configHash: 'c0ffee', ...over },
    );
    return runId;
  }

  /** The same, claimed by its task 40 seconds later. */
  async started(planName: string): Promise<{ readonly runId: RunId; readonly fence: number }> {
    const runId = await this.asked(planName);
    const admitted = await this.ledger.admit(runId, { now: this.clock.now(), leaseUntil: this.clock.now() + 15 * MINUTE, vaultLimit: 2, planLimit: 1 });
    if (!admitted.isAdmitted) throw new Error(`the run of ${planName} was not admitted: ${admitted.reason}`);
    await this.ledger.noteTask(runId, admitted.fence, `arn:aws:ecs:eu-central-1:000000000000:task/shop/${planName}task`);
    this.clock.advance(40 * SECOND);
    const run = await this.ledger.claimRun(runId, { now: this.clock.now(), leaseUntil: this.clock.now() + 3 * MINUTE });
    return { runId, fence: run?.fence ?? 0 };
  }

  run(...args: readonly string[]): Promise<Ran> {
    const runtime: Pick<StackRuntime, 'stackName' | 'catalog' | 'ledger' | 'deployedPlans' | 'taskLog'> = {
      stackName: 'shop', catalog: async () => this.catalog, ledger: async () => this.ledger, deployedPlans: async () => this.plans,
      taskLog: async (planName, taskArn) => ({ logGroup: 'tasks', logStream: `shop-backup-${planName}/worker/${taskArn.split('/').at(-1)}` }),
    };
    return this.#run([...args, '--aws', 'shop'], { ...runtime, openVault: async () => this.#vault(), synchroniseCatalog: async () => ({ added: 0, expired: 0, vanished: [], unreadable: [] }), ...this.over } as StackRuntime);
  }

  /** The same table as the catalog of a vault on this machine. */
  here(...args: readonly string[]): Promise<Ran> {
    const runtime: Pick<Runtime, 'openVault'> = { openVault: async () => this.#vault() };
    return this.#run(args, runtime as Runtime);
  }

  async json(...args: readonly string[]): Promise<Record<string, unknown>[]> {
    return (await this.run(...args, '--json')).stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async close(): Promise<void> {
    await this.catalog.close();
    await this.ledger.close();
  }

  #vault(): Vault {
    const vault: Pick<Vault, 'warnings' | 'catalog' | 'close'> = { warnings: [], catalog: async () => this.catalog, close: async () => undefined };
    return vault as Vault;
  }

  async #run(args: readonly string[], runtime: Runtime): Promise<Ran> {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const code = await runCli(args, {
      version: '0', clock: this.clock, environment: this.environment, workingFolder: '/w', userName: 'ada', stdout, stderr, stdin: new PassThrough(), signal: new AbortController().signal, loadRuntime: async (name) => {
        this.loaded.push(name);
        return runtime;
      },
    });
    const textOf = (stream: PassThrough) => (stream.read() as Buffer | null)?.toString() ?? '';
    return { code, stdout: textOf(stdout), stderr: textOf(stderr) };
  }
}

export function plan(name: string, over: Partial<DeployedPlan> = {}): DeployedPlan {
  return { ...planOf('/data'), name, planId: planId(name), ...over };
}

export function planId(name: string): PlanId {
  return stackPlanId('shop', name);
}
