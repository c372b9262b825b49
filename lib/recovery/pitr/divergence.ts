import { HoldfastError } from '../../model/errors.ts';
import { formatLsn } from '../../sources/postgres/wal/lsn.ts';
import { windowInWords } from './check-target.ts';
import type { PitrTarget, TimedLine } from './check-target.ts';
import { isBeforeFork } from './forks.ts';
import type { Fork } from './forks.ts';
import type { Base } from './windows.ts';

/** What a timeline holds that a line leaves out. Times are those of the servers' clocks; undefined: not found in what was looked into, or not readable. */
export interface LeftOut {
  readonly hasTransactions: boolean | undefined;
  readonly firstAt: number | undefined;
  readonly lastAt: number | undefined;
}

/** An older timeline that went on when a newer one had begun: two servers write, and only a person knows which is right. */
export interface Divergence extends Omit<Fork, 'fromLsn'>, Omit<LeftOut, 'hasTransactions'> {
  /** When `newer` began. Undefined: nothing in the vault tells. */
  readonly bornAt: number | undefined;
}

/**
 * Whether what was left out was written after the newer timeline began. What was written before is what a failover loses and a
 * recovery to an earlier moment gives up on purpose: the newer one was made by somebody who knew. In doubt it is so.
 */
export function hasGoneOn({ hasTransactions, lastAt }: Omit<LeftOut, 'firstAt'>, bornAt: number | undefined): boolean {
  return hasTransactions !== false && (lastAt === undefined || bornAt === undefined || lastAt > bornAt);
}

/** Whether the target is the same on both: before anything that one of them has and the other has not. */
function isShared(target: PitrTarget, { forkLsn, firstAt, bornAt }: Divergence): boolean {
  if (target.kind === 'lsn') return target.lsn < forkLsn;
  if (target.kind === 'time') return firstAt !== undefined && bornAt !== undefined && target.at < Math.min(firstAt, bornAt);
  return target.kind === 'immediate';
}

/**
 * Refuses to follow the newest line without being told to, from a base backup before a fork behind which both lines went on.
 * PostgreSQL itself would take the newest and say nothing of what the other one has.
 */
export function refuseDiverged({ lines, divergences }: { readonly lines: readonly TimedLine[]; readonly divergences: readonly Divergence[] }, target: PitrTarget, base: Pick<Base, 'timeline' | 'stopLsn'>): void {
  const [newest] = lines;
  const found = newest && divergences.find((divergence) => isBeforeFork(base, newest.line, divergence) && !isShared(target, divergence));
  if (newest === undefined || found === undefined) return;
  const ends = [newest.timeline, found.older].map((timeline) => `timeline ${timeline}: ${endOf(lines.find((line) => line.timeline === timeline))}`).join('; ');
  throw new HoldfastError('refused', `${divergenceInWords(found)} Which of them is right cannot be known here, so nothing was restored. There is: ${ends}.`, {
    nextStep: `Say which one to follow: \`--timeline ${found.older}\` or \`--timeline ${newest.timeline}\`. A restored copy that archives into the plan of its origin is usually the newer one: docs/point-in-time.md, "Two servers in one plan".`,
  });
}

function endOf(line: TimedLine | undefined): string {
  const window = line?.windows.at(-1);
  return window === undefined ? 'no base backup leads there' : windowInWords(window);
}

/** `Timelines 1 and 2 both went on behind 0/5000000: …`. */
export function divergenceInWords({ older, newer, forkLsn, bornAt, lastAt }: Divergence): string {
  const born = bornAt === undefined ? `when timeline ${newer} began nothing in the vault tells` : `timeline ${newer} began at ${new Date(bornAt).toISOString()}`;
  const last = lastAt === undefined ? `timeline ${older} has WAL that was not seen to hold no transaction` : `timeline ${older} has transactions until ${new Date(lastAt).toISOString()}`;
  return `Timelines ${older} and ${newer} both went on behind ${formatLsn(forkLsn)}: ${born}, and ${last} (servers' clocks). Each lacks what the other one has.`;
}
