import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import { errnoOf } from './file-error.ts';
import type { FileOps } from './file-ops.ts';
import { isOwnerDead, type ProcessTable } from '../../model/process-owner.ts';

const LOOK_AGAIN_MS = 20;
const GIVE_UP_MS = 30_000;
/** What `rename()` of a folder says when one that is not empty is there (rename(2)); SMB says it of an empty one too. */
const TAKEN = ['ENOTEMPTY', 'EEXIST'];

const CLAIM = 'claim-';

export interface ClaimPorts {
  readonly fileOps: FileOps;
  readonly processes: ProcessTable;
  readonly clock: Clock;
  /** A fresh name that tells this process as owner. */
  readonly newName: () => string;
}

/**
 * The right to publish one name, for file systems without hard links. `rename()` of a file replaces what is there, so
 * it must happen under exclusion, and exclusion must survive a killed owner without ever being given to two.
 *
 * A claim is a folder that holds one file named after its owner. It is staged elsewhere and renamed into place: a
 * folder never replaces one that is not empty, so exactly one stage wins. A dead owner's claim is broken by removing
 * *its* file by name: that can never hit the file of somebody who claimed in the meantime.
 */
export async function withClaim<T>(ports: ClaimPorts, folder: string, name: string, action: () => Promise<T>): Promise<T> {
  const owner = ports.newName();
  const claim = join(folder, `${CLAIM}${createHash('sha256').update(name).digest('hex').slice(0, 32)}`);
  const stage = join(folder, owner);
  await ports.fileOps.makeFolder(stage);
  await ports.fileOps.close(await ports.fileOps.create(join(stage, owner)));
  try {
    await takeClaim(ports, stage, claim, name);
  } catch (error) {
    await removeClaim(ports.fileOps, stage, owner);
    throw error;
  }
  try {
    return await action();
  } finally {
    await removeClaim(ports.fileOps, claim, owner);
  }
}

/** Whether a folder is a claim in its place; an empty one is held by nobody, and removing it takes nothing from anybody. */
export function isClaim(path: string): boolean {
  return basename(path).startsWith(CLAIM);
}

async function takeClaim(ports: ClaimPorts, stage: string, claim: string, name: string): Promise<void> {
  const giveUpAt = ports.clock.now() + GIVE_UP_MS;
  while (!(await renamed(ports.fileOps, stage, claim))) {
    if (await brokeDeadClaim(ports, claim)) continue;
    if (ports.clock.now() >= giveUpAt) {
      throw new HoldfastError('unavailable', `cannot write ${name}: ${claim} has been held by another process for ${GIVE_UP_MS / 1000} s`, {
        nextStep: 'If no Holdfast process on any machine writes to this vault, remove that folder and run again.',
      });
    }
    await ports.clock.sleep(LOOK_AGAIN_MS);
  }
}

async function renamed(fileOps: FileOps, stage: string, claim: string): Promise<boolean> {
  try {
    await fileOps.rename(stage, claim);
    return true;
  } catch (error) {
    if (TAKEN.includes(errnoOf(error) ?? '')) return false;
    throw error;
  }
}

/** True when the claim is free now, so that trying again is worth it at once. */
async function brokeDeadClaim({ fileOps, processes }: ClaimPorts, claim: string): Promise<boolean> {
  const entries = await fileOps.readFolder(claim).catch(ifGone);
  if (entries === undefined) return true;
  const dead = entries.filter((entry) => isOwnerDead(entry.name, processes));
  if (dead.length < entries.length) return false;
  for (const { name } of dead) await fileOps.unlink(join(claim, name)).catch(ifGone);
  await fileOps.removeFolder(claim).catch(ifGone);
  return true;
}

async function removeClaim(fileOps: FileOps, claim: string, owner: string): Promise<void> {
  await fileOps.unlink(join(claim, owner)).catch(ifGone);
  // Whoever waits may have renamed its own claim over the empty folder by now.
  await fileOps.removeFolder(claim).catch(ifGone);
}

function ifGone(error: unknown): undefined {
  if (!['ENOENT', ...TAKEN].includes(errnoOf(error) ?? '')) throw error;
  return undefined;
}
