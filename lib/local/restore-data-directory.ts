import { resolve } from 'node:path';
import type { RestoreRecord } from '../catalog/records.ts';
import type { WorkerEntries } from '../engine/start-thread.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { newUlid } from '../model/ids.ts';
import type { BackupId } from '../model/ids.ts';
import { planDataDirectoryRestore } from '../recovery/data-directory/plan.ts';
import type { DataDirectoryOptions, DataDirectoryPlan } from '../recovery/data-directory/plan.ts';
import { executeDataDirectoryRestore } from '../recovery/data-directory/restore.ts';
import type { DataDirectoryReport } from '../recovery/data-directory/restore.ts';
import { isWalFetch } from '../recovery/data-directory/start-server.ts';
import { isBefore, needsArchive } from '../recovery/data-directory/target.ts';
import type { RecoveryTarget, TargetAction } from '../recovery/data-directory/target.ts';
import type { SnapshotReader } from '../repository/index.ts';
import { readFacts } from '../sources/postgres/base-backup-facts.ts';
import { contentOf } from './content.ts';
import { postgresPlaces } from './postgres-places.ts';
import { RunRecorder } from './run-recorder.ts';
import { basesOf, checkAgainstVault, proveCommand, refuseDivergedCommand, walFetchCommand } from './vault-archive.ts';
import type { VaultOptions } from './vault-choice.ts';
import { refuseMetaOnly } from './vault.ts';
import type { LocalContext, LocalVault } from './vault.ts';

/** What `holdfast restore ID --to-data-directory DIR` was asked for. */
export interface DataDirectoryWish {
  /** As it was written. */
  readonly directory: string;
  readonly target: RecoveryTarget;
  readonly action: TargetAction;
  readonly timeline: string;
  readonly restoreCommand?: string | undefined;
  readonly isArchiving: boolean;
  readonly startPort?: number | undefined;
  /** As the vault was opened: a recovery fetches WAL from it when no command is named. */
  readonly access: VaultOptions;
}

export type DataDirectoryRun = Pick<DataDirectoryOptions, 'signal' | 'onProgress'>;
type Context = LocalContext & { readonly workers: WorkerEntries };

export async function planRestoreIntoDataDirectory(vault: LocalVault, reader: SnapshotReader, { wish, run, context }: { readonly wish: DataDirectoryWish; readonly run: DataDirectoryRun; readonly context: Context }): Promise<DataDirectoryPlan> {
  refuseMetaOnly(vault, 'a restore reads content');
  if (process.platform !== 'linux') throw new HoldfastError('unsupported', `Restoring a data directory needs Linux, and this is ${process.platform}.`, { nextStep: 'Restore on a Linux machine with the vault and its key.' });
  const { access, ...asked } = wish;
  const { environment } = context;
  const facts = await readFacts(reader);
  const isFromVault = facts !== undefined && wish.restoreCommand === undefined && needsArchive(wish.target, facts);
  const restoreCommand = isFromVault ? await walFetchCommand(access, reader.manifest, { facts, environment }) : wish.restoreCommand;
  const bases = facts !== undefined && isBefore(wish.target, facts) ? await basesOf(vault.repository, reader.manifest, facts) : undefined;
  const plan = await planDataDirectoryRestore(reader, { ...asked, restoreCommand, directory: resolve(environment.workingFolder, wish.directory) }, { ...optionsOf(run, context), bases });
  if (!isFromVault) {
    if (facts !== undefined && restoreCommand !== undefined && isWalFetch(restoreCommand)) await refuseDivergedCommand(vault.repository, reader.manifest, { ...wish, facts });
    return plan;
  }
  const warnings = await checkAgainstVault(vault.repository, reader.manifest, { ...wish, facts });
  if (restoreCommand !== undefined) await proveCommand(restoreCommand, plan.owner, environment);
  return { ...plan, warnings: [...plan.warnings, ...warnings], endsAtGap: warnings.length > 0 };
}

/** Carries out a plan and records it in the catalog, begun and ended. */
export async function performDataDirectoryRestore(vault: LocalVault, reader: SnapshotReader, plan: DataDirectoryPlan, { run, context }: { readonly run: DataDirectoryRun; readonly context: Context }): Promise<{ readonly report: DataDirectoryReport; readonly notes: readonly string[] }> {
  const { clock } = context;
  const recorder = new RunRecorder(() => vault.catalog(), clock);
  const begun: RestoreRecord = { restoreId: newUlid(clock.now()), backupId: plan.backup as BackupId, target: plan.request.directory, state: 'running', startedAt: clock.now(), files: 0, bytes: 0 };
  await recorder.record((catalog) => catalog.recordRestore(begun));
  try {
    const report = await executeDataDirectoryRestore(reader, plan, optionsOf(run, context));
    await recorder.record((catalog) => catalog.recordRestore({ ...begun, state: report.warnings.length > 0 ? 'warnings' : 'completed', finishedAt: clock.now(), files: report.files, bytes: report.bytes }));
    return { report, notes: recorder.notes };
  } catch (error) {
    const fault = { code: isHoldfastError(error) ? error.code : 'broken-invariant', message: error instanceof Error ? error.message : String(error) };
    await recorder.record((catalog) => catalog.recordRestore({ ...begun, state: fault.code === 'interrupted' ? 'cancelled' : 'failed', finishedAt: clock.now(), error: fault }));
    throw error;
  }
}

function optionsOf(run: DataDirectoryRun, context: Context): DataDirectoryOptions {
  const { binaries, environment } = postgresPlaces(context.environment);
  return { ...run, binaries, environment, clock: context.clock, content: (reader, file) => contentOf(reader, file, context) };
}
