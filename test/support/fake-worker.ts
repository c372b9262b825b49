import type { LedgerRun } from '../../lib/catalog/ledger-records.ts';
import type { RunId } from '../../lib/model/ids.ts';
import { MINUTE } from './control-plane.ts';
import type { ControlPlane } from './control-plane.ts';

const LEASE = 3 * MINUTE;

/** What the worker in a task does to the ledger, step by step, so that stories can stop it anywhere. */
export class FakeWorker {
  readonly #plane: ControlPlane;
  readonly taskArn: string;
  run: LedgerRun | undefined;

  constructor(plane: ControlPlane, taskArn: string) {
    this.#plane = plane;
    this.taskArn = taskArn;
  }

  get runId(): RunId {
    return this.#plane.launcher.task(this.taskArn).runId as RunId;
  }

  /** False: somebody else has the run; the task ends with 0. */
  async begin(): Promise<boolean> {
    this.#plane.launcher.task(this.taskArn).status = 'running';
    this.run = await this.#plane.ledger.claimRun(this.runId, { now: this.#plane.now, leaseUntil: this.#plane.now + LEASE, holder: this.taskArn });
    if (this.run === undefined) this.exit(0);
    return this.run !== undefined;
  }

  async beat(): Promise<boolean> {
    return this.#plane.ledger.heartbeat(this.runId, this.#fence, { now: this.#plane.now, leaseUntil: this.#plane.now + LEASE });
  }

  /** False: the lease is lost and nothing may be stored. */
  async beginCommit(): Promise<boolean> {
    const backupId = this.#plane.newBackupId();
    const isGranted = await this.#plane.ledger.beginCommit(this.runId, this.#fence, { now: this.#plane.now, leaseUntil: this.#plane.now + LEASE, backupId });
    if (isGranted) this.run = { ...(this.run as LedgerRun), backupId };
    return isGranted;
  }

  storeSnapshot(warnings = 0): void {
    this.#plane.vault.set(this.runId, this.#plane.backupOf(this.run as LedgerRun, { warnings }));
  }

  async endGood(): Promise<boolean> {
    const backup = this.#plane.vault.get(this.runId);
    if (backup === undefined) throw new Error('a worker ends good only after its snapshot');
    return this.#plane.ledger.endRun(this.runId, { to: backup.warnings > 0 ? 'warnings' : 'completed', now: this.#plane.now, fence: this.#fence, backup });
  }

  async endFailed(message = 'The dump ended with exit code 1.'): Promise<boolean> {
    return this.#plane.ledger.endRun(this.runId, { to: 'failed', now: this.#plane.now, fence: this.#fence, error: { code: 'source-failed', message } });
  }

  /** The whole of a good run. */
  async finish(): Promise<void> {
    if (!(await this.beginCommit())) return this.exit(1);
    this.storeSnapshot();
    await this.endGood();
    this.exit(0);
  }

  exit(exitCode: number): void {
    this.#plane.launcher.end(this.taskArn, { exitCode, reason: 'Essential container in task exited' });
  }

  get #fence(): number {
    return this.run?.fence ?? 0;
  }
}
