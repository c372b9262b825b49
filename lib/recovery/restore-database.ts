import type { Clock } from '../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { SnapshotReader } from '../repository/index.ts';
import type { DatabaseLoad, DatabaseLoader, LoadMode, LoadRequest, PartWords, TableCount } from '../sources/database-loader.ts';
import { backupContent } from './backup-content.ts';

export type { TableCount } from '../sources/database-loader.ts';

/** What would be done; consumed once, by `executeDatabaseRestore`. */
export interface DatabaseRestorePlan {
  readonly backup: string;
  /** Where to, for people; without a secret. */
  readonly target: string;
  /** One for each database, in their order. */
  readonly loads: readonly DatabaseLoad[];
}

export interface DatabaseRestoreOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly signal: AbortSignal;
  /** Bytes of all archives. */
  readonly onProgress?: ((progress: { readonly bytes: number; readonly totalBytes: number }) => void) | undefined;
}

/** Of one database. */
export interface DatabaseRestoreReport {
  readonly backup: string;
  readonly entry: string;
  /** For people; without a secret. */
  readonly database: string;
  readonly mode: LoadMode;
  readonly words?: PartWords | undefined;
  readonly bytes: number;
  /** Counted in the restored database, in order of their names. */
  readonly tables: readonly TableCount[];
  readonly warnings: readonly string[];
  /** What somebody wants to know, and nothing is wrong about. */
  readonly notes: readonly string[];
  readonly durationMilliseconds: number;
}

/** What restoring a backup into databases would do; changes nothing. Fails as `DatabaseLoader.plan` does. */
export async function planDatabaseRestore(reader: SnapshotReader, loader: DatabaseLoader, { wanted, signal }: { readonly wanted: LoadRequest; readonly signal: AbortSignal }): Promise<DatabaseRestorePlan> {
  if (wanted.mode === 'keep' && loader.isAbleToKeep !== true) throw new HoldfastError('usage', `A restore into ${loader.description} does not know --keep-existing. Nothing was done.`, { nextStep: 'Leave it away: what is there is never overwritten without --clean.' });
  return { backup: reader.manifest.backup, target: loader.description, loads: await loader.plan(backupContent(reader), wanted, signal) };
}

/**
 * Streams archives into databases, one after another; a database where it fails, or is stopped, is left as it was before.
 * Those before it are restored and stay: the error names them.
 */
export async function executeDatabaseRestore({ backup, loads }: DatabaseRestorePlan, options: DatabaseRestoreOptions): Promise<DatabaseRestoreReport[]> {
  const totalBytes = loads.reduce((sum, load) => sum + load.bytes, 0);
  const reports: DatabaseRestoreReport[] = [];
  let before = 0;
  for (const load of loads) {
    const onBytes = (bytes: number) => options.onProgress?.({ bytes: before + bytes, totalBytes });
    reports.push(await performLoad(backup, load, { ...options, onBytes }).catch((error: unknown) => { throw withRestored(error, reports); }));
    before += load.bytes;
  }
  return reports;
}

async function performLoad(backup: string, load: DatabaseLoad, { clock, signal, onBytes }: DatabaseRestoreOptions & { readonly onBytes: (bytes: number) => void }): Promise<DatabaseRestoreReport> {
  const startedAt = clock.now();
  const { bytes, tables, warnings, notes = [] } = await load.perform({ signal, onBytes });
  return { backup, entry: load.entry, database: load.description, mode: load.mode, ...(load.words && { words: load.words }), bytes, tables, warnings: [...load.warnings, ...warnings], notes, durationMilliseconds: clock.now() - startedAt };
}

function withRestored(error: unknown, reports: readonly DatabaseRestoreReport[]): unknown {
  if (reports.length === 0 || !isHoldfastError(error)) return error;
  const { code, message, nextStep, data, retryable } = error;
  return new HoldfastError(code, `${message} Restored before it, and there now: ${reports.map(({ database }) => database).join(', ')}.`, { ...(nextStep !== undefined && { nextStep }), data, retryable, cause: error });
}
