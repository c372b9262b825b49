import type { Mark, Ruling } from '../repository/index.ts';
import { MARK_PACK_AGE_MS, RULING_AGE_MS, SPARED_LIFE_MS, UNFINISHED_LIFE_MS, markNameOf, packIdOf, rulingNameOf } from '../repository/index.ts';
import type { ObjectInfo } from '../stores/store.ts';
import type { PruneState, RefsState } from './prune-state.ts';
import { ageInWords } from './words.ts';

/** Everything that one prune will do, each step with its reason in words; a dry run prints it. */
export interface PrunePlan {
  /** The store's time that the plan was made from. */
  readonly at: number;
  /** Not empty: nothing may be done before these are solved. */
  readonly blockers: readonly Blocker[];
  /** Objects of removed backups and of runs that never finished, snapshots before refs; notes about packs that are gone. */
  readonly expired: readonly Expiry[];
  readonly rulings: readonly PlannedRuling[];
  readonly deletions: readonly Deletion[];
  readonly cleared: readonly Clearing[];
  readonly marks: readonly PlannedMark[];
  /** Bytes of `deletions`, and of the packs that wait for a ruling or are marked now. */
  readonly bytesFreed: number;
  readonly bytesWaiting: number;
  /** Packs that no backup needs and that nothing can be done about yet, by what they wait for. */
  readonly waiting: readonly Waiting[];
}

export interface Waiting {
  readonly packs: number;
  readonly sizeBytes: number;
  readonly reason: string;
  /** The store's time from which on the next step for all of them is due. */
  readonly until: number;
}

export interface Blocker {
  readonly name: string;
  readonly reason: string;
  readonly nextStep: string;
}
export interface Expiry {
  readonly name: string;
  readonly reason: string;
}
export interface PlannedRuling {
  readonly mark: string;
  readonly ruling: Ruling;
  readonly reason: string;
}
export interface Deletion {
  readonly pack: string;
  readonly sizeBytes: number;
  readonly mark: string;
  /** False while the mark's ruling is part of this plan: another prune may rule first, and is obeyed. */
  readonly isRuled: boolean;
  readonly reason: string;
}
export interface Clearing {
  readonly mark: string;
  readonly ruling: string;
  /** An orphan is a ruling whose mark was not seen. */
  readonly isOrphan: boolean;
  readonly reason: string;
}
export interface PlannedMark {
  readonly pack: string;
  readonly sizeBytes: number;
  readonly reason: string;
}

/** The protocol of format §12 as a decision: pure, so that what is shown is what is done. */
export function planPrune(state: PruneState): PrunePlan {
  const { counting, expired } = sortRefs(state);
  const needed = neededPacks(state, counting);
  const listed = new Map(state.packs.map((pack) => [packIdOf(pack.name), pack]));
  const rulings = planRulings(state, needed, listed);
  const deletions = planDeletions(state, rulings, listed);
  const marks = planMarks(state, needed);
  return {
    at: state.now,
    blockers: findBlockers(state, counting, listed),
    expired: [...expired, ...planNotes(state, counting, needed, listed)],
    rulings,
    deletions,
    cleared: planClearings(state, listed),
    marks,
    bytesFreed: sumSizes(deletions),
    bytesWaiting: sumSizes(marks) + sumOfWaiting(state, deletions, listed),
    waiting: findWaiting(state, needed, listed),
  };
}

/** Which refs keep packs alive, and which objects have outlived their use. */
function sortRefs(state: PruneState): { counting: Map<string, RefsState>; expired: Expiry[] } {
  const snapshots = new Map(state.snapshots.map((snapshot) => [snapshot.key, snapshot]));
  const counting = new Map<string, RefsState>();
  const expired: Expiry[] = [];
  for (const snapshot of state.snapshots) {
    if (state.removed.has(snapshot.key)) expired.push({ name: snapshot.name, reason: 'its backup was removed' });
  }
  for (const refs of state.refs) {
    const age = state.now - refs.newestStoredAt;
    if (state.removed.has(refs.key)) expired.push(...refs.names.map((name) => ({ name, reason: 'its backup was removed' })));
    else if (snapshots.has(refs.key) || age <= UNFINISHED_LIFE_MS) counting.set(refs.key, refs);
    else expired.push(...refs.names.map((name) => ({ name, reason: `its run stored no snapshot in ${ageInWords(age)}` })));
  }
  for (const partial of state.partials) {
    const age = state.now - partial.storedAt;
    if (age > UNFINISHED_LIFE_MS) expired.push({ name: partial.name, reason: `a checkpoint of a run, ${ageInWords(age)} old` });
  }
  return { counting, expired };
}

/**
 * A note about a damaged pack goes when the pack is gone and no backup names it, nor misses anything of it. Ids of packs
 * are never used again, so it would keep nobody from anything.
 */
function planNotes(state: PruneState, counting: ReadonlyMap<string, RefsState>, needed: ReadonlyMap<string, string>, listed: ReadonlyMap<string, ObjectInfo>): Expiry[] {
  const missed = new Set([...counting.values()].flatMap(({ lostIds }) => lostIds));
  const isDone = ({ packId }: PruneState['damage'][number]) => !listed.has(packId) && !needed.has(packId) && !missed.has(packId);
  return state.damage.filter(isDone).map(({ name }) => ({ name, reason: 'the damaged pack that it is about is gone, and no backup needs it' }));
}

/** Pack id → who needs it first, in words. */
function neededPacks(state: PruneState, counting: ReadonlyMap<string, RefsState>): Map<string, string> {
  const needed = new Map<string, string>();
  for (const refs of counting.values()) for (const id of refs.packIds) if (!needed.has(id)) needed.set(id, `backup ${refs.key.slice(refs.key.indexOf('/') + 1)}`);
  for (const partial of state.partials) {
    if (state.now - partial.storedAt > UNFINISHED_LIFE_MS) continue;
    for (const id of partial.packIds) if (!needed.has(id)) needed.set(id, `the unfinished run ${partial.name}`);
  }
  return needed;
}

function planRulings(state: PruneState, needed: ReadonlyMap<string, string>, listed: ReadonlyMap<string, ObjectInfo>): PlannedRuling[] {
  const rulings: PlannedRuling[] = [];
  for (const mark of state.marks.marks) {
    const age = state.now - mark.storedAt;
    if (mark.ruling !== 'undecided' || age < RULING_AGE_MS || !listed.has(mark.packId)) continue;
    const user = needed.get(mark.packId);
    const reason = user === undefined ? `marked ${ageInWords(age)} ago, and no backup names it since` : `${user} names it`;
    rulings.push({ mark: mark.name, ruling: user === undefined ? 'doomed' : 'spared', reason });
  }
  return rulings;
}

function planDeletions(state: PruneState, rulings: readonly PlannedRuling[], listed: ReadonlyMap<string, ObjectInfo>): Deletion[] {
  const doomedNow = new Set(rulings.filter((ruling) => ruling.ruling === 'doomed').map((ruling) => ruling.mark));
  const deletions = new Map<string, Deletion>();
  for (const mark of state.marks.marks) {
    const pack = listed.get(mark.packId);
    const isRuled = mark.ruling === 'doomed';
    if (!pack || !(isRuled || doomedNow.has(mark.name)) || deletions.get(pack.name)?.isRuled) continue;
    const reason = `named by no backup when it was looked for again, ${ageInWords((mark.ruledAt ?? state.now) - mark.storedAt)} after it was marked`;
    deletions.set(pack.name, { pack: pack.name, sizeBytes: pack.size, mark: mark.name, isRuled, reason });
  }
  return [...deletions.values()];
}

function planClearings(state: PruneState, listed: ReadonlyMap<string, ObjectInfo>): Clearing[] {
  const cleared: Clearing[] = state.marks.orphanRulings.map((ruling) => ({ mark: markNameOf(ruling), ruling, isOrphan: true, reason: 'its mark is gone' }));
  for (const mark of state.marks.marks) {
    const reason = !listed.has(mark.packId) ? 'its pack is gone' : isLongSpared(mark, state.now) ? `spared ${ageInWords(state.now - (mark.ruledAt ?? state.now))} ago` : undefined;
    if (reason) cleared.push({ mark: mark.name, ruling: rulingNameOf(mark.name), isOrphan: false, reason });
  }
  return cleared;
}

function isLongSpared(mark: Mark, now: number): boolean {
  return mark.ruling === 'spared' && mark.ruledAt !== undefined && now - mark.ruledAt > SPARED_LIFE_MS;
}

function planMarks(state: PruneState, needed: ReadonlyMap<string, string>): PlannedMark[] {
  const marked = new Set(state.marks.marks.filter((mark) => mark.ruling !== 'spared').map((mark) => mark.packId));
  const marks: PlannedMark[] = [];
  for (const pack of state.packs) {
    const id = packIdOf(pack.name);
    const age = state.now - pack.storedAt;
    if (needed.has(id) || marked.has(id) || age <= MARK_PACK_AGE_MS) continue;
    marks.push({ pack: pack.name, sizeBytes: pack.size, reason: `stored ${ageInWords(age)} ago and named by no backup` });
  }
  return marks;
}

/** One millisecond later than the age itself: `planMarks` wants older packs. */
function findWaiting(state: PruneState, needed: ReadonlyMap<string, string>, listed: ReadonlyMap<string, ObjectInfo>): Waiting[] {
  const marks = new Map(state.marks.marks.filter((mark) => mark.ruling === 'undecided' && state.now - mark.storedAt < RULING_AGE_MS).map((mark) => [mark.packId, mark]));
  const idle = [...listed].filter(([id]) => !needed.has(id));
  const young = idle.filter(([id, pack]) => !marks.has(id) && state.now - pack.storedAt <= MARK_PACK_AGE_MS).map(([, pack]) => ({ size: pack.size, until: pack.storedAt + MARK_PACK_AGE_MS + 1 }));
  const marked = idle.flatMap(([id, pack]) => {
    const mark = marks.get(id);
    return mark === undefined ? [] : [{ size: pack.size, until: mark.storedAt + RULING_AGE_MS }];
  });
  const group = (packs: readonly { readonly size: number; readonly until: number }[], reason: string): Waiting[] =>
    packs.length === 0 ? [] : [{ packs: packs.length, sizeBytes: packs.reduce((sum, { size }) => sum + size, 0), reason, until: packs.reduce((last, { until }) => Math.max(last, until), 0) }];
  return [...group(young, `younger than ${MARK_PACK_AGE_MS / 3_600_000} h`), ...group(marked, `marked less than ${RULING_AGE_MS / 3_600_000} h ago`)];
}

/** What must be understood before anything may be deleted: a backup whose packs are not known, or that lost a pack to a ruling. */
function findBlockers(state: PruneState, counting: ReadonlyMap<string, RefsState>, listed: ReadonlyMap<string, ObjectInfo>): Blocker[] {
  const doomed = new Set(state.marks.marks.filter((mark) => mark.ruling === 'doomed').map((mark) => mark.packId));
  const blockers: Blocker[] = [];
  const withSnapshot = new Set<string>();
  for (const snapshot of state.snapshots) {
    withSnapshot.add(snapshot.key);
    if (state.removed.has(snapshot.key) || snapshot.standing === 'void') continue;
    const reason = problemOf(counting.get(snapshot.key), doomed, listed);
    if (reason) blockers.push({ name: snapshot.name, reason, nextStep: nextStepFor(snapshot.key) });
  }
  for (const refs of counting.values()) {
    if (!refs.problem || withSnapshot.has(refs.key)) continue;
    blockers.push({ name: refs.names[0] ?? refs.key, reason: refs.problem, nextStep: 'Its run may still finish. Prune again when it has, or when 7 days have passed.' });
  }
  return blockers;
}

function problemOf(refs: RefsState | undefined, doomed: ReadonlySet<string>, listed: ReadonlyMap<string, ObjectInfo>): string | undefined {
  if (!refs) return 'its list of packs is missing';
  if (refs.problem) return refs.problem;
  const condemned = refs.packIds.find((id) => doomed.has(id) && listed.has(id));
  if (condemned) return `it needs the pack ${condemned}, which an earlier prune has ruled to be deleted`;
  // With the manifest's word for the list the pack was lost, which is for verify to tell; without it the list may be what is damaged.
  const missing = refs.isProven ? undefined : refs.packIds.find((id) => !listed.has(id));
  return missing && `it names the pack ${missing}, which is not in the vault, and its manifest could not be opened to tell a lost pack from a damaged list`;
}

function nextStepFor(key: string): string {
  const id = key.slice(key.indexOf('/') + 1);
  return `Run \`holdfast repair packs\`, which writes lists of packs anew, and \`holdfast verify ${id}\`. If the backup cannot be saved, \`holdfast remove ${id}\`, then prune again. Nothing was deleted.`;
}

function sumSizes(items: readonly { readonly sizeBytes: number }[]): number {
  return items.reduce((sum, item) => sum + item.sizeBytes, 0);
}

function sumOfWaiting(state: PruneState, deletions: readonly Deletion[], listed: ReadonlyMap<string, ObjectInfo>): number {
  const dying = new Set(deletions.map((deletion) => packIdOf(deletion.pack)));
  const waiting = new Set(state.marks.marks.filter((mark) => mark.ruling === 'undecided' && !dying.has(mark.packId)).map((mark) => mark.packId));
  return [...waiting].reduce((sum, id) => sum + (listed.get(id)?.size ?? 0), 0);
}
