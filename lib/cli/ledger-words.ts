import type { TimedLine, TimedWindow } from '../recovery/pitr/check-target.ts';
import { divergenceInWords } from '../recovery/pitr/divergence.ts';
import type { WalAge } from '../recovery/pitr/wal-age.ts';
import type { WalLedger } from '../recovery/pitr/read-ledger.ts';
import { formatLsn } from '../sources/postgres/wal/lsn.ts';
import { isoTime } from './entry-words.ts';
import { counted, durationInWords, zonedTimeInWords } from './words.ts';

/** What `pitr windows` says to people: what can be restored to, what is missing, and what to do about it. */
export function ledgerLines(planName: string, ledger: WalLedger, now: number): string[] {
  const { systemId, lines, divergences, newest, bases, entries, notes } = ledger;
  const archived = newest === undefined ? 'no WAL was archived' : `last WAL archived ${durationInWords(Math.max(0, now - newest.storedAt))} ago (${newest.name}${newest.partial ? ', its beginning' : ''})`;
  return [
    `${planName}, system ${systemId}: ${counted(bases.length, 'base backup')}, ${counted(entries.filter(({ kind }) => kind === 'segment').length, 'segment')}; ${archived}`,
    ...divergences.map((divergence) => `  DIVERGED  ${divergenceInWords(divergence)} A restore must say which to follow: --timeline ${divergence.older} or --timeline ${lines[0]?.timeline ?? divergence.newer}. If one of them is a copy, let it archive nowhere or into a plan of its own: docs/point-in-time.md.`),
    ...lines.flatMap((line) => lineLines(planName, line, lines.length > 1)),
    ...(lines.every(({ windows }) => windows.length === 0) ? [`  Nothing can be restored yet: take a base backup with \`holdfast backup ${planName}\`.`] : []),
    ...notes.map((note) => `  note: ${note}`),
  ];
}

/** Whether WAL arrives, by how long ago it last did. */
export function ageLine(planName: string, { newestAt, ageMs, maxAgeMs, isLate }: WalAge): string {
  const limit = durationInWords(maxAgeMs);
  if (ageMs === undefined || newestAt === undefined) return `${planName}: late: no WAL was ever stored, wanted some every ${limit}. Start \`holdfast wal-receive ${planName}\`, or set archive_command: docs/point-in-time.md.`;
  const seen = `WAL was last known to arrive ${durationInWords(ageMs)} ago (${zonedTimeInWords(newestAt)}, store's clock)`;
  if (!isLate) return `${planName}: ${seen}, within ${limit}`;
  return `${planName}: late: ${seen}, wanted ${limit} at most. Look at \`holdfast wal-receive ${planName}\` and what it says, or at pg_stat_archiver and the log of the server.`;
}

export function jsonOfAge({ newestAt, ageMs, maxAgeMs, isLate }: WalAge): object {
  return { newestAt: newestAt === undefined ? null : isoTime(newestAt), ageSeconds: ageMs === undefined ? null : Math.round(ageMs / 1000), maxAgeSeconds: maxAgeMs / 1000, isLate };
}

function lineLines(planName: string, { timeline, windows, gaps, stranded, waiting }: TimedLine, isOneOfSeveral: boolean): string[] {
  return [
    ...(isOneOfSeveral ? [`  timeline ${timeline}`] : []),
    ...windows.flatMap(windowLines),
    ...gaps.map(({ fromLsn, toLsn, missingSegments, isOpen }) => `  gap       ${formatLsn(fromLsn)} to ${formatLsn(toLsn)}: ${missingSegments === 0 ? 'a part of a segment is' : `${counted(missingSegments, 'segment')} ${missingSegments === 1 ? 'is' : 'are'}`} missing. ${isOpen ? `Take a base backup now (\`holdfast backup ${planName}\`): nothing behind the gap can be restored to before.` : 'No target in it can be restored to. If the server still has these segments in pg_wal, archive them by hand with `holdfast wal-archive`.'}`),
    ...stranded.map(({ backup, startLsn, stopLsn }) => `  stranded  base backup ${backup} needs WAL from ${startLsn} to ${stopLsn}, and some of it is missing: it cannot be restored from. Take another one.`),
    ...(waiting === undefined ? [] : [`  waiting   WAL from ${formatLsn(waiting.fromLsn)} to ${formatLsn(waiting.toLsn)} has no base backup before it: run \`holdfast backup ${planName}\`.`]),
  ];
}

function windowLines({ fromLsn, toLsn, bases, lastTransactionAt, isLookedThrough, storedAt }: TimedWindow): string[] {
  const first = bases[0]?.stoppedAt ?? 0;
  // A window shorter than a second would look as if there were nothing in it.
  const inWords = lastTransactionAt !== undefined && lastTransactionAt - first < 1000 ? isoTime : zonedTimeInWords;
  return [
    `  window    ${formatLsn(fromLsn)} to ${formatLsn(toLsn)}, from ${counted(bases.length, 'base backup')}`,
    `            from ${inWords(first)} (end of the first base backup, server's clock)`,
    `            until ${lastTransactionAt === undefined ? (isLookedThrough ? 'the end of the base backup: no transaction is behind it' : 'a transaction before its newest segments, which hold none: a restore to a time looks for it') : `before ${inWords(lastTransactionAt)} (last transaction in it, server's clock)`}; its last WAL was stored ${zonedTimeInWords(storedAt)} (store's clock)`,
  ];
}

/** The same for programs: positions as PostgreSQL writes them, times in ISO 8601. */
export function jsonOfLedger({ systemId, lines, divergences, newest, bases, held, notes }: WalLedger): object {
  return {
    systemId,
    segmentBytes: held.segmentBytes,
    bases: bases.map(({ backup, timeline, startLsn, stopLsn, stoppedAt }) => ({ backup, timeline, startLsn, stopLsn, stoppedAt: isoTime(stoppedAt) })),
    lastArchived: newest && { name: newest.name, isPartial: newest.partial !== undefined, storedAt: isoTime(newest.storedAt) },
    lines: lines.map(({ timeline, windows, gaps, stranded, waiting }) => ({
      timeline,
      windows: windows.map(({ fromLsn, toLsn, bases: from, lastTransactionAt, isLookedThrough, storedAt }) => ({ fromLsn: formatLsn(fromLsn), toLsn: formatLsn(toLsn), bases: from.map(({ backup }) => backup), fromTime: isoTime(from[0]?.stoppedAt ?? 0), lastTransactionAt: lastTransactionAt === undefined ? null : isoTime(lastTransactionAt), isLookedThrough, storedAt: isoTime(storedAt) })),
      gaps: gaps.map(({ fromLsn, toLsn, missingSegments, isOpen }) => ({ fromLsn: formatLsn(fromLsn), toLsn: formatLsn(toLsn), missingSegments, isOpen })),
      stranded: stranded.map(({ backup }) => backup),
      waiting: waiting && { fromLsn: formatLsn(waiting.fromLsn), toLsn: formatLsn(waiting.toLsn) },
    })),
    diverged: divergences.map(({ older, newer, forkLsn, bornAt, lastAt }) => ({ older, newer, forkLsn: formatLsn(forkLsn), bornAt: bornAt === undefined ? null : isoTime(bornAt), lastTransactionAt: lastAt === undefined ? null : isoTime(lastAt) })),
    notes,
  };
}
