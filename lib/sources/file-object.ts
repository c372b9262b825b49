import { constants } from 'node:fs';
import { open, opendir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { byteString, display, fsPath } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import { attributesOf } from './attributes.ts';
import type { MissedObject, OpenObject, StreamAttributes } from './source.ts';

export interface OpenedFile {
  readonly handle: FileHandle;
  readonly status: BigIntStats;
}

/** Of a file that cannot be opened; `reason` is for people and never holds content. */
export interface Unopened {
  readonly code: string;
  readonly reason: string;
}

const PIECE_BYTES = 1 << 18;
/** What was written so shortly before it was read may be written again without another time. */
const RACY_NANOSECONDS = 2_000_000_000n;

/** Follows links and never waits, at a FIFO neither. */
export async function openFile(path: ByteString): Promise<OpenedFile | Unopened> {
  let handle: FileHandle;
  try {
    handle = await open(fsPath(path), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    return { code, reason: REASONS[code] ?? `it cannot be opened (${code})` };
  }
  const status = await handle.stat({ bigint: true });
  if (status.isFile()) return { handle, status };
  await handle.close();
  return { code: 'ENOTFILE', reason: status.isDirectory() ? 'it is a directory' : 'it is no regular file' };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it is not there',
  ENOTDIR: 'it is not there',
  EACCES: 'it may not be read by this user',
  ELOOP: 'it is a link that leads to itself',
};

export interface FileReading {
  readonly path: ByteString;
  /**
   * `still`: what changes while it is read is opened again. `growing`: what is appended meanwhile is left for the next time, and the
   * bytes up to the size at the beginning are all there.
   */
  readonly kind: 'still' | 'growing';
  /** Milliseconds. */
  readonly now: number;
}

/** Reads exactly as many bytes as the file had when it was opened; fails as `stale` where they are no longer those. */
export function fileObject({ handle, status }: OpenedFile, { path, kind, now }: FileReading): OpenObject {
  const size = Number(status.size);
  let isClosed = false;
  const close = () => {
    if (isClosed) return;
    isClosed = true;
    handle.close().catch(() => undefined);
  };
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      for (let at = 0; at < size; ) {
        const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(Math.min(PIECE_BYTES, size - at)), 0, undefined, at);
        if (bytesRead === 0) throw stale(path, `it ended at ${at} bytes and had ${size} when it was opened`);
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
      const after = await handle.stat({ bigint: true });
      const isSame = kind === 'still' ? after.size === status.size && after.mtimeNs === status.mtimeNs && after.ctimeNs === status.ctimeNs : after.size >= status.size;
      if (!isSame) throw stale(path, 'it was written while it was read');
    } finally {
      close();
    }
  }
  return { attributes: attributesOf(status), extended: [], size, isRacy: status.mtimeNs > BigInt(Math.floor(now)) * 1_000_000n - RACY_NANOSECONDS, body: body(), discard: close };
}

/** The file of that inode in the folder of `path`, under whatever name it has now: rotation renames what was listed. */
export async function findInode(path: ByteString, { dev, ino }: Pick<BigIntStats, 'dev' | 'ino'>): Promise<OpenedFile | undefined> {
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  for await (const { name } of await opendir(fsPath((folder || './') as ByteString), { encoding: 'buffer' as never })) {
    const opened = await openFile(`${folder}${byteString(name as never)}` as ByteString);
    if (!('handle' in opened)) continue;
    if (opened.status.ino === ino && opened.status.dev === dev) return opened;
    await opened.handle.close();
  }
  return undefined;
}

export function missedFile(missed: MissedObject['missed'], reason: string, attributes: StreamAttributes): MissedObject {
  return { missed, reason, attributes };
}

function stale(path: ByteString, what: string): HoldfastError {
  return new HoldfastError('stale', `${display(path)} changed: ${what}.`, { nextStep: 'Nothing of this run is kept; start the backup again when nobody writes there.' });
}
