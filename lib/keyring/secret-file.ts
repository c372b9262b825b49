import { randomBytes } from 'node:crypto';
import { link, open, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../model/errors.ts';
import { shellQuote } from './shell-quote.ts';

/** Longer than any key file or passphrase: a wrong path (a database, /dev/zero) must not be read whole. */
const MAX_BYTES = 64 * 1024;

/**
 * Reads a small file that holds a secret; pipes and `/dev/fd/N` are welcome. `inspect` sees the open descriptor, so
 * that what it checked is what is read. Fails as `missing-key` or `permission`; no message holds any content.
 */
export async function readSecretFile(path: string, what: string, inspect?: (handle: FileHandle) => Promise<void>): Promise<Buffer> {
  const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    throw unreadable(path, what, cause);
  });
  try {
    await inspect?.(handle);
    return await readUpTo(handle, MAX_BYTES + 1).then((bytes) => checkLength(bytes, path, what));
  } catch (cause) {
    throw isErrno(cause) ? unreadable(path, what, cause) : cause;
  } finally {
    await handle.close();
  }
}

async function readUpTo(handle: FileHandle, limit: number): Promise<Buffer> {
  const buffer = Buffer.alloc(limit);
  let length = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, limit - length, null);
    length += bytesRead;
    if (bytesRead === 0 || length === limit) return buffer.subarray(0, length);
  }
}

function checkLength(bytes: Buffer, path: string, what: string): Buffer {
  if (bytes.length <= MAX_BYTES) return bytes;
  throw new HoldfastError('missing-key', `${path} is longer than ${MAX_BYTES} bytes, so it is no ${what}.`, { nextStep: `Give the path of a ${what}.` });
}

/** For `inspect`: a file of its owner alone; pipes and the like have no mode that counts. Fails as `permission`. */
export async function refuseSharedFile(path: string, what: string, handle: FileHandle): Promise<void> {
  const status = await handle.stat();
  const bits = status.mode & 0o777;
  if (!status.isFile() || (bits & 0o077) === 0) return;
  throw new HoldfastError('permission', `The ${what} ${path} is open to other users: its mode is ${bits.toString(8).padStart(4, '0')}, wanted 0600.`, {
    nextStep: `chmod 600 ${shellQuote(path)}`,
  });
}

/**
 * Writes a new file for its owner alone, durable when this returns. It has its name when it is whole: a kill leaves at most
 * a file `.holdfast-secret-…` beside it, with which nothing was registered. Never overwrites: `already-exists`;
 * `permission`, `no-space`.
 */
export async function writeSecretFile(path: string, what: string, text: string): Promise<void> {
  const partial = join(dirname(path), `.holdfast-secret-${randomBytes(8).toString('hex')}`);
  try {
    await writeNew(partial, text);
    try {
      await link(partial, path).catch(async (cause: NodeJS.ErrnoException) => {
        if (!NO_LINKS.has(cause.code ?? '')) throw cause;
        await writeNew(path, text);
      });
    } finally {
      await unlink(partial);
    }
    await syncFolder(dirname(path));
  } catch (cause) {
    throw cannotMake(path, what, cause as NodeJS.ErrnoException);
  }
}

/** A file system without hard links (exFAT) has no other way to give a name only once. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** Whole and durable, or not there. */
async function writeNew(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    // The umask may have taken bits away, never added: read and write are what the owner needs.
    await handle.chmod(0o600);
    await handle.writeFile(text);
    await handle.sync();
  } catch (cause) {
    await unlink(path);
    throw cause;
  } finally {
    await handle.close();
  }
}

/** The name must survive a power cut as well as the bytes: a vault whose only key is gone is gone. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function cannotMake(path: string, what: string, cause: NodeJS.ErrnoException): HoldfastError {
  if (cause.code === 'EEXIST') return new HoldfastError('already-exists', `The ${what} ${path} is there already; it is never overwritten.`, { nextStep: 'Give the path of a new file.', cause });
  const code = cause.code === 'ENOSPC' || cause.code === 'EDQUOT' ? 'no-space' : 'permission';
  return new HoldfastError(code, `The ${what} ${path} cannot be made (${cause.code}).`, { nextStep: 'Give a path where this user can write.', cause });
}

function unreadable(path: string, what: string, cause: NodeJS.ErrnoException): HoldfastError {
  if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') {
    return new HoldfastError('missing-key', `The ${what} ${path} is not there.`, { nextStep: `Give the path of the ${what} of this vault, or put it back from where you keep its copy.`, cause });
  }
  if (cause.code === 'EACCES' || cause.code === 'EPERM') {
    return new HoldfastError('permission', `The ${what} ${path} may not be read by this user (${cause.code}).`, { nextStep: 'Run as the user that owns it.', cause });
  }
  return new HoldfastError('missing-key', `The ${what} ${path} cannot be read (${cause.code}).`, { nextStep: `Give the path of a ${what}.`, cause });
}

function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return typeof error === 'object' && error !== null && 'syscall' in error;
}
