import type { RecoveryTarget, TargetAction } from './target.ts';

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

/** WAL wants more than this server is set up for: it waits for ever with hot standby, and neither pauses at the target nor ends. */
export const STUCK = / WARNING: {2}hot standby is not possible because of insufficient parameter settings$/m;

/** Of whether a target that lies on the way was reached, the log alone tells: success of the start does not. */
export const ACTION_DONE: Readonly<Record<TargetAction, RegExp>> = {
  promote: / LOG: {2}archive recovery complete$/m,
  pause: / LOG: {2}pausing at the end of recovery$/m,
  shutdown: / LOG: {2}shutdown at recovery target$/m,
};

const COMPLAINTS = /^.* (?:FATAL|PANIC|ERROR|WARNING|HINT|DETAIL): {2}(.+)$/gm;
const MOST_WORDS = 2000;

/** What went wrong, on one line. */
export function complaints(log: string): string {
  const all = [...log.matchAll(COMPLAINTS)].map(([line]) => line.replace(/^.* (FATAL|PANIC|ERROR|WARNING|HINT|DETAIL): {2}/, '$1: '));
  return [...new Set(all)].join(' | ').slice(-MOST_WORDS) || log.trim().split('\n').slice(-3).join(' | ').slice(-MOST_WORDS);
}

const NOT_REACHED = /recovery ended before configured recovery target was reached/;

const ADVICE: readonly (readonly [RegExp, string])[] = [
  [NOT_REACHED, 'The archive ends before the target, or lacks a segment on the way: the log names the last one that was restored. Look whether the newest WAL is still a .partial file or on the server, or choose an earlier target.'],
  [/is a lower setting than on the primary|insufficient parameter settings/, 'The server must not be set up for less than the one that was backed up, while it can be asked during recovery. Restore into a fresh directory without --start, set what the log names in its postgresql.conf to at least the values that it names (or `hot_standby = off`, unless it is to pause), and start it by hand.'],
  [/recovery stop point is before consistent recovery point/, 'The target lies before the end of this base backup: restore from an older one.'],
  [/requested timeline .* is not a child|recovery target timeline .* does not exist|has minimum recovery point .* on timeline/, 'Choose the timeline with --timeline: `current` is that of the backup.'],
  [/could not locate (required checkpoint|a valid checkpoint) record|could not find redo location|WAL ends before end of online backup|must specify restore_command/, 'WAL that the backup needs is missing: check the command that restores it (--restore-command), by hand for the segment that the log names.'],
  [/could not bind|Address already in use|could not create any TCP\/IP sockets/, 'Choose another port: --start PORT.'],
  [/could not (load|open) .*certificate|could not access private key/, 'The cluster wants a certificate that is not here: set `ssl = off` in its postgresql.conf, or bring the files.'],
  [/could not access file "|could not load library/, 'Install the extension libraries that the cluster preloads, of the same PostgreSQL version.'],
  [/could not map anonymous shared memory|insufficient memory/, 'This machine has less memory than the cluster is set up for: lower shared_buffers in its postgresql.conf.'],
];

/** Whoever asked for a restore point may have misspelled it: PostgreSQL says the same then as for an archive that ends early. */
export function adviceOn(words: string, target?: Pick<RecoveryTarget, 'kind'>): string | undefined {
  if (target?.kind === 'name' && NOT_REACHED.test(words)) return 'No restore point of that name was met: it may never have been made, be spelled otherwise (case counts), lie before the end of this base backup, or behind the end of the archive. `pg_create_restore_point` logs each that it makes on the server; --to-time needs no name.';
  return ADVICE.find(([pattern]) => pattern.test(words))?.[1];
}
