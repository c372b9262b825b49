import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { display, fsPath } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { temporaryName } from '../../model/process-owner.ts';
import type { Owner } from '../../model/process-owner.ts';
import { errnoOf, errnoWords } from '../errno.ts';
import { moveToNew } from '../move-to-new.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY, O_RDONLY, O_DIRECTORY } = constants;
/** Of files that are not whole yet; what a killed export left has such a name. Behind it stands which process made it. */
export const PARTIAL_PREFIX = '.holdfast-export-';

/**
 * A file that gets its name when it is whole and on the disk, and only if nothing has that name. Its owner alone may read
 * it: what was sealed in the vault is plain here.
 */
export class NewFile {
  readonly path: ByteString;
  readonly handle: FileHandle;
  readonly #partial: string | Buffer;
  #isOpen = true;

  private constructor(path: ByteString, partial: string | Buffer, handle: FileHandle) {
    this.path = path;
    this.#partial = partial;
    this.handle = handle;
  }

  static async create(path: ByteString, owner: Owner): Promise<NewFile> {
    const partial = fsPath(`${folderOf(path)}/${PARTIAL_PREFIX}${temporaryName(owner, randomBytes(8))}` as ByteString);
    return new NewFile(path, partial, await writing(path, () => open(partial, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o600)));
  }

  /** Writes it whole. */
  static async write(path: ByteString, bytes: Uint8Array, owner: Owner): Promise<NewFile> {
    const file = await NewFile.create(path, owner);
    try {
      await writing(path, () => file.handle.writeFile(bytes));
      return file;
    } catch (error) {
      await file.discard();
      throw error;
    }
  }

  /** Everything on the disk, then the name. */
  async publish(): Promise<void> {
    await writing(this.path, async () => {
      await this.handle.sync();
      await this.#close();
      moveToNew(this.#partial, fsPath(this.path));
      await syncFolder(folderOf(this.path));
    });
  }

  /** Harmless after `publish`. */
  async discard(): Promise<void> {
    await this.#close();
    await removeIfThere(this.#partial);
  }

  async #close(): Promise<void> {
    if (this.#isOpen) await this.handle.close();
    this.#isOpen = false;
  }
}

/** `target-exists` before anything is read for an export that could not get its names. */
export async function refuseExisting(paths: readonly ByteString[]): Promise<void> {
  for (const path of paths) {
    const isThere = await lstat(fsPath(path)).then(() => true, (error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return false; // Nor is its directory, perhaps: that is met when it is written.
      throw writeError(path, error);
    });
    if (isThere) throw targetExists(path);
  }
}

export async function removeIfThere(path: string | Buffer): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
  });
}

/** Errors of the operating system in words, with what is to be done. */
export async function writing<T>(path: ByteString, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw writeError(path, error);
  }
}

export function writeError(path: ByteString, cause: unknown): HoldfastError {
  if (isHoldfastError(cause)) return cause;
  const errno = errnoOf(cause);
  if (errno === 'EEXIST') return targetExists(path);
  const isSpace = errno === 'ENOSPC' || errno === 'EDQUOT';
  const isMissing = errno === 'ENOENT' || errno === 'ENOTDIR';
  const why = isMissing ? `${display(folderOf(path))} is no directory in which it can be made` : errnoWords(errno, cause);
  const nextStep = isSpace ? 'Make room or choose another --to, then run the same command again.' : isMissing ? 'Make the directory, or check --to.' : 'Check --to, then run the same command again.';
  return new HoldfastError(isSpace ? 'no-space' : isMissing ? 'not-found' : 'permission', `Writing ${display(path)} failed: ${why}. Nothing stands under that name.`, { nextStep, cause });
}

function targetExists(path: ByteString): HoldfastError {
  return new HoldfastError('target-exists', `${display(path)} is there already, and an export overwrites nothing.`, { nextStep: 'Move it away, or choose another --to.' });
}

export function folderOf(path: ByteString): ByteString {
  const slash = path.lastIndexOf('/');
  return (slash < 0 ? '.' : slash === 0 ? '/' : path.slice(0, slash)) as ByteString;
}

async function syncFolder(folder: ByteString): Promise<void> {
  const handle = await open(fsPath(folder), O_RDONLY | O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
