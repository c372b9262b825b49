import { chmod, mkdir, mkdtemp, readFile, readdir, readlink, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../model/errors.ts';

const NAME = /^scratch-([0-9a-f]+)-([0-9]+)-([0-9]+)-([0-9]+)-/;
const STRANGER_MILLISECONDS = 7 * 24 * 60 * 60 * 1000;

/**
 * A fresh folder for one copy, mode 0700: copies are plain data. Its name tells whose it is, so that what a killed
 * process left is found by the next one (`sweepScratch`). The caller removes it.
 */
export async function makeScratch(parent: string): Promise<string> {
  try {
    await mkdir(parent, { recursive: true, mode: 0o700 });
    const folder = await mkdtemp(join(parent, `scratch-${(await identityOf('self')) ?? `0-0-${process.pid}-0`}-`));
    await chmod(folder, 0o700);
    return folder;
  } catch (cause) {
    throw scratchError(parent, cause as NodeJS.ErrnoException);
  }
}

/**
 * Removes what processes of this user that no longer run left behind. Those of another container on this machine cannot be asked;
 * theirs goes after seven days. `now` in milliseconds.
 */
export async function sweepScratch(parent: string, now: number): Promise<void> {
  const found = await readdir(parent).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return [];
    throw scratchError(parent, cause);
  });
  for (const name of found) {
    if (NAME.test(name) && (await isLeftOver(parent, name, now))) await rm(join(parent, name), { recursive: true, force: true });
  }
}

/** Fails as `no-space` when `needed` bytes do not fit below `folder`. */
export async function checkFreeSpace(folder: string, needed: number, what: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= needed) return;
  throw new HoldfastError('no-space', `${what} needs ${needed} bytes below ${folder}, ${free} are free.`, {
    nextStep: 'Free some space there, or put the state directory on a larger file system.',
    data: { needed, free },
  });
}

/** Whoever runs this must own the folder, or the disk is full: both are said with the folder's name. */
function scratchError(folder: string, cause: NodeJS.ErrnoException): HoldfastError {
  if (cause.code === 'ENOSPC' || cause.code === 'EDQUOT') return new HoldfastError('no-space', `No scratch copy can be made below ${folder}: the disk is full (${cause.code}).`, { nextStep: 'Free some space there, or put the state directory on a larger file system.', cause });
  return new HoldfastError('permission', `No scratch copy can be made below ${folder} (${cause.code ?? String(cause)}).`, { nextStep: 'Let the user that runs this write there, or name another state directory.', cause });
}

/** `<boot>-<pid namespace>-<pid>-<start time>`: no other process ever has the same; undefined when it does not run. */
async function identityOf(pid: number | 'self'): Promise<string | undefined> {
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).replace(/[^0-9a-f]/g, '');
    const namespace = (await readlink('/proc/self/ns/pid')).replace(/[^0-9]/g, '');
    const status = await readFile(`/proc/${pid}/stat`, 'latin1');
    // The program's name, in parentheses, may hold anything; after it the start time is the 20th field.
    const start = status.slice(status.lastIndexOf(')') + 2).split(' ')[19];
    return `${boot}-${namespace}-${pid === 'self' ? process.pid : pid}-${start}`;
  } catch {
    return undefined;
  }
}

async function isLeftOver(parent: string, name: string, now: number): Promise<boolean> {
  // A temporary folder is shared with users whose files this one may not remove.
  const owner = await stat(join(parent, name)).then(({ uid }) => uid, () => undefined);
  if (owner === undefined || owner !== process.getuid?.()) return false;
  const [, boot, namespace, pid] = NAME.exec(name) ?? [];
  const [ownBoot, ownNamespace] = (await identityOf('self'))?.split('-') ?? [];
  if (ownBoot !== undefined && boot !== ownBoot) return true;
  if (ownNamespace === undefined || namespace !== ownNamespace) return now - (await stat(join(parent, name))).mtimeMs > STRANGER_MILLISECONDS;
  const running = await identityOf(Number(pid));
  return running === undefined || !name.startsWith(`scratch-${running}-`);
}
