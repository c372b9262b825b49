import type { RestoreRecord } from '../catalog/records.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { newUlid } from '../model/ids.ts';
import type { BackupId } from '../model/ids.ts';
import type { OverwritePolicy } from '../recovery/decision.ts';
import type { ObjectTarget } from '../recovery/objects/object-target.ts';
import { planObjectRestore, plannedObjects } from '../recovery/objects/plan-objects.ts';
import type { ObjectRestorePlan, PlannedObject } from '../recovery/objects/plan-objects.ts';
import { executeObjectRestore, objectOutcome } from '../recovery/objects/restore-objects.ts';
import type { ObjectRestoreOptions, ObjectRestoreReport } from '../recovery/objects/restore-objects.ts';
import type { SnapshotReader } from '../repository/index.ts';
import { RunRecorder } from './run-recorder.ts';
import { describePlace, parseS3Place } from './s3-place.ts';
import { refuseMetaOnly } from './vault.ts';
import type { LocalContext, LocalVault } from './vault.ts';

export interface BucketRequest {
  /** `s3://BUCKET/PREFIX` with parameters; never with credentials. */
  readonly url: string;
  readonly patterns: readonly string[];
  readonly overwrite: OverwritePolicy;
  readonly signal: AbortSignal;
}

export type BucketOptions = Omit<ObjectRestoreOptions, 'clock'>;

export interface BucketRestoreResult {
  readonly report: ObjectRestoreReport;
  readonly notes: readonly string[];
}

/** What would be done, and the place where. */
export interface PlannedBucketRestore {
  readonly plan: ObjectRestorePlan;
  readonly target: ObjectTarget;
  /** Every decision, one by one. */
  objects(): AsyncIterable<PlannedObject>;
}

export async function planRestoreIntoBucket(vault: LocalVault, reader: SnapshotReader, { url, ...request }: BucketRequest, context: LocalContext): Promise<PlannedBucketRestore> {
  refuseMetaOnly(vault, 'a restore reads content');
  const place = parseS3Place(url, context.environment.workingFolder);
  const { openTarget } = await import('./s3-vault.ts');
  refuseVault(describePlace(place), vault.directory);
  const target = openTarget(place, context);
  return { plan: await planObjectRestore(reader, target, request), target, objects: () => plannedObjects(reader, target, request) };
}

/** Carries out a plan and records it in the catalog, begun and ended. */
export async function performBucketRestore(vault: LocalVault, reader: SnapshotReader, { plan, target }: PlannedBucketRestore, options: BucketOptions, { clock }: LocalContext): Promise<BucketRestoreResult> {
  const recorder = new RunRecorder(() => vault.catalog(), clock);
  const begun: RestoreRecord = { restoreId: newUlid(clock.now()), backupId: plan.backup as BackupId, target: plan.target, state: 'running', startedAt: clock.now(), files: 0, bytes: 0 };
  await recorder.record((catalog) => catalog.recordRestore(begun));
  try {
    const report = await executeObjectRestore(reader, target, plan, { clock, ...options });
    const state = objectOutcome(report) === undefined && report.leftOut === 0 ? 'completed' : 'warnings';
    await recorder.record((catalog) => catalog.recordRestore({ ...begun, state, finishedAt: clock.now(), files: report.written, bytes: report.bytes }));
    return { report, notes: recorder.notes };
  } catch (error) {
    const fault = { code: isHoldfastError(error) ? error.code : ('broken-invariant' as const), message: error instanceof Error ? error.message : String(error) };
    await recorder.record((catalog) => catalog.recordRestore({ ...begun, state: fault.code === 'interrupted' ? 'cancelled' : 'failed', finishedAt: clock.now(), error: fault }));
    throw error;
  }
}

/** Objects among those of the vault, or above them, would be taken for its own one day. */
function refuseVault(target: string, vault: string): void {
  const [inner, outer] = target.length < vault.length ? [vault, target] : [target, vault];
  if (inner !== outer && !inner.startsWith(`${outer}/`)) return;
  throw new HoldfastError('refused', `${target} overlaps with the vault at ${vault}, wanted another bucket or prefix.`, { nextStep: 'Restore into a bucket of its own: what lies among the objects of a vault is in danger, and endangers it.' });
}
