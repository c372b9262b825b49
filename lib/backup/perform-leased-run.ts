import type { LedgerRun, StageProgress } from '../catalog/ledger-records.ts';
import type { BackupRecord } from '../catalog/records.ts';
import type { RunEnd, RunLedger } from '../catalog/run-ledger.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { RunId } from '../model/ids.ts';
import { backupRecordOf } from '../validation/rebuild-catalog.ts';
import { complaintsIn, withComplaints } from './complaints.ts';
import { LEASE_MILLISECONDS, Lease } from './lease.ts';
import type { BackupOutcome, BackupPorts } from './run-backup.ts';
import type { BackupProgress } from './run-progress.ts';

/** What happens beside the backup itself, for the log. */
export type LeasedRunEvent =
  | { readonly event: 'claimed'; readonly run: LedgerRun }
  | { readonly event: 'not-ours' }
  | { readonly event: 'heartbeat-failed'; readonly error: HoldfastError }
  | { readonly event: 'ended'; readonly run: LedgerRun; readonly backup?: BackupRecord }
  | { readonly event: 'end-not-recorded'; readonly reason: string };

export interface LeasedRunPorts {
  readonly ledger: Pick<RunLedger, 'claimRun' | 'heartbeat' | 'beginCommit' | 'endRun'>;
  readonly clock: Clock;
  /** Names this process, so that a lost answer to its claim can be asked for again. */
  readonly holder: string;
  /** Asked to stop from outside. */
  readonly signal: AbortSignal;
  /** Longest that this run may take from its claim, by its pinned plan. */
  readonly maxDurationMs?: (run: LedgerRun) => number;
  readonly heartbeatMs?: number;
  readonly leaseMs?: number;
  readonly onEvent?: (event: LeasedRunEvent) => void;
  readonly onProgress?: (progress: BackupProgress) => void;
  /** The backup of the pinned plan: opens vault and source and runs. */
  backUp(run: LedgerRun, ports: Pick<BackupPorts, 'signal' | 'beforeCommit' | 'onProgress'>): Promise<BackupOutcome>;
}

/**
 * A worker's life with one run: claims it, holds its lease, backs up, commits under the fencing token, ends the run with
 * its backup. Undefined when the run is not there to be claimed: another task has it, or it ended; that is no failure.
 * A failure is written into the run and thrown; a lost lease writes nothing.
 */
export async function performLeasedRun(runId: RunId, ports: LeasedRunPorts): Promise<BackupOutcome | undefined> {
  const { ledger, clock, leaseMs = LEASE_MILLISECONDS } = ports;
  const now = clock.now();
  const run = await ledger.claimRun(runId, { now, leaseUntil: now + leaseMs, holder: ports.holder });
  if (run === undefined) return void ports.onEvent?.({ event: 'not-ours' });
  ports.onEvent?.({ event: 'claimed', run });
  let progress: StageProgress | undefined;
  const lease = new Lease({
    ledger, clock, runId, fence: run.fence, leaseUntil: now + leaseMs, leaseMs, stopBy: stopByOf(run, now, ports),
    ...(ports.heartbeatMs !== undefined && { heartbeatMs: ports.heartbeatMs }),
    progress: () => progress,
    onTrouble: (error) => ports.onEvent?.({ event: 'heartbeat-failed', error }),
  });
  lease.start();
  let hasBegunCommit = false;
  try {
    const outcome = await ports.backUp(run, {
      signal: AbortSignal.any([ports.signal, lease.signal]),
      beforeCommit: async (backup) => {
        await lease.beginCommit(backup);
        hasBegunCommit = true;
      },
      onProgress: (state) => {
        progress = { stage: state.phase, doneBytes: state.bytes, ...(state.totalBytes !== undefined && { totalBytes: state.totalBytes }) };
        ports.onProgress?.(state);
      },
    });
    await end(run, outcome, ports);
    return outcome;
  } catch (error) {
    // Whoever asked it to stop says why; the backup itself knows only that it was.
    const asked = [lease.signal, ports.signal].find(({ aborted, reason }) => aborted && isHoldfastError(reason));
    const cause = withComplaints(asked === undefined ? error : asked.reason, asked === undefined ? [] : complaintsIn(error));
    // From here on the snapshot may stand, whatever was answered: only a look into the vault says how the run ended.
    if (hasBegunCommit) ports.onEvent?.({ event: 'end-not-recorded', reason: 'its commit had begun; the control plane looks into the vault and ends the run' });
    else if (!lease.isLost) await recordFailure(run, cause, ports);
    throw cause;
  } finally {
    await lease.stop();
  }
}

/** `run.stopBy` is when the control plane stops it whenever it began; one that began early has its own time. */
function stopByOf(run: LedgerRun, claimedAt: number, { maxDurationMs }: LeasedRunPorts): number | undefined {
  const own = maxDurationMs === undefined ? Infinity : claimedAt + maxDurationMs(run);
  const earliest = Math.min(own, run.stopBy ?? Infinity);
  return earliest === Infinity ? undefined : earliest;
}

async function end(run: LedgerRun, outcome: BackupOutcome, ports: LeasedRunPorts): Promise<void> {
  const { onEvent, clock } = ports;
  const { manifest, afterwards } = outcome;
  const to = manifest.warnings.length > 0 || afterwards !== undefined ? 'warnings' : 'completed';
  const backup = { ...backupRecordOf(manifest, 'completed'), vault: run.vault };
  const now = clock.now();
  const isRecorded = await endPatiently(run, { to, now, fence: run.fence, backup }, ports);
  // The snapshot is stored: whoever took the run over finds it in the vault and says the same.
  onEvent?.(isRecorded ? { event: 'ended', run: { ...run, state: to, finishedAt: now }, backup } : { event: 'end-not-recorded', reason: 'the run was taken over while it committed; its backup is in the vault' });
}

/** The backup is made: a ledger that does not answer is asked again for as long as a lease, which heartbeats extend. */
async function endPatiently(run: LedgerRun, end: RunEnd, { ledger, clock, signal, leaseMs = LEASE_MILLISECONDS }: LeasedRunPorts): Promise<boolean> {
  const giveUpAt = clock.now() + leaseMs;
  for (;;) {
    try {
      return await ledger.endRun(run.runId, end);
    } catch (error) {
      if (!isHoldfastError(error) || clock.now() >= giveUpAt || signal.aborted) throw error;
      await clock.sleep(leaseMs / 20, signal).catch(() => undefined);
    }
  }
}

/** What stops the writing down of a failure must not hide the failure: the reconciler finds the run by its lease. */
async function recordFailure(run: LedgerRun, cause: unknown, { ledger, clock, onEvent }: LeasedRunPorts): Promise<void> {
  const known = isHoldfastError(cause) ? cause : new HoldfastError('broken-invariant', cause instanceof Error ? cause.message : String(cause));
  const { code, message, nextStep } = known;
  const now = clock.now();
  try {
    const isRecorded = await ledger.endRun(run.runId, { to: 'failed', now, fence: run.fence, error: { code, message, ...(nextStep !== undefined && { nextStep }) } });
    onEvent?.(isRecorded ? { event: 'ended', run: { ...run, state: 'failed', finishedAt: now } } : { event: 'end-not-recorded', reason: 'the run was ended by somebody else' });
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    onEvent?.({ event: 'end-not-recorded', reason: error.message });
  }
}
