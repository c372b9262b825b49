import type { HoldfastError } from '../../model/errors.ts';
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
import { stretchOf } from './lines.ts';
import type { Line } from './lines.ts';
import { recoverableWindows } from './windows.ts';
import type { Base, Window } from './windows.ts';
import type { HeldWal } from './runs.ts';

/** Everything that a vault knows about the WAL of one server of a plan. */
export interface WalLedger {
  readonly systemId: string;
  readonly entries: readonly WalEntry[];
  readonly held: HeldWal;
  readonly bases: readonly Base[];
  readonly lines: readonly TimedLine[];
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
/** Behind the end of a window so many segments are looked into for a transaction. */
const LOOKED_INTO = 16;

/** One ledger for each system that a plan has WAL or base backups of. */
export async function readLedgers(repository: Repository, plan: string, readFacts: ReadFacts): Promise<WalLedger[]> {
  const notes: string[] = [];
  const bases = await readBases(repository, plan, readFacts, notes);
  const bySystem = Map.groupBy(await listWal(repository.store, plan), ({ systemId }) => systemId);
  const systems = new Set([...bySystem.keys(), ...bases.map(({ systemId }) => systemId)]);
  return Promise.all([...systems].sort().map((systemId) => readLedger(repository, systemId, bySystem.get(systemId) ?? [], bases.filter((base) => base.systemId === systemId), notes)));
}

async function readLedger(repository: Repository, systemId: string, entries: readonly WalEntry[], bases: readonly FoundBase[], notes: readonly string[]): Promise<WalLedger> {
  const own = [...notes];
  const held = await heldWal(repository, systemId, entries, bases);
  const histories = await readHistories(repository, entries, own);
  const lines: TimedLine[] = [];
  for (const line of recoverableWindows(held, histories, bases)) {
    const windows: TimedWindow[] = [];
    for (const window of line.windows) windows.push({ ...window, ...(await endOf(repository, window, { line: line.line, entries, held, notes: own })) });
    lines.push({ ...line, windows });
  }
  const newest = entries.reduce<WalEntry | undefined>((latest, entry) => (latest !== undefined && latest.storedAt >= entry.storedAt ? latest : entry), undefined);
  return { systemId, entries, held, bases, lines, newest, notes: [...new Set(own)] };
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
  readonly entries: readonly WalEntry[];
  readonly held: HeldWal;
  readonly notes: string[];
}

/** The last of a window's WAL says more than names do: where its records end, and when its last transaction did. */
async function endOf(repository: Repository, window: Window, { line, entries, held, notes }: Around): Promise<Pick<TimedWindow, 'toLsn' | 'lastTransactionAt' | 'storedAt'>> {
  const { last, toLsn } = window;
  if (last === undefined) return { toLsn, lastTransactionAt: undefined, storedAt: Math.max(...window.bases.map(({ stoppedAt }) => stoppedAt)) };
  const storedAt = entryOf(entries, held, last)?.storedAt ?? 0;
  let end = toLsn;
  for (let back = 0; back < LOOKED_INTO; back++) {
    const segment = last.segment - back;
    const wanted = back === 0 ? last : { segment, timeline: stretchOf(line, segment, held.segmentBytes).timeline, isPartial: false };
    const entry = entryOf(entries, held, wanted);
    if (entry === undefined) break;
    try {
      const { endLsn, lastTransactionAt } = summariseWal((await readWhole(repository, entry)).bytes, entry.name);
      if (back === 0 && last.isPartial && endLsn < end) end = endLsn;
      if (lastTransactionAt !== undefined) return { toLsn: end, lastTransactionAt, storedAt };
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      notes.push(`${entry.name} is there and cannot be read: ${error.message}`);
    }
  }
  return { toLsn: end < window.fromLsn ? window.fromLsn : end, lastTransactionAt: undefined, storedAt };
}

function entryOf(entries: readonly WalEntry[], { segmentBytes }: HeldWal, wanted: { readonly timeline: number; readonly segment: number; readonly isPartial: boolean }): WalEntry | undefined {
  const found = entries.filter(({ kind, timeline, name, isComplete }) => isComplete && kind === (wanted.isPartial ? 'partial' : 'segment') && timeline === wanted.timeline && segmentNumber(name, segmentBytes) === wanted.segment);
  return found.toSorted((left, right) => (right.partial?.bytes ?? 0) - (left.partial?.bytes ?? 0))[0];
}

/** Damaged, no WAL after all, or sealed with a key that was not given: what names say counts all the same. */
function isUnreadable(error: unknown): error is HoldfastError {
  return isHoldfastError(error, 'damaged') || isHoldfastError(error, 'source-failed') || isHoldfastError(error, 'wrong-key');
}
