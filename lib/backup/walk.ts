import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync, realpathSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { REFUSED } from '../engine/crunch-files.ts';
import type { ByteString } from '../model/byte-string.ts';
import { byteString, display, fsPath } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';

/** One name that the walk met, in the order of the entry tree. */
export interface Walked {
  /** Path in the backup. */
  readonly path: ByteString;
  /** How to reach it now; differs from the real path where that is longer than the kernel takes. */
  readonly access: ByteString;
  readonly stats: Stats;
}

export interface WalkProblem {
  readonly path: ByteString;
  readonly code: 'unreadable' | 'vanished';
  readonly message: string;
}

export interface WalkOptions {
  /** True for paths (in the backup) that are left out, with everything below. */
  readonly isExcluded: (path: ByteString, isDirectory: boolean) => boolean;
  readonly oneFileSystem: boolean;
  readonly followSymlinks: boolean;
  readonly onProblem: (problem: WalkProblem) => void;
}

export interface WalkRoot {
  /** Where it begins in the backup: empty for a single path, the base name for several. */
  readonly path: ByteString;
  readonly location: ByteString;
}

/** Longer access paths go through a descriptor of the directory (PATH_MAX is 4096). */
const MAX_ACCESS_BYTES = 3000;
const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Walks trees depth first, names in byte order, with synchronous calls: on a local disk promises cost many times the
 * system calls. Vanished and unreadable names are reported, never thrown; only a root that cannot be read is
 * `source-failed`: it is not empty, and what earlier backups hold of it must not seem removed.
 */
export class TreeWalk {
  readonly #options: WalkOptions;
  readonly #descriptors = new Set<number>();
  readonly #retired: number[] = [];
  #root: WalkRoot | undefined;

  constructor(options: WalkOptions) {
    this.#options = options;
  }

  *walk(root: WalkRoot): Generator<Walked> {
    this.#root = root;
    const found = this.#look(root.path, root.location, true);
    if (!found) return;
    const { stats, access } = found;
    yield { path: root.path, access, stats };
    if (stats.isDirectory()) yield* this.#children(root.path, access, stats.dev, [`${stats.dev}:${stats.ino}`]);
  }

  /** Descriptors of directories that the walk has left: what was yielded below them may still be read through them. */
  get retired(): number {
    return this.#retired.length;
  }

  /** When everything that was yielded below retired descriptors has been read. */
  closeRetired(): void {
    for (const fd of this.#retired.splice(0)) {
      this.#descriptors.delete(fd);
      closeSync(fd);
    }
  }

  close(): void {
    this.#retired.length = 0;
    for (const fd of this.#descriptors) closeSync(fd);
    this.#descriptors.clear();
  }

  *#children(path: ByteString, access: ByteString, device: number, ancestors: readonly string[]): Generator<Walked> {
    const directory = this.#shorten(path, access);
    if (!directory) return;
    const prefix = path === '' ? '' : `${path}/`;
    for (const name of this.#names(path, directory.access)) {
      const childPath = (prefix + name) as ByteString;
      const found = this.#look(childPath, `${directory.access}/${name}` as ByteString, this.#options.followSymlinks);
      if (!found || this.#options.isExcluded(childPath, found.stats.isDirectory())) continue;
      const { stats } = found;
      yield { path: childPath, access: found.access, stats };
      if (!stats.isDirectory() || (this.#options.oneFileSystem && stats.dev !== device)) continue;
      const id = `${stats.dev}:${stats.ino}`;
      if (this.#options.followSymlinks && ancestors.includes(id)) {
        this.#options.onProblem({ path: childPath, code: 'unreadable', message: 'a followed link leads back to a directory above it; not entered' });
        continue;
      }
      yield* this.#children(childPath, found.access, device, this.#options.followSymlinks ? [...ancestors, id] : ancestors);
    }
    if (directory.fd !== undefined) this.#retired.push(directory.fd);
  }

  #names(path: ByteString, access: ByteString): string[] {
    try {
      return readdirSync(fsPath(access), { encoding: 'latin1' }).sort(byBytes);
    } catch (error) {
      this.#report(path, error);
      return [];
    }
  }

  #look(path: ByteString, access: ByteString, isFollowing: boolean): Found | undefined {
    try {
      const stats = lstatSync(fsPath(access));
      return (isFollowing && stats.isSymbolicLink() && followed(access)) || { access, stats };
    } catch (error) {
      this.#report(path, error);
      return undefined;
    }
  }

  #shorten(path: ByteString, access: ByteString): { readonly access: ByteString; readonly fd?: number } | undefined {
    if (access.length <= MAX_ACCESS_BYTES) return { access };
    try {
      const fd = openSync(fsPath(access), DIRECTORY_FLAGS);
      this.#descriptors.add(fd);
      return { access: `/proc/self/fd/${fd}` as ByteString, fd };
    } catch (error) {
      this.#report(path, error);
      return undefined;
    }
  }

  #report(path: ByteString, error: unknown): void {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = REFUSED[code ?? ''] ?? message.split(',')[0] ?? message;
    if (path === this.#root?.path) {
      throw new HoldfastError('source-failed', `The path ${display(this.#root.location)} could not be read: ${reason}.`, { nextStep: 'Check the path, and whether what should be mounted there is mounted.', cause: error });
    }
    const isGone = code === 'ENOENT' || code === 'ENOTDIR';
    this.#options.onProblem({ path, code: isGone ? 'vanished' : 'unreadable', message: isGone ? 'it vanished before it could be read' : reason });
  }
}

interface Found {
  readonly access: ByteString;
  readonly stats: Stats;
}

/** Where a link leads, without links, so that it can be opened like everything else. A dangling link is kept as a link. */
function followed(access: ByteString): Found | undefined {
  try {
    const target = byteString(realpathSync.native(fsPath(access), { encoding: 'buffer' }));
    return { access: target, stats: lstatSync(fsPath(target)) };
  } catch {
    return undefined;
  }
}

/** Byte strings compare byte by byte as they are; the default sort would do the same, slower. */
function byBytes(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

export function readLink(access: ByteString): ByteString {
  return byteString(readlinkSync(fsPath(access), { encoding: 'buffer' }));
}
