import type { HoldfastError } from '../../model/errors.ts';
import { isHoldfastError } from '../../model/errors.ts';
import { readWhole } from '../../repository/index.ts';
import type { Repository, WalEntry } from '../../repository/index.ts';
import { segmentOf } from '../../sources/postgres/wal/lsn.ts';
import { summariseWal } from '../../sources/postgres/wal/records.ts';
import type { WalSummary } from '../../sources/postgres/wal/records.ts';
import { hasGoneOn } from './divergence.ts';
import type { Divergence, LeftOut } from './divergence.ts';
import { forksOf, isBeforeFork } from './forks.ts';
import type { Fork } from './forks.ts';
import type { Histories, Line } from './lines.ts';
import type { HeldWal } from './runs.ts';
import type { Base } from './windows.ts';

export interface Looked {
  readonly held: HeldWal;
  readonly histories: Histories;
  readonly bases: readonly Base[];
  /** The object that holds a segment of a timeline, or the longest beginning of it. */
  readonly entryOf: (timeline: number, segment: number) => WalEntry | undefined;
  /** So many segments at most, from either end. */
  readonly lookedInto: number;
}

/** Reads what older timelines hold behind the places where the newest line left them. */
export async function findDivergences(repository: Repository, line: Line, looked: Looked): Promise<Divergence[]> {
  const { held, histories, bases } = looked;
  const timelines = [...new Set([...held.segments.keys(), ...held.partials.keys()])];
  const found: Divergence[] = [];
  for (const fork of forksOf(line, timelines, histories)) {
    if (!bases.some((base) => isBeforeFork(base, line, fork))) continue;
    const leftOut = await leftOutBy(repository, fork, looked);
    if (leftOut.hasTransactions === false) continue;
    const bornAt = await bornAtOf(repository, line, fork.newer, looked);
    const { older, newer, forkLsn } = fork;
    if (hasGoneOn(leftOut, bornAt)) found.push({ older, newer, forkLsn, bornAt, firstAt: leftOut.firstAt, lastAt: leftOut.lastAt });
  }
  return found;
}

async function leftOutBy(repository: Repository, { older, fromLsn }: Fork, { held, entryOf, lookedInto }: Looked): Promise<LeftOut> {
  const first = segmentOf(fromLsn, held.segmentBytes);
  const numbers = [...new Set([...(held.segments.get(older) ?? []), ...(held.partials.get(older)?.keys() ?? [])])].filter((number) => number >= first).sort((left, right) => left - right);
  const lookAt = (segment: number) => summaryOf(repository, entryOf(older, segment), fromLsn);
  const last = await firstSeen(numbers.toReversed(), lookedInto, async (segment) => (await lookAt(segment))?.lastTransactionAt);
  if (last === undefined && numbers.length <= lookedInto) return { hasTransactions: false, firstAt: undefined, lastAt: undefined };
  if (typeof last !== 'number') return { hasTransactions: undefined, firstAt: undefined, lastAt: undefined };
  const earliest = await firstSeen(numbers, lookedInto, async (segment) => (await lookAt(segment))?.firstTransactionAt);
  return { hasTransactions: true, firstAt: typeof earliest === 'number' ? earliest : undefined, lastAt: last };
}

/** Undefined: there is none in them. */
async function firstSeen(numbers: readonly number[], most: number, look: (segment: number) => Promise<number | undefined>): Promise<number | 'unreadable' | undefined> {
  for (const segment of numbers.slice(0, most)) {
    try {
      const at = await look(segment);
      if (at !== undefined) return at;
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      return 'unreadable';
    }
  }
  return undefined;
}

/** A timeline begins with a record of its own, at the position that its history names. */
async function bornAtOf(repository: Repository, line: Line, timeline: number, { held, entryOf }: Looked): Promise<number | undefined> {
  const fromLsn = line.find((stretch) => stretch.timeline === timeline)?.fromLsn ?? 0n;
  const segment = segmentOf(fromLsn, held.segmentBytes);
  const found = await firstSeen([segment], 1, async () => (await summaryOf(repository, entryOf(timeline, segment), fromLsn))?.begunAt);
  return typeof found === 'number' ? found : undefined;
}

async function summaryOf(repository: Repository, entry: WalEntry | undefined, fromLsn: bigint): Promise<WalSummary | undefined> {
  return entry && summariseWal((await readWhole(repository, entry)).bytes, entry.name, fromLsn);
}

/** Damaged, no WAL after all, or sealed with a key that was not given: what names say counts all the same. */
export function isUnreadable(error: unknown): error is HoldfastError {
  return isHoldfastError(error, 'damaged') || isHoldfastError(error, 'source-failed') || isHoldfastError(error, 'wrong-key');
}
