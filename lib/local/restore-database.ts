import { resolve } from 'node:path';
import type { Config } from '../config/load-config.ts';
import type { RestoreRecord } from '../catalog/records.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { newUlid } from '../model/ids.ts';
import type { BackupId } from '../model/ids.ts';
import { executeDatabaseRestore, planDatabaseRestore } from '../recovery/restore-database.ts';
import type { DatabaseRestorePlan, DatabaseRestoreReport, DatabaseTarget } from '../recovery/restore-database.ts';
import type { SnapshotReader } from '../repository/index.ts';
import { describeConnection } from '../sources/postgres/connection.ts';
import type { PostgresConnection } from '../sources/postgres/connection.ts';
import { findConfig } from './configuration.ts';
import { connectionOf, parseDatabaseUrl, postgresPlaces } from './postgres-places.ts';
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
  readonly isWithoutOwners: boolean;
  readonly entry?: string | undefined;
  readonly signal: AbortSignal;
}

export interface DatabaseOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: { readonly bytes: number; readonly totalBytes: number }) => void) | undefined;
}

export interface DatabaseResult {
  readonly report: DatabaseRestoreReport;
  readonly notes: readonly string[];
}

const PASSWORD = 'HOLDFAST_DATABASE_PASSWORD';

export async function planRestoreIntoDatabase(vault: LocalVault, reader: SnapshotReader, request: DatabaseRequest, context: LocalContext): Promise<DatabaseRestorePlan> {
  refuseMetaOnly(vault, 'a restore reads content');
  if (request.isCreating && request.isCleaning) throw new HoldfastError('usage', 'Both --create and --clean were given, wanted one: a new database has nothing to drop.');
  const { clock, environment } = context;
  return planDatabaseRestore(reader, await targetOf(request, context), { ...postgresPlaces(environment), clock, signal: request.signal });
}

/** Carries out a plan and records it in the catalog, begun and ended. */
export async function performDatabaseRestore(vault: LocalVault, reader: SnapshotReader, plan: DatabaseRestorePlan, { options, context }: { readonly options: DatabaseOptions; readonly context: LocalContext }): Promise<DatabaseResult> {
  const { clock, environment } = context;
  const recorder = new RunRecorder(() => vault.catalog(), clock);
  const begun: RestoreRecord = { restoreId: newUlid(clock.now()), backupId: plan.backup as BackupId, target: describeConnection(plan.target.connection), state: 'running', startedAt: clock.now(), files: 0, bytes: 0 };
  await recorder.record((catalog) => catalog.recordRestore(begun));
  try {
    const report = await executeDatabaseRestore(reader, plan, { ...postgresPlaces(environment), clock, ...options });
    await recorder.record((catalog) => catalog.recordRestore({ ...begun, state: report.warnings.length > 0 ? 'warnings' : 'completed', finishedAt: clock.now(), files: 1, bytes: report.bytes }));
    return { report, notes: recorder.notes };
  } catch (error) {
    const fault = { code: isHoldfastError(error) ? error.code : 'broken-invariant', message: error instanceof Error ? error.message : String(error) };
    await recorder.record((catalog) => catalog.recordRestore({ ...begun, state: fault.code === 'interrupted' ? 'cancelled' : 'failed', finishedAt: clock.now(), error: fault }));
    throw error;
  }
}

async function targetOf(request: DatabaseRequest, { environment }: LocalContext): Promise<DatabaseTarget> {
  const declared = request.target === undefined ? undefined : await declaredTarget(request.target, await findConfig(environment, request.config));
  const connection = declared === undefined ? parseDatabaseUrl(request.url ?? '') : await connectionOf(declared, environment);
  const mode = request.isCleaning ? 'clean' : request.isCreating || declared?.createDatabase === true ? 'create' : 'empty';
  return { connection: await withPassword(connection, request, environment), mode, isWithoutOwners: request.isWithoutOwners, entry: request.entry };
}

async function withPassword(connection: PostgresConnection, { passwordFile }: DatabaseRequest, { variables, workingFolder }: LocalContext['environment']): Promise<PostgresConnection> {
  if (passwordFile !== undefined) {
    const { readSecretFile } = await import('../keyring/secret-file.ts');
    const [password = ''] = (await readSecretFile(resolve(workingFolder, passwordFile), 'password file')).toString('utf8').split(/\r?\n/);
    return { ...connection, password };
  }
  const password = variables[PASSWORD];
  return connection.password !== undefined || password === undefined || password === '' ? connection : { ...connection, password };
}

async function declaredTarget(name: string, config: Config | undefined) {
  const { resolveConnection } = await import('../config/resolve-plans.ts');
  const targets = config?.fields['restore-targets'] ?? {};
  const fields = targets[name];
  if (config === undefined || fields === undefined) throw new HoldfastError('not-found', `No restore target is called ${name}${config === undefined ? ': there is no holdfast.yaml' : ` in ${config.file}`}.`, { nextStep: `Declared: ${Object.keys(targets).join(', ') || 'none'}. Or name the database itself: --to-database postgres://USER@HOST/DATABASE.` });
  if (fields.type !== 'postgres') throw new HoldfastError('usage', `The restore target ${name} is of type ${fields.type}, wanted postgres.`, { nextStep: 'Restore into a directory with --to DIR.' });
  return { ...resolveConnection(config, fields), createDatabase: fields['create-database'] };
}
