import { basename, join } from 'node:path';
import { isClaim } from './claim.ts';
import { errnoOf } from './file-error.ts';
import type { FileOps } from './file-ops.ts';
import { isOwnerDead, type ProcessTable } from '../../model/process-owner.ts';

/** Temporaries whose owner cannot be proved dead are left for so long: another machine may be writing them. */
export const TEMPORARY_MAX_AGE_MS = 7 * 24 * 60 * 60 * 1000;

export interface SweepResult {
  readonly removed: number;
  readonly kept: number;
}

/** Removes what killed processes left in the private folder. `now` is the store's own time. */
export async function sweepFolder(fileOps: FileOps, processes: ProcessTable, folder: string, now: number): Promise<SweepResult> {
  const entries = await fileOps.readFolder(folder).catch(ifGone);
  let removed = 0;
  for (const entry of entries ?? []) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) removed += await sweepClaim(fileOps, processes, path, now);
    else if (await isAbandoned(fileOps, processes, path, now)) removed += await removedNow(fileOps.unlink(path));
  }
  return { removed, kept: (entries?.length ?? 0) - removed };
}

/**
 * A temporary with a second name is a published object whose writer was killed before it removed the first one. It
 * stays: it takes no space, and removing it would move the object's ctime, the time by which snapshots are judged. When
 * the object is removed it becomes an ordinary temporary.
 */
async function isAbandoned(fileOps: FileOps, processes: ProcessTable, path: string, now: number): Promise<boolean> {
  const facts = await fileOps.lstat(path).catch(ifGone);
  if (facts === undefined || facts.nlink > 1) return false;
  return isOld(processes, path, facts.ctimeMs, now);
}

/** A folder is a claim or the stage of one; it is held as long as the file of its owner is in it. */
async function sweepClaim(fileOps: FileOps, processes: ProcessTable, folder: string, now: number): Promise<number> {
  const owners = (await fileOps.readFolder(folder).catch(ifGone)) ?? [];
  for (const { name } of owners) {
    if (!(await isAbandoned(fileOps, processes, join(folder, name), now))) return 0;
    await removedNow(fileOps.unlink(join(folder, name)));
  }
  const facts = await fileOps.lstat(folder).catch(ifGone);
  const isNeeded = facts !== undefined && owners.length === 0 && !isClaim(folder) && !isOld(processes, folder, facts.ctimeMs, now);
  return isNeeded ? 0 : removedNow(fileOps.removeFolder(folder));
}

function isOld(processes: ProcessTable, path: string, ctimeMs: number, now: number): boolean {
  return isOwnerDead(basename(path), processes) || now - ctimeMs > TEMPORARY_MAX_AGE_MS;
}

async function removedNow(removal: Promise<void>): Promise<number> {
  const done = await removal.then(() => true).catch(ifGone);
  return done === true ? 1 : 0;
}

/** Another sweep, or the owner itself, was faster. */
function ifGone(error: unknown): undefined {
  if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(errnoOf(error) ?? '')) throw error;
  return undefined;
}
