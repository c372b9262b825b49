import type { TargetAction } from './target.ts';

/** What a recovery said of its end, in the server's own words. */
export interface RecoveryEnd {
  /** For example `before commit of transaction 745, time 2026-11-28 14:30:00.1+00`; absent without a target. */
  readonly stopped?: string;
  /** Position of the last record that was replayed; absent while recovery is paused. */
  readonly lastLsn?: string;
  /** When the last transaction that was replayed had committed; absent when none was. */
  readonly lastCommit?: string;
  /** The new one; absent when recovery went on on the old one. */
  readonly timeline?: number;
}

/** The log of one start, from its beginning; `LC_MESSAGES` is C. */
export function recoveryEnd(log: string): RecoveryEnd {
  const last = (pattern: RegExp) => [...log.matchAll(pattern)].at(-1)?.[1];
  const [stopped, lastLsn, lastCommit, timeline] = [last(/ LOG: {2}recovery stopping (.+)$/gm), last(/ LOG: {2}redo done at ([0-9A-F]+\/[0-9A-F]+)/g), last(/ LOG: {2}last completed transaction was at log time (.+)$/gm), last(/ LOG: {2}selected new timeline ID: (\d+)/g)];
  return { ...(stopped !== undefined && { stopped }), ...(lastLsn !== undefined && { lastLsn }), ...(lastCommit !== undefined && { lastCommit }), ...(timeline !== undefined && { timeline: Number(timeline) }) };
}

/** Said by the postmaster when the process that recovers has ended well. */
export const READY = / LOG: {2}database system is ready to accept connections$/m;
export const READY_READ_ONLY = / LOG: {2}database system is ready to accept read-only connections$/m;

/** Of whether a target that lies on the way was reached, the log alone tells: success of the start does not. */
export const ACTION_DONE: Readonly<Record<TargetAction, RegExp>> = {
  promote: / LOG: {2}archive recovery complete$/m,
  pause: / LOG: {2}pausing at the end of recovery$/m,
  shutdown: / LOG: {2}shutdown at recovery target$/m,
};

const COMPLAINTS = /^.* (?:FATAL|PANIC|ERROR|HINT|DETAIL): {2}(.+)$/gm;
const MOST_WORDS = 2000;

/** What went wrong, on one line. */
export function complaints(log: string): string {
  const all = [...log.matchAll(COMPLAINTS)].map(([line]) => line.replace(/^.* (FATAL|PANIC|ERROR|HINT|DETAIL): {2}/, '$1: '));
  return [...new Set(all)].join(' | ').slice(-MOST_WORDS) || log.trim().split('\n').slice(-3).join(' | ').slice(-MOST_WORDS);
}

const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/recovery ended before configured recovery target was reached/, 'The archive ends before the target, or lacks a segment on the way: the log names the last one that was restored. Look whether the newest WAL is still a .partial file or on the server, or choose an earlier target.'],
  [/recovery stop point is before consistent recovery point/, 'The target lies before the end of this base backup: restore from an older one.'],
  [/requested timeline .* is not a child|recovery target timeline .* does not exist|has minimum recovery point .* on timeline/, 'Choose the timeline with --timeline: `current` is that of the backup.'],
  [/could not locate (required checkpoint|a valid checkpoint) record|could not find redo location|WAL ends before end of online backup|must specify restore_command/, 'WAL that the backup needs is missing: check the command that restores it (--restore-command), by hand for the segment that the log names.'],
  [/could not bind|Address already in use|could not create any TCP\/IP sockets/, 'Choose another port: --start PORT.'],
  [/could not (load|open) .*certificate|could not access private key/, 'The cluster wants a certificate that is not here: set `ssl = off` in its postgresql.conf, or bring the files.'],
  [/could not access file "|could not load library/, 'Install the extension libraries that the cluster preloads, of the same PostgreSQL version.'],
  [/could not map anonymous shared memory|insufficient memory/, 'This machine has less memory than the cluster is set up for: lower shared_buffers in its postgresql.conf.'],
];

export function adviceOn(words: string): string | undefined {
  return ADVICE.find(([pattern]) => pattern.test(words))?.[1];
}
