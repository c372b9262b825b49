import { HoldfastError } from '../../model/errors.ts';
import type { BaseBackupFacts } from '../../sources/postgres/base-backup-facts.ts';
import { parseLsn } from '../../sources/postgres/wal/lsn.ts';

/**
 * Where recovery ends. `backup`: as soon as the backup is consistent, by the WAL in it, on the same timeline. `immediate`:
 * the same through the archive, on a new timeline. `latest`: the end of the archive.
 */
export type RecoveryTarget =
  | { readonly kind: 'backup' | 'immediate' | 'latest' }
  /** `text`: as PostgreSQL reads it, to the microsecond and with a zone; `at`: milliseconds since the epoch, with a fraction. */
  | { readonly kind: 'time'; readonly at: number; readonly text: string }
  | { readonly kind: 'lsn'; readonly lsn: string }
  | { readonly kind: 'name'; readonly name: string };

export type TargetAction = 'promote' | 'pause' | 'shutdown';

/** A base backup as its facts tell it. */
export interface KnownBase {
  readonly backup: string;
  readonly stoppedAt: number;
  readonly stopLsn: string;
}

export interface RecoveryOrder {
  readonly target: RecoveryTarget;
  readonly action: TargetAction;
  /** A number, `latest`, or `current`: that of the backup. */
  readonly timeline: string;
  /** As PostgreSQL runs it, with `%f` and `%p`; absent without an archive. */
  readonly restoreCommand?: string | undefined;
  /** Leaves `archive_mode` as it was. */
  readonly isArchiving: boolean;
}

/** For people: `time 2026-11-28 14:30:00+00`. */
export function targetWords(target: RecoveryTarget): string {
  if (target.kind === 'time') return `time ${target.text}`;
  if (target.kind === 'lsn') return `LSN ${target.lsn}`;
  if (target.kind === 'name') return `restore point ${JSON.stringify(target.name)}`;
  return { backup: 'the end of the backup', immediate: 'the first consistent point', latest: 'the end of the archive' }[target.kind];
}

/**
 * Refuses what no recovery from this backup reaches: a target before the end of the backup or in the future, or one that
 * needs an archive where none is named, or the end of the archive with another action than to promote. Fails as `refused`, `usage`. `now` in milliseconds.
 */
export function refuseUnreachable({ target, action, restoreCommand }: RecoveryOrder, facts: BaseBackupFacts, { now, bases }: { readonly now: number; readonly bases?: readonly KnownBase[] | undefined }): void {
  if (target.kind === 'backup' && !facts.hasWal) throw new HoldfastError('refused', 'The backup was taken with `wal: none`: it needs an archive of WAL to become consistent, and none was named.', { nextStep: 'Add --to-latest, or another target, and --restore-command.' });
  if (needsArchive(target, facts) && restoreCommand === undefined) throw new HoldfastError('usage', `Recovery to ${targetWords(target)} needs an archive of WAL, and no command to read one was given.`, { nextStep: "For example: --restore-command 'cp /archive/%f %p'." });
  // PostgreSQL heeds recovery_target_action at a target alone: the end of the archive is none, and the copy would be promoted.
  if (target.kind === 'latest' && action !== 'promote') throw new HoldfastError('usage', `--target-action ${action} was given with --to-latest, wanted promote: PostgreSQL always promotes at the end of the archive.`, { nextStep: 'Leave --target-action away, or name a target for it: --to-time, --to-lsn, --to-name or --immediate.' });
  const earliest = `This backup reaches ${isoTime(facts.stoppedAt)} (LSN ${facts.stopLsn}) at the earliest. ${olderInWords(target, bases)}`;
  if (target.kind === 'time' && target.at < facts.stoppedAt) throw new HoldfastError('refused', `The target ${target.text} lies before the end of the base backup, ${isoTime(facts.stoppedAt)}: until then its files are not consistent.`, { nextStep: earliest });
  if (target.kind === 'time' && target.at > now) throw new HoldfastError('refused', `The target ${target.text} lies in the future; now it is ${isoTime(now)}.`, { nextStep: 'Correct the time or its zone, or recover everything with --to-latest.' });
  if (target.kind === 'lsn' && parseLsn(target.lsn) < parseLsn(facts.stopLsn)) throw new HoldfastError('refused', `The target LSN ${target.lsn} lies before the end of the base backup, ${facts.stopLsn}: until then its files are not consistent.`, { nextStep: earliest });
}

/** `bases` of the same server. Undefined: they are not known. */
function olderInWords(target: RecoveryTarget, bases: readonly KnownBase[] | undefined): string {
  if (bases === undefined) return 'An earlier target needs an older base backup, if there is one: `holdfast list`.';
  const fitting = bases.filter((base) => !isBefore(target, base)).toSorted((left, right) => left.stoppedAt - right.stoppedAt).at(-1);
  if (fitting !== undefined) return `Restore ${fitting.backup} in its place, which ended before the target.`;
  return 'No base backup in this vault is older than the target: nothing leads there.';
}

/** Until a base backup ends its files are not consistent. */
export function isBefore(target: RecoveryTarget, { stoppedAt, stopLsn }: Pick<KnownBase, 'stoppedAt' | 'stopLsn'>): boolean {
  return (target.kind === 'time' && target.at < stoppedAt) || (target.kind === 'lsn' && parseLsn(target.lsn) < parseLsn(stopLsn));
}

/** Whether WAL beyond what the backup holds is wanted. */
export function needsArchive({ kind }: RecoveryTarget, { hasWal }: Pick<BaseBackupFacts, 'hasWal'>): boolean {
  return kind !== 'backup' && !(kind === 'immediate' && hasWal);
}

export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
