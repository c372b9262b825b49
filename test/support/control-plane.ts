import type { AlertRecord, LedgerRun } from '../../lib/catalog/ledger-records.ts';
import type { BackupRecord } from '../../lib/catalog/records.ts';
import { SqliteCatalog } from '../../lib/catalog/sqlite-catalog.ts';
import { SqliteLedger } from '../../lib/catalog/sqlite-ledger.ts';
import type { BackupId, RunId } from '../../lib/model/ids.ts';
import { newUlid } from '../../lib/model/ids.ts';
import type { KeyAtRisk } from '../../lib/monitoring/alerts.ts';
import type { MonitorPorts } from '../../lib/scheduling/monitor.ts';
import type { ScheduledPlan } from '../../lib/scheduling/pinned-plan.ts';
import { SeededRandom } from '../simulation/dice.ts';
import { FakeLauncher } from './fake-launcher.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
/** A Tuesday, 12:00 UTC. */
export const NOON = Date.UTC(2026, 5, 2, 12);

export function plan(name: string, changes: Partial<ScheduledPlan> = {}): ScheduledPlan {
  return {
    name,
    planId: Buffer.from(name.padEnd(16, '.')).toString('hex').slice(0, 32),
    vault: 'main',
    network: 'default',
    task: { cpu: 256, memoryMiB: 512, diskGiB: 21 },
    schedule: { cron: '0 * * * *', timeZone: 'UTC', offsetMinutes: 0 },
    events: [],
    policy: { priority: 50 },
    freshnessHours: 24,
    startWindowMinutes: 60,
    maxDurationMinutes: 120,
    ...changes,
  };
}

export interface ControlPlaneOptions {
  readonly plans: readonly ScheduledPlan[];
  readonly now?: number;
  readonly seed?: number;
  readonly vaultLimit?: number;
}

/** The aws control plane with everything real but ECS, SNS and the clock: SQLite ledger and catalog in one file. */
export class ControlPlane {
  readonly ledger: SqliteLedger;
  readonly catalog: SqliteCatalog;
  readonly launcher: FakeLauncher;
  readonly published: AlertRecord[] = [];
  readonly lines: string[] = [];
  /** Snapshots that workers have stored, by run. */
  readonly vault = new Map<RunId, BackupRecord>();
  readonly ports: MonitorPorts;
  unconfirmed: string[] = [];
  keysAtRisk: KeyAtRisk[] = [];
  /** When notes that all WAL is kept were stored, by plan; and how far back each listing went. */
  readonly walNotes = new Map<string, number[]>();
  readonly walLooks: number[] = [];
  now: number;
  readonly #random: SeededRandom;

  constructor(file: string, options: ControlPlaneOptions) {
    this.ledger = new SqliteLedger(file);
    this.catalog = new SqliteCatalog(file);
    this.now = options.now ?? NOON;
    this.#random = new SeededRandom('control plane', options.seed ?? 1);
    this.launcher = new FakeLauncher(() => this.now);
    this.ports = this.#makePorts(options);
  }

  advance(milliseconds: number): void {
    this.now += milliseconds;
  }

  async close(): Promise<void> {
    await this.ledger.close();
    await this.catalog.close();
  }

  /** What a worker stores as its snapshot. */
  backupOf(run: LedgerRun, changes: Partial<BackupRecord> = {}): BackupRecord {
    return {
      backupId: run.backupId ?? newUlid<BackupId>(this.now, this.#random.bytes), planId: run.planId, planName: run.planName, vault: run.vault, runId: run.runId, type: 'incremental', state: 'completed',
      startedAt: run.startedAt ?? this.now, finishedAt: this.now, sequence: 1, entries: 1, files: 1, bytes: 1000, addedBytes: 300, warnings: 0, host: 'fargate',
      source: { type: 'files', description: '/data' }, statistics: { newBytes: 500 }, ...changes,
    } as BackupRecord;
  }

  newBackupId(): BackupId {
    return newUlid<BackupId>(this.now, this.#random.bytes);
  }

  runs(): Promise<readonly LedgerRun[]> {
    return this.ledger.activeRuns();
  }

  #makePorts(options: ControlPlaneOptions): MonitorPorts {
    const { plans, vaultLimit = 4 } = options;
    return {
      ledger: this.ledger,
      launcher: this.launcher,
      publisher: { publish: async (alert) => void this.published.push(alert) },
      stackName: 'test',
      plans,
      configHash: 'c0ffee',
      configSince: options.now ?? NOON,
      now: () => this.now,
      random: () => this.#random.pick(1000) / 1000,
      newRunId: (now) => newUlid<RunId>(now, this.#random.bytes),
      vaultLimit: () => vaultLimit,
      retiredPlans: async () => ['old'],
      lastBackups: async (name) => (await this.catalog.listBackups({ plan: name, limit: 3 })).backups,
      latestBackup: (name) => this.catalog.latestBackup(name),
      failedRuns: (limit) => this.catalog.listRuns({ states: ['failed'], limit }),
      snapshotExists: async (run) => this.vault.get(run.runId),
      unconfirmedSubscriptions: async () => this.unconfirmed,
      walKeptAt: async ({ name }, since) => {
        this.walLooks.push(this.now - since);
        return this.walNotes.get(name)?.filter((at) => at >= since).at(-1);
      },
      keysAtRisk: async () => this.keysAtRisk,
      writeLine: (line) => void this.lines.push(line),
    };
  }
}

/** A control plane in a folder of its own. */
export function controlPlane(options: ControlPlaneOptions): ControlPlane {
  return new ControlPlane(`${temporaryFolder()}/catalog.sqlite`, options);
}
