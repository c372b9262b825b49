import type { RecoveryOrder, RecoveryTarget } from './target.ts';

/** Of the server that was backed up, perhaps once restored itself: they would recover this one somewhere else. */
const STALE = /^\s*(restore_command|recovery_target\w*|recovery_end_command|archive_cleanup_command|recovery_min_apply_delay|primary_conninfo|primary_slot_name|promote_trigger_file)\b/i;
const TARGETS = ['recovery_target', 'recovery_target_time', 'recovery_target_xid', 'recovery_target_name', 'recovery_target_lsn'] as const;
/** What postgresql.conf may say for the server that was backed up: a cleanup would delete from the archive that both read. */
const UNDONE = [['archive_cleanup_command', ''], ['recovery_end_command', ''], ['recovery_min_apply_delay', '0'], ['primary_conninfo', ''], ['primary_slot_name', '']] as const;

/** Settings of PostgreSQL for this recovery, in the order in which they are written. */
export function recoverySettings({ target, action, timeline, restoreCommand, isArchiving }: RecoveryOrder): readonly (readonly [name: string, value: string])[] {
  // A restored copy must not write into the archive of the server that it was copied from.
  const archiving = isArchiving ? [] : ([['archive_mode', 'off']] as const);
  if (target.kind === 'backup') return archiving;
  const chosen = targetSetting(target);
  return [
    // PostgreSQL refuses recovery without a command; one that finds nothing leaves it the WAL of the backup.
    ['restore_command', restoreCommand ?? 'false'],
    // Empty ones first: they undo what postgresql.conf may say, and the last that is set counts.
    ...TARGETS.filter((name) => name !== chosen?.[0]).map((name) => [name, ''] as const),
    ...(chosen === undefined ? [] : [chosen]),
    ['recovery_target_inclusive', 'on'],
    ['recovery_target_timeline', timeline],
    ['recovery_target_action', action],
    ...UNDONE,
    ...archiving,
  ];
}

/** `postgresql.auto.conf` with these settings at its end, and without what an earlier recovery left in it. */
export function autoConf(before: string, settings: ReturnType<typeof recoverySettings>): string {
  const kept = before.split('\n').filter((line) => !STALE.test(line)).join('\n').replace(/\n*$/, '\n');
  return `${kept.trim() === '' ? '' : kept}# Written by holdfast restore.\n${settings.map(([name, value]) => `${name} = ${quoted(value)}\n`).join('')}`;
}

function targetSetting(target: RecoveryTarget): readonly [string, string] | undefined {
  if (target.kind === 'time') return ['recovery_target_time', target.text];
  if (target.kind === 'lsn') return ['recovery_target_lsn', target.lsn];
  if (target.kind === 'name') return ['recovery_target_name', target.name];
  return target.kind === 'immediate' ? ['recovery_target', 'immediate'] : undefined;
}

/** As in configuration files of PostgreSQL: quotes doubled, backslashes too. */
function quoted(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
