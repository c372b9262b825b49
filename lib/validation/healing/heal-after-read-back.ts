import type { HealingNote } from '../../catalog/ledger-records.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { Repository } from '../../repository/index.ts';
import { verify } from '../verify.ts';
import type { VerifyOptions, VerifyReport } from '../verify.ts';
import { healAfterBackup } from './after-backup.ts';
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
  const healed = 'report' in attempt ? attempt.report.backups : [];
  if (healed.length === 0) return { note: noteOfAttempt(attempt, { command, good: 0 }) };
  try {
    const again = await verify(repository, { ...options, level: 'full', backups: healed });
    return { note: noteOfAttempt(attempt, { command, good: again.backups.filter(({ result }) => result === 'good').length }), again };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    const problem = new HoldfastError(error.code, `${healed.length === 1 ? 'An older backup was' : `${healed.length} older backups were`} healed, and could not be read again: ${error.message}`, { cause: error, nextStep: 'Run `holdfast verify --level full` on the vault.' });
    return { note: noteOfAttempt({ problem }, { command, good: 0 }) };
  }
}
