import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import type { ByteString } from '../model/byte-string.ts';
import { byteString, fsPath } from '../model/byte-string.ts';

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
 * system calls. Vanished and unreadable names are reported, never thrown.
 */
export class TreeWalk {
  readonly #options: WalkOptions;
  readonly #descriptors: number[] = [];

  constructor(options: WalkOptions) {
    this.#options = options;
  }

  *walk(root: WalkRoot): Generator<Walked> {
    const stats = this.#stat(root.path, root.location);
    if (!stats) return;
    yield { path: root.path, access: root.location, stats };
    if (stats.isDirectory()) yield* this.#children(root.path, root.location, stats.dev, [`${stats.dev}:${stats.ino}`]);
  }

  close(): void {
    for (const fd of this.#descriptors.splice(0)) closeSync(fd);
  }

  *#children(path: ByteString, access: ByteString, device: number, ancestors: readonly string[]): Generator<Walked> {
    const reachable = this.#shorten(path, access);
    if (reachable === undefined) return;
    const prefix = path === '' ? '' : `${path}/`;
    for (const name of this.#names(path, reachable)) {
      const childPath = (prefix + name) as ByteString;
      const childAccess = `${reachable}/${name}` as ByteString;
      const stats = this.#stat(childPath, childAccess);
      if (!stats || this.#options.isExcluded(childPath, stats.isDirectory())) continue;
      yield { path: childPath, access: childAccess, stats };
      if (!stats.isDirectory() || (this.#options.oneFileSystem && stats.dev !== device)) continue;
      const id = `${stats.dev}:${stats.ino}`;
      if (this.#options.followSymlinks && ancestors.includes(id)) {
        this.#options.onProblem({ path: childPath, code: 'unreadable', message: 'a followed link leads back to a directory above it; not entered' });
        continue;
      }
      yield* this.#children(childPath, childAccess, device, this.#options.followSymlinks ? [...ancestors, id] : ancestors);
    }
  }

  #names(path: ByteString, access: ByteString): string[] {
    try {
      return readdirSync(fsPath(access), { encoding: 'latin1' }).sort(byBytes);
    } catch (error) {
      this.#report(path, error);
      return [];
    }
  }

  #stat(path: ByteString, access: ByteString): Stats | undefined {
    try {
      const stats = lstatSync(fsPath(access));
      return this.#options.followSymlinks && stats.isSymbolicLink() ? followed(access, stats) : stats;
    } catch (error) {
      this.#report(path, error);
      return undefined;
    }
  }

  #shorten(path: ByteString, access: ByteString): ByteString | undefined {
    if (access.length <= MAX_ACCESS_BYTES) return access;
    try {
      const fd = openSync(fsPath(access), DIRECTORY_FLAGS);
      this.#descriptors.push(fd);
      return `/proc/self/fd/${fd}` as ByteString;
    } catch (error) {
      this.#report(path, error);
      return undefined;
    }
  }

  #report(path: ByteString, error: unknown): void {
    const { code, message } = error as NodeJS.ErrnoException;
    const isGone = code === 'ENOENT' || code === 'ENOTDIR';
    this.#options.onProblem({ path, code: isGone ? 'vanished' : 'unreadable', message: isGone ? 'it vanished before it could be read' : (message.split(',')[0] ?? message) });
  }
}

/** A dangling link is kept as a link. */
function followed(access: ByteString, link: Stats): Stats {
  try {
    return statSync(fsPath(access));
  } catch {
    return link;
  }
}

/** Byte strings compare byte by byte as they are; the default sort would do the same, slower. */
function byBytes(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

export function readLink(access: ByteString): ByteString {
  return byteString(readlinkSync(fsPath(access), { encoding: 'buffer' }));
}
