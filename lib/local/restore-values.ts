import type { RestoreRecord } from '../catalog/records.ts';
import { isHoldfastError } from '../model/errors.ts';
import { newUlid } from '../model/ids.ts';
import type { BackupId } from '../model/ids.ts';
import { executeValueRestore, planValueRestore, valueOutcome } from '../recovery/values/restore-values.ts';
import type { ValueRestoreOptions, ValueRestorePlan, ValueRestoreReport, ValueRestoreRequest } from '../recovery/values/restore-values.ts';
import type { ValueTarget } from '../recovery/values/value-target.ts';
import type { SnapshotReader } from '../repository/index.ts';
import { RunRecorder } from './run-recorder.ts';
import { parseValuePlace } from './value-place.ts';
import { refuseMetaOnly } from './vault.ts';
import type { LocalContext, LocalVault } from './vault.ts';

/** `url`: see `parseValuePlace`. */
export interface ValuesRequest extends ValueRestoreRequest {
  readonly url: string;
}

/** What would be done, and where. */
export interface PlannedValuesRestore {
  readonly plan: ValueRestorePlan;
  readonly target: ValueTarget;
}

export async function planRestoreOfValues(vault: LocalVault, reader: SnapshotReader, { url, ...request }: ValuesRequest, { environment: { variables } }: LocalContext): Promise<PlannedValuesRestore> {
  refuseMetaOnly(vault, 'a restore reads content');
  const { service, prefix, keyId, ...place } = parseValuePlace(url);
  const region = place.region ?? variables['AWS_REGION'] ?? variables['AWS_DEFAULT_REGION'];
  const endpoint = place.endpoint ?? variables['AWS_ENDPOINT_URL'];
  const options = { maxAttempts: 10, ...(region !== undefined && { region }), ...(endpoint !== undefined && { endpoint }) };
  const [{ ParameterTarget, SecretTarget }, { secretsClient, ssmClient }] = await Promise.all([import('../aws/value-targets.ts'), import('../aws/clients.ts')]);
  const target = service === 'ssm' ? new ParameterTarget({ client: ssmClient(options), prefix, keyId }) : new SecretTarget({ client: secretsClient(options), prefix, keyId });
  return { plan: await planValueRestore(reader, target, request), target };
}

/** Carries out a plan and records it in the catalog, begun and ended. */
export async function performValuesRestore(vault: LocalVault, reader: SnapshotReader, { plan, target }: PlannedValuesRestore, options: ValueRestoreOptions, { clock }: LocalContext): Promise<{ readonly report: ValueRestoreReport; readonly notes: readonly string[] }> {
  const recorder = new RunRecorder(() => vault.catalog(), clock);
  const begun: RestoreRecord = { restoreId: newUlid(clock.now()), backupId: plan.backup as BackupId, target: plan.target, state: 'running', startedAt: clock.now(), files: 0, bytes: 0 };
  await recorder.record((catalog) => catalog.recordRestore(begun));
  try {
    const report = await executeValueRestore(reader, target, plan, options);
    await recorder.record((catalog) => catalog.recordRestore({ ...begun, state: valueOutcome(report) === undefined ? 'completed' : 'warnings', finishedAt: clock.now(), files: report.written }));
    return { report, notes: recorder.notes };
  } catch (error) {
    const fault = { code: isHoldfastError(error) ? error.code : ('broken-invariant' as const), message: error instanceof Error ? error.message : String(error) };
    await recorder.record((catalog) => catalog.recordRestore({ ...begun, state: fault.code === 'interrupted' ? 'cancelled' : 'failed', finishedAt: clock.now(), error: fault }));
    throw error;
  }
}
