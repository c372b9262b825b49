/** A backup as removal sees it. */
export interface RemovableBackup {
  readonly plan: string;
  /** Readable name of the plan. */
  readonly planName: string;
  readonly backup: string;
  /** The store's time of its snapshot. */
  readonly storedAt: number;
  readonly standing: 'good' | 'corrupted' | 'void' | 'unreadable';
}

/** A removal that was begun and not finished: its fact is there, some of its objects too. */
export interface UnfinishedRemoval {
  readonly plan: string;
  readonly backup: string;
}

export interface RemoveRequest {
  readonly ids: readonly string[];
  /** Removes the last good backup of a plan too. */
  readonly force: boolean;
}

export interface PlannedRemoval {
  readonly plan: string;
  readonly backup: string;
  readonly reason: string;
}

export interface AffectedPlan {
  readonly planName: string;
  /** The newest good backup that stays; undefined when none does. */
  readonly newestGood: string | undefined;
  readonly remaining: number;
}

export interface RemovePlan {
  readonly removals: readonly PlannedRemoval[];
  readonly affected: readonly AffectedPlan[];
  readonly warnings: readonly string[];
  /** Not empty: nothing may be done. */
  readonly refusals: readonly Refusal[];
}

export interface Refusal {
  readonly code: 'not-found' | 'refused';
  readonly reason: string;
  readonly nextStep: string;
}

/** Decides what `remove` does, purely: the dry run prints this, and `executeRemove` carries it out. */
export function planRemove(request: RemoveRequest, backups: readonly RemovableBackup[], unfinished: readonly UnfinishedRemoval[] = []): RemovePlan {
  const removals: PlannedRemoval[] = [];
  const refusals: Refusal[] = [];
  for (const id of new Set(request.ids)) {
    const known = backups.find((backup) => backup.backup === id);
    const begun = unfinished.find((removal) => removal.backup === id);
    if (begun) removals.push({ plan: begun.plan, backup: id, reason: 'its removal was begun and not finished' });
    else if (known) removals.push({ plan: known.plan, backup: id, reason: `asked for; it is ${known.standing}` });
    else refusals.push({ code: 'not-found', reason: `No backup ${id} is in this vault.`, nextStep: 'Run `holdfast list` for the ids.' });
  }
  const going = new Set(removals.map((removal) => removal.backup));
  const touched = Map.groupBy(backups, (backup) => backup.plan);
  const affected: AffectedPlan[] = [];
  const warnings: string[] = [];
  for (const ofPlan of touched.values()) {
    if (!ofPlan.some((backup) => going.has(backup.backup))) continue;
    const after = judgePlan(ofPlan, going);
    affected.push(after.affected);
    if (!after.losesLastGood) continue;
    const reason = `The last good backup of ${after.affected.planName} (${after.lastGood}) would be removed: nothing could be restored from this plan any more.`;
    if (request.force) warnings.push(reason);
    else refusals.push({ code: 'refused', reason, nextStep: 'Make a new backup first, or repeat with --force.' });
  }
  return { removals, affected, warnings, refusals };
}

function judgePlan(ofPlan: readonly RemovableBackup[], going: ReadonlySet<string>): { affected: AffectedPlan; losesLastGood: boolean; lastGood: string } {
  const newestFirst = ofPlan.toSorted((a, b) => b.storedAt - a.storedAt);
  const good = newestFirst.filter((backup) => backup.standing === 'good');
  const staying = newestFirst.filter((backup) => !going.has(backup.backup));
  const newestGood = good.find((backup) => !going.has(backup.backup))?.backup;
  return {
    affected: { planName: newestFirst[0]?.planName ?? '', newestGood, remaining: staying.length },
    losesLastGood: good.length > 0 && newestGood === undefined,
    lastGood: good[0]?.backup ?? '',
  };
}
