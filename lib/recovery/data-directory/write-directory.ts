import { closeSync, constants, fchownSync, lchownSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../../model/errors.ts';
import { checkPath } from '../../repository/index.ts';
import type { TarMember, TarVisitor } from '../../sources/tar-reader.ts';
import { errnoOf, errnoWords } from '../errno.ts';

/** Whose files they become; absent: of whoever runs this. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
}

/** No server starts without it: it gets its name when everything is proved. */
const CONTROL = 'global/pg_control';
const UNPROVED = `${CONTROL}.unproved`;
const DIRECTORY = '5';

/**
 * Writes the members of a base backup below an empty directory of our own: directories 0700 and files 0600, each new,
 * none through a link, none elsewhere. What is there cannot be started before `approve`.
 */
export class DirectoryWriter implements TarVisitor {
  readonly #root: string;
  readonly #owner: Owner | undefined;
  #file: { readonly fd: number; readonly name: string } | undefined;
  readonly #made = new Set<string>();

  constructor(root: string, owner: Owner | undefined) {
    this.#root = root;
    this.#owner = owner;
  }

  member({ name, type }: TarMember): void {
    if (type === DIRECTORY) return this.#makeFolder(name.replace(/\/$/, ''));
    checkPath(name);
    this.#makeFolder(dirname(name));
    const path = name === CONTROL ? UNPROVED : name;
    const fd = this.#doing(name, () => openSync(this.#place(path), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600));
    this.#file = { fd, name };
    if (this.#owner) fchownSync(fd, this.#owner.uid, this.#owner.gid);
  }

  data(bytes: Uint8Array): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#doing(file.name, () => {
      for (let at = 0; at < bytes.length; ) at += writeSync(file.fd, bytes, at);
    });
  }

  memberEnd(): void {
    this.close();
  }

  /** A new file of ours, with its content. */
  write(name: string, text: string): void {
    this.member({ name, type: '0', size: 0, mode: 0o600, linkName: '' });
    this.data(Buffer.from(text));
    this.close();
  }

  /** Instead of what the backup had under that name. */
  replace(name: string, text: string): void {
    this.remove(name);
    this.write(name, text);
  }

  remove(name: string): void {
    rmSync(this.#place(name), { force: true });
  }

  /** Everything is proved: from now on a server starts on it. */
  approve(): void {
    renameSync(this.#place(UNPROVED), this.#place(CONTROL));
  }

  /** Callable twice. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file.fd);
    this.#file = undefined;
  }

  #makeFolder(name: string): void {
    if (name === '.' || name === '' || this.#made.has(name)) return;
    checkPath(name);
    this.#makeFolder(dirname(name));
    this.#doing(name, () => mkdirSync(this.#place(name), { mode: 0o700 }));
    if (this.#owner) lchownSync(this.#place(name), this.#owner.uid, this.#owner.gid);
    this.#made.add(name);
  }

  /** Names are bytes. */
  #place(name: string): Buffer {
    return Buffer.concat([Buffer.from(`${this.#root}/`), Buffer.from(name, 'latin1')]);
  }

  #doing<T>(name: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      const errno = errnoOf(error);
      const isSpace = errno === 'ENOSPC' || errno === 'EDQUOT';
      throw new HoldfastError(isSpace ? 'no-space' : 'target-failed', `Restoring ${join(this.#root, name)} failed: ${errnoWords(errno, error)}. What was written is removed again.`, { nextStep: isSpace ? 'Make room or choose another directory, and restore again.' : 'Check the directory, and restore again.', cause: error });
    }
  }
}
