import type { ByteString } from '../model/byte-string.ts';
import type { SnapshotEntry, SnapshotReader, TreeDamage } from '../repository/index.ts';
import type { OverwritePolicy, PlannedEntry, RestoreAction } from './decision.ts';
import { planEntries } from './plan-entries.ts';
import { selectEntries } from './selection.ts';
import { keepHeapSmall } from './small-heap.ts';
import { TargetView } from './target-view.ts';

export interface RestoreRequest {
  /** Directory that the entries are restored into; made when it is not there. */
  readonly target: string;
  /** See `selectEntries`; none selects everything. */
  readonly patterns?: readonly string[];
  /** `never` when not given. */
  readonly overwrite?: OverwritePolicy;
  /** Also delete what is below selected directories of the target and not in the backup. */
  readonly deleteExtra?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface ActionTotals {
  entries: number;
  files: number;
  bytes: number;
}

/**
 * What a restore will do; plain data. Entries that are not in `exceptions` are created: of those the plan holds only
 * the totals, so that a restore of millions of entries into an empty directory is planned at once.
 */
export interface RestorePlan {
  readonly backup: string;
  readonly target: string;
  readonly patterns: readonly string[];
  readonly overwrite: OverwritePolicy;
  readonly targetState: 'absent' | 'empty' | 'filled';
  readonly totals: Readonly<Record<RestoreAction, ActionTotals>>;
  /** Every entry that is overwritten, skipped, in conflict, or deleted; by path. */
  readonly exceptions: ReadonlyMap<ByteString, PlannedEntry>;
  /** Parts of the entry tree that cannot be read. Nothing extra is deleted while there are any. */
  readonly treeDamage: readonly TreeDamage[];
}

/** Looks at the target and decides about every selected entry. Writes nothing. */
export async function planRestore(reader: SnapshotReader, request: RestoreRequest): Promise<RestorePlan> {
  const patterns = request.patterns ?? [];
  const { target, overwrite = 'never' } = request;
  keepHeapSmall();
  const view = TargetView.open(target);
  const totals: Record<RestoreAction, ActionTotals> = { create: none(), overwrite: none(), skip: none(), conflict: none(), 'delete-extra': none() };
  const exceptions = new Map<ByteString, PlannedEntry>();
  const treeDamage: TreeDamage[] = [];
  const plan: RestorePlan = { backup: reader.manifest.backup, target, patterns, overwrite, targetState: view.state, totals, exceptions, treeDamage };
  try {
    if (view.state !== 'filled' && selectEntries(patterns).isWhole) {
      Object.assign(totals.create, pick(reader.manifest.statistics));
      return plan;
    }
    for await (const { entry, planned } of planEntries(reader, view, { ...request, overwrite }, (damage) => treeDamage.push(damage))) {
      add(totals[planned.action], planned, entry);
      if (planned.action !== 'create') exceptions.set(planned.path, planned);
    }
    if (treeDamage.length > 0) withdrawDeletions(exceptions, totals);
    return plan;
  } finally {
    view.close();
  }
}

/** Every entry of a plan with its action, in order: what a dry run prints. Looks at the target again. */
export async function* plannedEntries(reader: SnapshotReader, plan: RestorePlan): AsyncGenerator<PlannedEntry> {
  const view = TargetView.open(plan.target);
  const deleteExtra = plan.totals['delete-extra'].entries > 0;
  try {
    for await (const { planned } of planEntries(reader, view, { ...plan, deleteExtra }, () => {})) yield planned;
  } finally {
    view.close();
  }
}

/** An entry that could not be read may be one of those that seem to be extra. */
function withdrawDeletions(exceptions: Map<ByteString, PlannedEntry>, totals: Record<RestoreAction, ActionTotals>): void {
  for (const [path, { action }] of exceptions) if (action === 'delete-extra') exceptions.delete(path);
  totals['delete-extra'] = none();
}

function add(total: ActionTotals, planned: PlannedEntry, entry: SnapshotEntry | undefined): void {
  total.entries++;
  total.bytes += planned.bytes;
  if (entry && 'size' in entry) total.files++;
}

function pick({ entries, files, bytes }: ActionTotals): ActionTotals {
  return { entries, files, bytes };
}

function none(): ActionTotals {
  return { entries: 0, files: 0, bytes: 0 };
}
