import type { RestoreRecord } from '../catalog/records.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { newUlid } from '../model/ids.ts';
import type { BackupId } from '../model/ids.ts';
import { executeDatabaseRestore, planDatabaseRestore } from '../recovery/restore-database.ts';
import type { DatabaseRestorePlan, DatabaseRestoreReport } from '../recovery/restore-database.ts';
import type { SnapshotReader } from '../repository/index.ts';
import { loaderFor } from './loader-for.ts';
import { RunRecorder } from './run-recorder.ts';
import { refuseMetaOnly } from './vault.ts';
import type { LocalContext, LocalVault } from './vault.ts';

/** What `holdfast restore` was asked for; either a URL or a declared target. */
export interface DatabaseRequest {
  readonly config?: string | undefined;
  /** Without a password. */
  readonly url?: string | undefined;
  /** Name under `restore-targets` in holdfast.yaml. */
  readonly target?: string | undefined;
  /** File whose first line is the password. */
  readonly passwordFile?: string | undefined;
  readonly isCreating: boolean;
  readonly isCleaning: boolean;
  readonly isKeeping: boolean;
  readonly isWithoutOwners: boolean;
  readonly entry?: string | undefined;
  readonly tables?: readonly string[] | undefined;
  readonly schemas?: readonly string[] | undefined;
  readonly jobs?: number | undefined;
  readonly signal: AbortSignal;
}

export interface DatabaseOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: { readonly bytes: number; readonly totalBytes: number }) => void) | undefined;
}

export interface DatabaseResult {
  readonly reports: readonly DatabaseRestoreReport[];
  readonly notes: readonly string[];
}

export async function planRestoreIntoDatabase(vault: LocalVault, reader: SnapshotReader, request: DatabaseRequest, context: LocalContext): Promise<DatabaseRestorePlan> {
  refuseMetaOnly(vault, 'a restore reads content');
  if (request.isCreating && request.isCleaning) throw new HoldfastError('usage', 'Both --create and --clean were given, wanted one: a new database has nothing to drop.');
  if (request.isKeeping && (request.isCleaning || request.isCreating)) throw new HoldfastError('usage', `--keep-existing and ${request.isCleaning ? '--clean' : '--create'} were given, wanted one: what is there is kept, or replaced, or nothing is there.`);
  const { isWithoutOwners, entry, tables, schemas, jobs, signal } = request;
  const { loader, isCreating } = await loaderFor(request, vault.stateFolder, context);
  const mode = request.isKeeping ? 'keep' : request.isCleaning ? 'clean' : request.isCreating || isCreating ? 'create' : 'empty';
  return planDatabaseRestore(reader, loader, { wanted: { mode, isWithoutOwners, entry, tables, schemas, jobs }, signal });
}

/** Carries out a plan and records it in the catalog, begun and ended. */
export async function performDatabaseRestore(vault: LocalVault, plan: DatabaseRestorePlan, { options, context }: { readonly options: DatabaseOptions; readonly context: LocalContext }): Promise<DatabaseResult> {
  const { clock } = context;
  const recorder = new RunRecorder(() => vault.catalog(), clock);
  const begun: RestoreRecord = { restoreId: newUlid(clock.now()), backupId: plan.backup as BackupId, target: plan.target, state: 'running', startedAt: clock.now(), files: 0, bytes: 0 };
  await recorder.record((catalog) => catalog.recordRestore(begun));
  try {
    const reports = await executeDatabaseRestore(plan, { clock, ...options });
    const bytes = reports.reduce((sum, report) => sum + report.bytes, 0);
    await recorder.record((catalog) => catalog.recordRestore({ ...begun, state: reports.some(({ warnings }) => warnings.length > 0) ? 'warnings' : 'completed', finishedAt: clock.now(), files: reports.length, bytes }));
    return { reports, notes: recorder.notes };
  } catch (error) {
    const fault = { code: isHoldfastError(error) ? error.code : 'broken-invariant', message: error instanceof Error ? error.message : String(error) };
    await recorder.record((catalog) => catalog.recordRestore({ ...begun, state: fault.code === 'interrupted' ? 'cancelled' : 'failed', finishedAt: clock.now(), error: fault }));
    throw error;
  }
}
