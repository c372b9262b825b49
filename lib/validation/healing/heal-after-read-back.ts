import type { HealingNote } from '../../catalog/ledger-records.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { listSnapshots, readVerdicts, standingVerdict } from '../../repository/index.ts';
import type { Repository } from '../../repository/index.ts';
import { backupOf } from '../backup-name.ts';
import { verify } from '../verify.ts';
import type { VerifyOptions, VerifyReport } from '../verify.ts';
import { healAfterBackup } from './after-backup.ts';
import type { HealingReport } from './heal-vault.ts';
import { noteOfAttempt } from './healing-notes.ts';
import type { RepairCommand } from './healing-notes.ts';

export interface HealedReadBack {
  readonly note: HealingNote;
  /** What reading the healed backups in full has found; absent when none was healed. */
  readonly again?: VerifyReport;
}

/**
 * For whoever reads a backup back whose writer left healing to it: gives older backups what that run stored anew, and
 * proves them in full, because a verdict is lifted by nothing less. Whatever keeps it from that is told in the note: the
 * backup that was read back is what it is.
 */
export async function healAfterReadBack(repository: Repository, { command, ...options }: RepairCommand & Omit<VerifyOptions, 'backups' | 'level'>): Promise<HealedReadBack> {
  const attempt = await healAfterBackup(repository, options.signal ? { signal: options.signal } : {});
  if ('problem' in attempt) return { note: noteOfAttempt(attempt, { command, proved: 0, good: 0 }) };
  try {
    const backups = await toProve(repository, attempt.report);
    if (backups.length === 0) return { note: noteOfAttempt(attempt, { command, proved: 0, good: 0 }) };
    const again = await verify(repository, { ...options, level: 'full', backups });
    return { note: noteOfAttempt(attempt, { command, proved: backups.length, good: again.backups.filter(({ result }) => result === 'good').length }), again };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    const problem = new HoldfastError(error.code, `what was healed could not be read again: ${error.message}`, { cause: error, nextStep: 'Run `holdfast verify --level full` on the vault.' });
    return { note: noteOfAttempt({ problem }, { command, proved: 0, good: 0 }) };
  }
}

/** Also what an attempt that died before this one has healed and not proved: nothing in it is left to heal, and it stands as damaged. */
async function toProve(repository: Repository, { backups, unhealed }: HealingReport): Promise<string[]> {
  const known = new Set([...backups, ...unhealed.flatMap((pack) => pack.backups)]);
  for await (const { name } of repository.store.list('removed/')) known.add(name.replace('removed/', 'snapshots/'));
  const before: string[] = [];
  for (const { name } of await listSnapshots(repository.store)) {
    if (!known.has(name) && standingVerdict(await readVerdicts(repository, backupOf(name)))?.result === 'corrupted') before.push(name);
  }
  return [...backups, ...before];
}
