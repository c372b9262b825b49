import { UNFINISHED_LIFE_MS, MARK_PACK_AGE_MS } from '../repository/index.ts';
import type { StoredNote, WalEntry } from '../repository/index.ts';
import { parseLsn, segmentNumber, segmentOf } from '../sources/postgres/wal/lsn.ts';
import { ageInWords } from './words.ts';

/** Where replay of a kept base backup begins. */
export interface KeptBase {
  readonly backup: string;
  readonly systemId: string;
  readonly startLsn: string;
  readonly walSegmentBytes: number;
}

/** What decides about WAL; all times are the store's. */
export interface WalState {
  /** Read before anything was listed. */
  readonly now: number;
  readonly entries: readonly WalEntry[];
  /** That all WAL of a server was kept. */
  readonly notes: readonly StoredNote[];
  /** Of all plans: WAL belongs to a system, whatever plan its base backups are of. */
  readonly bases: readonly KeptBase[];
  /** Snapshots that nobody can tell the facts of: one of them may be the base backup that needs everything. */
  readonly unreadable: readonly string[];
}

export interface WalDeletion {
  /** Names of objects. */
  readonly names: readonly string[];
  readonly file: string;
  readonly sizeBytes: number;
  readonly reason: string;
}

export interface WalPrunePlan {
  readonly deletions: readonly WalDeletion[];
  readonly bytesFreed: number;
  /** Why WAL stays that may not be needed. */
  readonly kept: readonly string[];
}

/** A reader that has just listed a beginning of a segment may still be about to read it. */
const SUPERSEDED_AGE_MS = 3_600_000;

/**
 * Which WAL no base backup needs (pure). Replay of a base backup reads from its start on, whatever timeline it follows, so
 * what ends before the start of the oldest one of its system is needed by none. Kept all the same: what was stored within two
 * days, because a base backup that is still running began before its snapshot is here; and without any base backup what was
 * stored within a week, because the first one may be about to be taken.
 */
export function planWalPrune({ now, entries, notes, bases, unreadable }: WalState): WalPrunePlan {
  const deletions: WalDeletion[] = oldNotes(notes, now);
  const bySystem = Map.groupBy(entries, ({ systemId }) => systemId);
  for (const [systemId, own] of bySystem) {
    const oldest = oldestOf(bases.filter((base) => base.systemId === systemId));
    const longest = longestOf(own);
    for (const entry of own) {
      const reason = supersededBy(entry, longest, now) ?? (unreadable.length > 0 ? undefined : oldest === undefined ? spentWithoutBase(entry, now) : spentBefore(entry, oldest, now));
      if (reason !== undefined) deletions.push({ names: entry.objects.map(({ name }) => name), file: `${entry.name}${entry.partial === undefined ? '' : '.partial'} of system ${systemId}`, sizeBytes: entry.storedBytes, reason });
    }
  }
  const [first] = unreadable;
  const kept = first === undefined || entries.length === 0 ? [] : [`All WAL stays: ${first}${unreadable.length > 1 ? ` (and ${unreadable.length - 1} more)` : ''} cannot be read, and may be a base backup that needs it.`];
  return { deletions, bytesFreed: deletions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0), kept };
}

/** Of a plan the newest note stays: it says since when nothing arrives. */
function oldNotes(notes: readonly StoredNote[], now: number): WalDeletion[] {
  return [...Map.groupBy(notes, ({ plan }) => plan)].flatMap(([plan, own]) => {
    const newest = Math.max(...own.map(({ storedAt }) => storedAt));
    const names = own.filter(({ storedAt }) => storedAt < newest && now - storedAt > UNFINISHED_LIFE_MS).map(({ name }) => name);
    return names.length === 0 ? [] : [{ names, file: `notes of plan ${plan} that all was kept, ${names.length} of them`, sizeBytes: 0, reason: 'they are older than a week, and a newer one is there' }];
  });
}

function oldestOf(bases: readonly KeptBase[]): KeptBase | undefined {
  return bases.toSorted((left, right) => (parseLsn(left.startLsn) < parseLsn(right.startLsn) ? -1 : 1))[0];
}

function spentBefore({ kind, name, storedAt }: WalEntry, { backup, startLsn, walSegmentBytes }: KeptBase, now: number): string | undefined {
  // Histories are a few lines, and every recovery asks for them.
  if (kind === 'history' || now - storedAt <= MARK_PACK_AGE_MS) return undefined;
  const isBefore = segmentNumber(name, walSegmentBytes) < segmentOf(parseLsn(startLsn), walSegmentBytes);
  return isBefore ? `it ends before ${startLsn}, where the oldest base backup of its system (${backup}) begins` : undefined;
}

function spentWithoutBase({ storedAt }: WalEntry, now: number): string | undefined {
  return now - storedAt > UNFINISHED_LIFE_MS ? `its system has no base backup, and it was stored ${ageInWords(now - storedAt)} ago` : undefined;
}

interface Longest {
  readonly bytes: number;
  readonly storedAt: number;
  /** Of the one that stays. */
  readonly id: string | undefined;
}

/** Of each segment: the whole one, or the longest beginning of it. */
function longestOf(entries: readonly WalEntry[]): Map<string, Longest> {
  const longest = new Map<string, Longest>();
  for (const entry of entries) {
    const { kind, partial, isComplete, storedAt } = entry;
    if (!isComplete || (kind !== 'segment' && kind !== 'partial')) continue;
    const bytes = partial?.bytes ?? Infinity;
    const known = longest.get(keyOf(entry));
    if (known === undefined || bytes > known.bytes || (bytes === known.bytes && storedAt > known.storedAt)) longest.set(keyOf(entry), { bytes, storedAt, id: partial?.id });
  }
  return longest;
}

/** Two plans may keep WAL of one system: each has its own. */
function keyOf({ plan, name }: WalEntry): string {
  return `${plan}/${name}`;
}

/** Also where nothing is known of base backups: the same bytes are there a second time. */
function supersededBy(entry: WalEntry, longest: ReadonlyMap<string, Longest>, now: number): string | undefined {
  const { kind, partial, storedAt } = entry;
  const found = longest.get(keyOf(entry));
  if (kind !== 'partial' || partial === undefined || found === undefined || found.id === partial.id) return undefined;
  if (now - Math.max(found.storedAt, storedAt) <= SUPERSEDED_AGE_MS) return undefined;
  return found.bytes === Infinity ? 'the whole segment is there' : `a longer beginning of its segment is there (${found.bytes} bytes, this has ${partial.bytes})`;
}
