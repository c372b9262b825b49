import { readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../model/errors.ts';
import { makeFolders } from './make-folders.ts';

export interface RunLock {
  release(): void;
}

/**
 * One run of a plan at a time on this machine. The vault would survive two (the chain of the plan forks), but both would
 * store the same new data. Held by the kernel through SQLite's lock on an empty file, so the lock of a dead process is
 * gone with it, however it died. Fails as `busy`.
 */
export function takeRunLock(path: string, planName: string, what = 'is being backed up'): RunLock {
  makeFolders(dirname(path));
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    if (!isLocked(cause)) throw new HoldfastError('permission', `The lock ${path} cannot be taken: ${(cause as Error).message}.`, { nextStep: 'Make the state directory writable for this user, or remove this file.', cause });
    throw new HoldfastError('busy', `The plan ${planName} ${what} already${holder(path)}.`, { nextStep: 'Wait until it has ended, then run it again.', cause });
  }
  nameHolder(path);
  return { release: () => database.close() };
}

function isLocked(error: unknown): boolean {
  const code = (error as { errcode?: number }).errcode;
  return code !== undefined && (code & 0xff) === 5;
}

/** For the message alone: who took the lock last. A full disk under the state directory stops no backup into a vault elsewhere. */
function nameHolder(path: string): void {
  try {
    writeFileSync(`${path}.holder`, `${process.pid}\n`, { mode: 0o600 });
  } catch (error) {
    if (!['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

function holder(path: string): string {
  try {
    const processId = readFileSync(`${path}.holder`, 'latin1').trim();
    return processId === '' ? '' : ` by process ${processId}`;
  } catch {
    return '';
  }
}
