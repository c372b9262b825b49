import { isHoldfastError } from '../../model/errors.ts';
import { listSnapshots, listWal, readManifest, readVerdicts, readWhole, standingVerdict } from '../../repository/index.ts';
import type { Manifest, Repository, WalEntry } from '../../repository/index.ts';
import { commitStanding } from '../../retention/void.ts';
import { segmentHeader } from '../../sources/postgres/wal/page-header.ts';
import { segmentNumber } from '../../sources/postgres/wal/lsn.ts';
import { summariseWal } from '../../sources/postgres/wal/records.ts';
import { parseTimelineHistory } from '../../sources/postgres/wal/timeline-history.ts';
import type { TimelineSwitch } from '../../sources/postgres/wal/timeline-history.ts';
import type { TimedLine, TimedWindow } from './check-target.ts';
import type { Divergence } from './divergence.ts';
import { findDivergences, isUnreadable } from './find-divergences.ts';
import { lineOf, stretchOf } from './lines.ts';
import type { Line } from './lines.ts';
import { recoverableWindows, timelinesOf } from './windows.ts';
import type { Base, Window } from './windows.ts';
import type { HeldWal } from './runs.ts';

/** Everything that a vault knows about the WAL of one server of a plan. */
export interface WalLedger {
  readonly systemId: string;
  readonly entries: readonly WalEntry[];
  readonly held: HeldWal;
  readonly bases: readonly Base[];
  readonly lines: readonly TimedLine[];
  /** Where an older timeline went on beside the newest line: nobody but a person knows which is right. */
  readonly divergences: readonly Divergence[];
  /** The newest object of all, by the store's clock. Undefined: base backups alone. */
  readonly newest: WalEntry | undefined;
  readonly notes: readonly string[];
}

/** Facts of a base backup, undefined of another one: `readFacts` of the source. */
export type ReadFacts = (opened: { readonly manifest: Manifest }) => Promise<(Omit<Base, 'backup'> & { readonly walSegmentBytes: number }) | undefined>;

interface FoundBase extends Base {
  readonly walSegmentBytes: number;
}

const DEFAULT_SEGMENT_BYTES = 16 << 20;
/** Enough for a server that does anything at all: 256 MiB as segments usually are. */
const LOOKED_INTO = 16;

/**
 * One ledger for each system that a plan has WAL or base backups of. `lookedInto`: in so many segments at most, from the end of
 * each window, its last transaction is looked for; of a server that writes nothing only `Infinity` is sure to find it.
 */
export async function readLedgers(repository: Repository, plan: string, readFacts: ReadFacts, lookedInto = LOOKED_INTO): Promise<WalLedger[]> {
  const notes: string[] = [];
  const bases = await readBases(repository, plan, readFacts, notes);
  const bySystem = Map.groupBy(await listWal(repository.store, plan), ({ systemId }) => systemId);
  const systems = new Set([...bySystem.keys(), ...bases.map(({ systemId }) => systemId)]);
  return Promise.all([...systems].sort().map((systemId) => readLedger(repository, systemId, bySystem.get(systemId) ?? [], { bases: bases.filter((base) => base.systemId === systemId), notes, lookedInto })));
}

interface Known {
  readonly bases: readonly FoundBase[];
  readonly notes: readonly string[];
  readonly lookedInto: number;
}

async function readLedger(repository: Repository, systemId: string, entries: readonly WalEntry[], { bases, notes, lookedInto }: Known): Promise<WalLedger> {
  const own = [...notes];
  const held = await heldWal(repository, systemId, entries, bases);
  const histories = await readHistories(repository, entries, own);
  const placed = place(entries, held.segmentBytes);
  const entryOf = (timeline: number, segment: number) => placed.get(placeOf({ timeline, segment, isPartial: false })) ?? placed.get(placeOf({ timeline, segment, isPartial: true }));
  const [newestTimeline] = timelinesOf(held, histories, bases);
  const divergences = newestTimeline === undefined ? [] : await findDivergences(repository, lineOf(newestTimeline, histories), { held, histories, bases, entryOf, lookedInto });
  const lines: TimedLine[] = [];
  for (const line of recoverableWindows(held, histories, bases, divergences.map(({ older }) => older))) {
    const windows: TimedWindow[] = [];
    for (const window of line.windows) windows.push({ ...window, ...(await endOf(repository, window, { line: line.line, placed, held, notes: own, lookedInto })) });
    lines.push({ ...line, windows });
  }
  const newest = entries.reduce<WalEntry | undefined>((latest, entry) => (latest !== undefined && latest.storedAt >= entry.storedAt ? latest : entry), undefined);
  return { systemId, entries, held, bases, lines, divergences, newest, notes: [...new Set(own)] };
}

/** Base backups that somebody may rely on: neither void nor found damaged. */
async function readBases(repository: Repository, plan: string, readFacts: ReadFacts, notes: string[]): Promise<FoundBase[]> {
  const found: FoundBase[] = [];
  for (const snapshot of await listSnapshots(repository.store, plan)) {
    try {
      const { manifest } = await readManifest(repository, snapshot.name);
      const facts = await readFacts({ manifest });
      if (facts === undefined) continue;
      const verdicts = await readVerdicts(repository, manifest.backup);
      const isDamaged = standingVerdict(verdicts)?.result === 'corrupted';
      if (isDamaged) notes.push(`Base backup ${manifest.backup} is damaged and not counted: run \`holdfast verify ${manifest.backup}\`.`);
      else if (commitStanding(snapshot, manifest, verdicts) !== 'void') found.push({ ...facts, backup: manifest.backup });
    } catch (error) {
      if (isHoldfastError(error, 'not-found')) continue;
      if (!isHoldfastError(error, 'damaged')) throw error;
      notes.push(`${snapshot.name} cannot be read and is not counted: ${error.message}`);
    }
  }
  return found;
}

async function heldWal(repository: Repository, systemId: string, entries: readonly WalEntry[], bases: readonly FoundBase[]): Promise<HeldWal> {
  const segmentBytes = bases[0]?.walSegmentBytes ?? (await segmentBytesIn(repository, entries));
  const segments = new Map<number, number[]>();
  const partials = new Map<number, Map<number, number>>();
  for (const { kind, name, timeline, isComplete, partial } of entries) {
    if (!isComplete) continue;
    const number = segmentNumber(name, segmentBytes);
    if (kind === 'segment') {
      const numbers = segments.get(timeline) ?? [];
      numbers.push(number);
      segments.set(timeline, numbers);
    }
    if (kind !== 'partial' || partial === undefined) continue;
    const known = partials.get(timeline) ?? new Map<number, number>();
    partials.set(timeline, known.set(number, Math.max(known.get(number) ?? 0, partial.bytes)));
  }
  for (const numbers of segments.values()) numbers.sort((left, right) => left - right);
  return { systemId, segmentBytes, segments, partials };
}

/** Names alone do not tell it; without a base backup one segment is asked. */
async function segmentBytesIn(repository: Repository, entries: readonly WalEntry[]): Promise<number> {
  const one = entries.find(({ kind, isComplete }) => kind === 'segment' && isComplete);
  if (one === undefined) return DEFAULT_SEGMENT_BYTES;
  return segmentHeader((await readWhole(repository, one)).bytes, one.name).segmentBytes;
}

async function readHistories(repository: Repository, entries: readonly WalEntry[], notes: string[]): Promise<Map<number, readonly TimelineSwitch[]>> {
  const histories = new Map<number, readonly TimelineSwitch[]>();
  for (const entry of entries.filter(({ kind }) => kind === 'history')) {
    try {
      histories.set(entry.timeline, parseTimelineHistory((await readWhole(repository, entry)).bytes.toString('utf8'), entry.name));
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      notes.push(`The history of timeline ${entry.timeline} cannot be read, and what branched off there counts as standing alone: ${error.message}`);
    }
  }
  return histories;
}

interface Around {
  readonly line: Line;
  readonly placed: ReadonlyMap<string, WalEntry>;
  readonly held: HeldWal;
  readonly notes: string[];
  readonly lookedInto: number;
}

/** The last of a window's WAL says more than names do: where its records end, and when its last transaction did. */
async function endOf(repository: Repository, window: Window, { line, placed, held, notes, lookedInto }: Around): Promise<Pick<TimedWindow, 'toLsn' | 'lastTransactionAt' | 'isLookedThrough' | 'storedAt'>> {
  const { last, toLsn } = window;
  if (last === undefined) return { toLsn, lastTransactionAt: undefined, isLookedThrough: true, storedAt: Math.max(...window.bases.map(({ stoppedAt }) => stoppedAt)) };
  const first = Number(window.fromLsn / BigInt(held.segmentBytes));
  const storedAt = placed.get(placeOf(last))?.storedAt ?? 0;
  let end = toLsn;
  let segment = last.segment;
  for (; segment >= first && last.segment - segment < lookedInto; segment--) {
    const entry = placed.get(placeOf(segment === last.segment ? last : { segment, timeline: stretchOf(line, segment, held.segmentBytes).timeline, isPartial: false }));
    if (entry === undefined) continue;
    try {
      const { endLsn, lastTransactionAt } = summariseWal((await readWhole(repository, entry)).bytes, entry.name);
      if (segment === last.segment && last.isPartial && endLsn < end) end = endLsn;
      if (lastTransactionAt !== undefined) return { toLsn: end, lastTransactionAt, isLookedThrough: true, storedAt };
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      notes.push(`${entry.name} is there and cannot be read: ${error.message}`);
    }
  }
  return { toLsn: end < window.fromLsn ? window.fromLsn : end, lastTransactionAt: undefined, isLookedThrough: segment < first, storedAt };
}

interface Place {
  readonly timeline: number;
  readonly segment: number;
  readonly isPartial: boolean;
}

function placeOf({ timeline, segment, isPartial }: Place): string {
  return `${timeline} ${segment} ${isPartial}`;
}

/** What there is of each segment; of beginnings the longest. */
function place(entries: readonly WalEntry[], segmentBytes: number): Map<string, WalEntry> {
  const placed = new Map<string, WalEntry>();
  for (const entry of entries) {
    if (!entry.isComplete || (entry.kind !== 'segment' && entry.kind !== 'partial')) continue;
    const at = placeOf({ timeline: entry.timeline, segment: segmentNumber(entry.name, segmentBytes), isPartial: entry.kind === 'partial' });
    const known = placed.get(at);
    if (known === undefined || (known.partial?.bytes ?? 0) < (entry.partial?.bytes ?? 0)) placed.set(at, entry);
  }
  return placed;
}
