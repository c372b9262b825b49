import { spawnSync } from 'node:child_process';
import { lchownSync, linkSync, lutimesSync, renameSync, symlinkSync, unlinkSync } from 'node:fs';
import type { ByteString } from '../model/byte-string.ts';
import { fsPath } from '../model/byte-string.ts';
import { ENTRY } from '../repository/index.ts';
import type { SpecialBody, SymlinkBody } from '../repository/index.ts';
import { errnoOf } from './errno.ts';
import { entryPath } from './target-folders.ts';
import { fsTime, secondsOf } from './times.ts';
import { temporaryName } from './unfinished.ts';

export interface NodePlace {
  readonly folderFd: number;
  readonly name: ByteString;
  readonly isReplacing: boolean;
  /** Undefined: the owner stays the one who restores. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

/** Returns false when the owner could not be set. */
export function makeSymlink(body: SymlinkBody, place: NodePlace): boolean {
  const name = place.isReplacing ? temporaryName() : place.name;
  const path = entryPath(place.folderFd, name);
  symlinkSync(fsPath(body.target), path);
  const isOwned = setOwner(path, place.owner);
  lutimesSync(path, fsTime(secondsOf(body)), fsTime(secondsOf(body)));
  if (place.isReplacing) renameSync(path, entryPath(place.folderFd, place.name));
  return isOwned;
}

/**
 * FIFOs and devices, by the commands `mkfifo` and `mknod` (Node has no call). They are made under a plain temporary
 * name, because arguments of a command cannot carry every byte, with their mode from the start: changing it later by
 * name could follow a link that was swapped in.
 */
export function makeSpecial(body: SpecialBody, place: NodePlace): boolean {
  const temporary = temporaryName();
  const path = entryPath(place.folderFd, temporary);
  const inChild = `/proc/self/fd/3/${temporary}`;
  const mode = (body.mode & 0o777).toString(8);
  if (body.type === ENTRY.fifo) run('mkfifo', ['-m', mode, inChild], place.folderFd);
  else run('mknod', ['-m', mode, inChild, body.type === ENTRY.blockDevice ? 'b' : 'c', String(body.major), String(body.minor)], place.folderFd);
  try {
    const isOwned = setOwner(path, place.owner);
    lutimesSync(path, fsTime(secondsOf(body)), fsTime(secondsOf(body)));
    if (place.isReplacing) renameSync(path, entryPath(place.folderFd, place.name));
    else linkSync(path, entryPath(place.folderFd, place.name));
    return isOwned;
  } finally {
    // After a rename it is gone already.
    unlinkIfThere(path);
  }
}

function run(command: string, args: readonly string[], folderFd: number): void {
  const { status, error, stderr } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'pipe', folderFd], encoding: 'utf8' });
  if (error) throw error;
  // Its words name the temporary name in our descriptor, which tells nobody anything: the system's reason comes last.
  if (status !== 0) throw new Error(`${command} failed: ${stderr.trim().split(': ').at(-1)}`);
}

function setOwner(path: string | Buffer, owner: NodePlace['owner']): boolean {
  if (!owner) return true;
  try {
    lchownSync(path, owner.uid, owner.gid);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EPERM' || errnoOf(error) === 'EINVAL') return false;
    throw error;
  }
}

function unlinkIfThere(path: string | Buffer): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
