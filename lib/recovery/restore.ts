import type { Clock } from '../model/clock.ts';
import { fromText } from '../model/byte-string.ts';
import { isHoldfastError } from '../model/errors.ts';
import { makeMissingFolders } from '../model/make-missing-folders.ts';
import { frameOpener } from '../repository/index.ts';
import type { SnapshotReader } from '../repository/index.ts';
import { flushFileSystem } from './flush.ts';
import { restoreLimits } from './restore-limits.ts';
import type { RestoreLimits } from './restore-limits.ts';
import type { RestorePlan } from './restore-plan.ts';
import { targetError } from './restore-errors.ts';
import { ReportBuilder } from './restore-report.ts';
import type { RestoreProgress, RestoreReport } from './restore-report.ts';
import { RestoreRun } from './restore-run.ts';
import { TargetFolders } from './target-folders.ts';
import { fullTarget } from './target-space.ts';
import { deleteExtras } from './delete-extras.ts';
import { inlinePool, threadPool } from './write-pool.ts';
import { loadXattrWriter } from './xattrs.ts';
import type { XattrWriter } from './xattrs.ts';

export { planRestore, plannedEntries } from './restore-plan.ts';
export type { ActionTotals, RestorePlan, RestoreRequest } from './restore-plan.ts';
export { OVERWRITE_POLICIES } from './decision.ts';
export type { OverwritePolicy, PlannedEntry, RestoreAction } from './decision.ts';
export { spaceWarning } from './target-space.ts';
export { outcomeOf, skippedGroups } from './restore-report.ts';
export type { RefusedEntry, RestoreProgress, RestoreReport, SkippedGroup } from './restore-report.ts';

export interface ExecuteOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** `lib/recovery/worker.ts` or its bundle; without it everything runs on this thread. */
  readonly workerUrl?: URL | string | undefined;
  /** 2 when not given. Small restores use none. */
  readonly threads?: number;
  /** Set owner and group as in the backup; by default when root restores. */
  readonly restoreOwner?: boolean;
  /** `end` (default): one flush of the whole file system before success; `file`: each file and directory by itself; `none`. */
  readonly fsync?: 'end' | 'file' | 'none';
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: RestoreProgress) => void;
  /**
   * Hash every chunk against its id (default). Without it a frame is still proved by its seal and by the sealed
   * directory, so that only a fault of the machine that wrote it would pass; measured on
   * 131,000 files it saves 9 % of the processor time.
   */
  readonly provesChunks?: boolean;
  /** By the system's limits when not given; tests make them small. */
  readonly limits?: Partial<RestoreLimits>;
  /** The optional native module by default; undefined sets none. */
  readonly setXattrs?: XattrWriter | undefined;
}

/** Below this, starting threads takes longer than the work. */
const INLINE_BYTES = 16 << 20;
const INLINE_FILES = 500;

/**
 * Does what the plan says, once, and nothing else: what appeared in the target since the plan was made stays and is
 * reported. Damage in the vault refuses the entries it touches and nothing else. Throws `interrupted`, `no-space`,
 * `permission` (the target as a whole), `unavailable`, `unsupported`; what was restored before stays, whole.
 */
export async function executeRestore(reader: SnapshotReader, plan: RestorePlan, options: ExecuteOptions): Promise<RestoreReport> {
  const startedAt = options.clock.now();
  const report = new ReportBuilder();
  makeTarget(plan.target);
  const threads = options.threads ?? 2;
  const limits = { ...restoreLimits(threads), ...options.limits };
  const folders = new TargetFolders(plan.target, limits.openFolders);
  if (plan.targetState !== 'filled') folders.markRoot();
  const settings = { opener: frameOpener(reader.repository.keys, 'frame'), provesChunks: options.provesChunks ?? true };
  const { create, overwrite } = plan.totals;
  const isSmall = create.bytes + overwrite.bytes < INLINE_BYTES && create.files + overwrite.files < INLINE_FILES;
  const pool = options.workerUrl === undefined || isSmall || threads === 0 ? inlinePool(settings) : threadPool(options.workerUrl, threads, settings);
  try {
    const run = new RestoreRun({ reader, plan, folders, pool, report, ...options, setXattrs: 'setXattrs' in options ? options.setXattrs : loadXattrWriter(), limits });
    await run.perform();
    if (report.treeDamage.length === 0) deleteExtras(plan, folders, report);
    if ((options.fsync ?? 'end') === 'end') await flushFileSystem(folders.root.fd, options.signal);
  } catch (error) {
    throw isHoldfastError(error, 'no-space') ? fullTarget(error, plan, report.restored.bytes) : error;
  } finally {
    await pool.close();
    folders.closeAll();
  }
  const { restored, skipped, refused, treeDamage, deleted, leftovers, warnings } = report;
  return { backup: plan.backup, target: plan.target, restored, skipped, refused, treeDamage, deleted, leftovers, warnings, durationMilliseconds: options.clock.now() - startedAt };
}

function makeTarget(target: string): void {
  try {
    makeMissingFolders(fromText(target));
  } catch (error) {
    throw targetError(target, error);
  }
}
