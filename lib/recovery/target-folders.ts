import { closeSync, constants, existsSync, fchmodSync, fstatSync, mkdirSync, openSync, readlinkSync } from 'node:fs';
import type { ByteString } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import type { DirectoryBody } from '../repository/index.ts';
import { errnoOf } from './errno.ts';
import { UNFINISHED_FOLDER } from './unfinished.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;

/** A directory of the target. Its descriptor comes and goes; the object stays while anything in it is unfinished. */
export interface Folder {
  readonly path: ByteString;
  readonly name: ByteString;
  readonly parent: Folder | undefined;
  /** New entries get the group of this directory. */
  readonly isSetgid: boolean;
  /** -1 while closed. */
  fd: number;
  pins: number;
  /** Entries in it that are not finished, and 1 while the walk is inside. */
  pending: number;
  /** Set when all its entries are finished. */
  body?: DirectoryBody;
  /** It bears the mark of the unfinished; this mode takes it away where there is no `body`. */
  unmarkedMode?: number;
}

/**
 * Directories below the target, opened one component below the parent's descriptor and never through a symbolic link:
 * whatever someone plants or swaps in the target, nothing outside it is reached. Names are resolved by
 * `/proc/self/fd`, which also makes paths longer than PATH_MAX work. At most `capacity` idle descriptors stay open.
 */
export class TargetFolders {
  readonly root: Folder;
  readonly #capacity: number;
  /** Open and not pinned, longest unused first. */
  readonly #idle = new Set<Folder>();

  constructor(target: string, capacity: number) {
    requireProc();
    this.#capacity = capacity;
    const fd = openSync(target, O_RDONLY | O_DIRECTORY);
    this.root = { path: '' as ByteString, name: '' as ByteString, parent: undefined, isSetgid: isSetgid(fd), fd, pins: 1, pending: 1 };
  }

  /** Makes the directory, marked as unfinished until its metadata is restored, or opens the one that is there. */
  make(parent: Folder, name: ByteString): { folder: Folder; isNew: boolean } {
    const at = this.acquire(parent);
    let isNew = true;
    try {
      mkdirSync(entryPath(at, name), UNFINISHED_FOLDER);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      isNew = false;
    } finally {
      this.release(parent);
    }
    const folder = this.open(parent, name);
    if (isNew) folder.unmarkedMode = 0o700;
    return { folder, isNew };
  }

  /** Fails as `ENOTDIR` or `ELOOP` when anything but a directory has that name. */
  open(parent: Folder, name: ByteString): Folder {
    const fd = this.#descriptor(parent, name);
    const path = (parent.path === '' ? name : `${parent.path}/${name}`) as ByteString;
    const folder: Folder = { path, name, parent, isSetgid: isSetgid(fd), fd, pins: 0, pending: 1 };
    this.#rest(folder);
    return folder;
  }

  /** For a target that was empty: a restore that is killed shall find it unfinished. */
  markRoot(): void {
    const { mode } = fstatSync(this.root.fd);
    try {
      fchmodSync(this.root.fd, UNFINISHED_FOLDER | (mode & 0o2000));
    } catch (error) {
      // Who restores may write into the target without owning it.
      if (errnoOf(error) !== 'EPERM') throw error;
      return;
    }
    this.root.unmarkedMode = mode & 0o7777;
  }

  /** The open descriptor; it stays open until as many `release` calls. */
  acquire(folder: Folder): number {
    if (folder.fd < 0) folder.fd = this.#descriptor(folder.parent as Folder, folder.name);
    folder.pins++;
    this.#idle.delete(folder);
    return folder.fd;
  }

  release(folder: Folder): void {
    if (--folder.pins === 0) this.#rest(folder);
  }

  /** Nothing will be done in it any more. */
  close(folder: Folder): void {
    this.#idle.delete(folder);
    if (folder.fd >= 0) closeSync(folder.fd);
    folder.fd = -1;
  }

  closeAll(): void {
    for (const folder of this.#idle) this.close(folder);
    this.close(this.root);
  }

  #descriptor(parent: Folder, name: ByteString): number {
    const at = this.acquire(parent);
    try {
      return openSync(entryPath(at, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    } finally {
      this.release(parent);
    }
  }

  #rest(folder: Folder): void {
    this.#idle.add(folder);
    if (this.#idle.size > this.#capacity) this.close(this.#idle.values().next().value as Folder);
  }
}

// oxlint-disable-next-line no-control-regex -- the range is the point: plain ASCII needs no conversion
const ASCII = /^[\x00-\x7f]*$/;

let descriptors: string | undefined;

/** What `node:fs` takes for a name in an open directory; also right in other threads of this process. */
export function entryPath(fd: number, name: ByteString): string | Buffer {
  // Resolved once: following `/proc/self` for every file costs a microsecond each time.
  descriptors ??= `/proc/${readlinkSync('/proc/self')}/fd/`;
  const path = `${descriptors}${fd}/${name}`;
  return ASCII.test(name) ? path : Buffer.from(path, 'latin1');
}

function isSetgid(fd: number): boolean {
  return (fstatSync(fd).mode & 0o2000) !== 0;
}

function requireProc(): void {
  if (process.platform === 'linux' && existsSync('/proc/self/fd')) return;
  throw new HoldfastError('unsupported', `Restoring needs Linux with /proc mounted; this is ${process.platform}. Without it a planted link could lead out of the target.`, {
    nextStep: 'Restore on a Linux machine or in a container. `holdfast cat` and `holdfast ls` work here.',
  });
}
