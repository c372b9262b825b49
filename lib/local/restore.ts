import type { RestoreRecord } from '../catalog/records.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { newUlid } from '../model/ids.ts';
import type { BackupId } from '../model/ids.ts';
import { executeRestore, outcomeOf } from '../recovery/restore.ts';
import type { ExecuteOptions, RestorePlan, RestoreReport } from '../recovery/restore.ts';
import type { SnapshotReader } from '../repository/index.ts';
import { RunRecorder } from './run-recorder.ts';
import type { WorkerEntries } from '../engine/start-thread.ts';
import { refuseMetaOnly } from './vault.ts';
import type { LocalContext, LocalVault } from './vault.ts';

export type RestoreOptions = Omit<ExecuteOptions, 'clock' | 'workerUrl'>;

export interface RestoreResult {
  readonly report: RestoreReport;
  readonly notes: readonly string[];
}

/** Carries out a plan of a restore and records it in the catalog, begun and ended. */
export async function performRestore(vault: LocalVault, reader: SnapshotReader, plan: RestorePlan, options: RestoreOptions, context: LocalContext & { readonly workers: WorkerEntries }): Promise<RestoreResult> {
  const { clock } = context;
  if (process.platform !== 'linux') throw new HoldfastError('unsupported', `Restoring needs /proc/self/fd, which ${process.platform} does not have, wanted Linux.`, { nextStep: 'Restore on a Linux machine with the vault and its key.' });
  refuseMetaOnly(vault, 'a restore reads content');
  const recorder = new RunRecorder(() => vault.catalog(), clock);
  const begun: RestoreRecord = { restoreId: newUlid(clock.now()), backupId: plan.backup as BackupId, target: plan.target, state: 'running', startedAt: clock.now(), files: 0, bytes: 0 };
  await recorder.record((catalog) => catalog.recordRestore(begun));
  try {
    const report = await executeRestore(reader, plan, { ...options, clock, workerUrl: context.workers.restore });
    const outcome = outcomeOf(report);
    const state = outcome === undefined ? (report.warnings.length > 0 ? 'warnings' : 'completed') : outcome === 'target-exists' ? 'warnings' : 'failed';
    await recorder.record((catalog) => catalog.recordRestore({ ...begun, state, finishedAt: clock.now(), files: report.restored.files, bytes: report.restored.bytes }));
    return { report, notes: recorder.notes };
  } catch (error) {
    const fault = { code: isHoldfastError(error) ? error.code : 'broken-invariant', message: error instanceof Error ? error.message : String(error) };
    await recorder.record((catalog) => catalog.recordRestore({ ...begun, state: fault.code === 'interrupted' ? 'cancelled' : 'failed', finishedAt: clock.now(), error: fault }));
    throw error;
  }
}
