import { createHash } from 'node:crypto';
import { constants, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { open } from 'node:fs/promises';
import { byteString, fsPath } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { errnoOf, errnoWords } from '../errno.ts';
import { FILE_TYPE } from './compared-entry.ts';
import type { ComparedEntry } from './compared-entry.ts';

const BATCH_ENTRIES = 256;
const LINK_TYPE = 0o120000;
const FOLDER_TYPE = 0o040000;
const DEVICE_TYPES: ReadonlySet<number> = new Set([0o020000, 0o060000]);

export interface FolderOptions {
  readonly onUnreadable: (path: ByteString, reason: string) => void;
  /** True for what a backup of this directory would leave out, with everything below. */
  readonly isLeftOut: (path: ByteString, isDirectory: boolean) => boolean;
  readonly onLeftOut: (path: ByteString) => void;
  /** Directories on which another file system is mounted are there, and nothing below them. */
  readonly isOneFileSystem: boolean;
  /** What was backed up stands in the directory under its base name, instead of being it: never left out, on any file system. */
  readonly areRootsInside: boolean;
  readonly signal: AbortSignal;
}

/** What stands in a directory, in the order of a backup. Follows no link; what goes away meanwhile is not there. */
export async function* folderEntries(root: ByteString, options: FolderOptions): AsyncGenerator<ComparedEntry[]> {
  let batch: ComparedEntry[] = [];
  for (const entry of walk(root, '' as ByteString, options)) {
    if (batch.push(entry) < BATCH_ENTRIES) continue;
    options.signal.throwIfAborted();
    yield batch;
    batch = [];
  }
  yield batch;
}

function* walk(root: ByteString, path: ByteString, options: FolderOptions, parentMount?: bigint): Generator<ComparedEntry> {
  const { onUnreadable, isLeftOut, onLeftOut, isOneFileSystem, areRootsInside } = options;
  const isRoot = path === '' || (areRootsInside && !path.includes('/'));
  const found = look(root, path, onUnreadable);
  if (found === undefined) return;
  const { entry, mount } = found;
  if (!isRoot && isLeftOut(path, entry.type === FOLDER_TYPE)) return onLeftOut(path);
  yield entry;
  if (entry.type !== FOLDER_TYPE || (isOneFileSystem && !isRoot && parentMount !== mount)) return;
  const names = attempt(path, onUnreadable, () => readdirSync(at(root, path), { encoding: 'buffer' }).map(byteString).sort());
  for (const name of names ?? []) yield* walk(root, (path === '' ? name : `${path}/${name}`) as ByteString, options, mount);
}

/** `mount`: the device of the file system that it lies on. */
function look(root: ByteString, path: ByteString, onUnreadable: FolderOptions['onUnreadable']): { readonly entry: ComparedEntry; readonly mount: bigint } | undefined {
  return attempt(path, onUnreadable, () => {
    const stat = lstatSync(at(root, path), { bigint: true });
    const type = Number(stat.mode) & 0o170000;
    const common = { path, type, size: type === FILE_TYPE ? Number(stat.size) : 0, mode: Number(stat.mode) & 0o7777, uid: Number(stat.uid), gid: Number(stat.gid), mtimeNanoseconds: stat.mtimeNs };
    const entry = type === LINK_TYPE ? { ...common, target: byteString(readlinkSync(at(root, path), 'buffer')) }
      : type === FILE_TYPE || type === FOLDER_TYPE ? common : { ...common, device: DEVICE_TYPES.has(type) ? deviceOf(stat) : { major: 0, minor: 0 } };
    return { entry, mount: stat.dev };
  });
}

function attempt<T>(path: ByteString, onUnreadable: (path: ByteString, reason: string) => void, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') onUnreadable(path, errnoWords(errnoOf(error), error));
    return undefined;
  }
}

/** As glibc takes numbers of devices apart. */
function deviceOf({ rdev }: BigIntStats): { major: number; minor: number } {
  return { major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)), minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)) };
}

export interface DigestOptions {
  readonly onUnreadable: (path: ByteString, reason: string) => void;
  readonly onRead: (bytes: number) => void;
  readonly signal: AbortSignal;
}

const READ_BYTES = 256 << 10;

/** SHA-256 of a file; undefined (and told) when it cannot be read. Follows no link, and waits at no FIFO that was put in its place. */
export async function fileDigest(root: ByteString, path: ByteString, options: DigestOptions): Promise<Uint8Array | undefined> {
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  const hash = createHash('sha256');
  try {
    const file = await open(at(root, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      for (let count = -1; count !== 0; options.onRead(count)) {
        options.signal.throwIfAborted();
        count = (await file.read(buffer, 0, READ_BYTES, null)).bytesRead;
        hash.update(buffer.subarray(0, count));
      }
    } finally {
      await file.close();
    }
    return hash.digest();
  } catch (error) {
    options.signal.throwIfAborted();
    options.onUnreadable(path, errnoWords(errnoOf(error), error));
    return undefined;
  }
}

function at(root: ByteString, path: ByteString): string | Buffer {
  return fsPath((path === '' ? root : `${root}/${path}`) as ByteString);
}
