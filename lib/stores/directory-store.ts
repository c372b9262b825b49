import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { systemClock, type Clock } from '../model/clock.ts';
import { HoldfastError, invariant } from '../model/errors.ts';
import { errnoOf, fileError } from './directory/file-error.ts';
import { realFileOps, type FileFacts, type FileOps } from './directory/file-ops.ts';
import { Folders, parentOf } from './directory/folders.ts';
import { listObjects, toObjectInfo } from './directory/listing.ts';
import { systemProcesses, temporaryName, type ProcessTable } from '../model/process-owner.ts';
import { Publisher } from './directory/publish.ts';
import { sweepFolder, type SweepResult } from './directory/sweep.ts';
import { discard, readExactly, writeTemporary } from './directory/temporary.ts';
import { throwIfInterrupted } from './interruption.ts';
import { checkName, checkObject, checkPrefix, checkRange, PRIVATE_FOLDER } from './object-name.ts';
import { resolveRange } from './read-range.ts';
import { sameBytes } from './same-bytes.ts';
import { alreadyExists, notFound } from './store-errors.ts';
import type { ByteRange, GetOptions, ObjectInfo, PutOptions, PutResult, Store } from './store.ts';

export interface DirectoryStoreOptions {
  /** The operating system by default; doubles lose power. */
  readonly fileOps?: FileOps;
  /** Paces waiting for other writers on file systems without hard links; never asked for times that decide. */
  readonly clock?: Clock;
  /** Who runs on this machine; read from `/proc` by default. */
  readonly processes?: ProcessTable;
  /** Names of temporaries; the operating system's generator by default. */
  readonly random?: (size: number) => Uint8Array;
}

export interface DirectoryStore extends Store {
  /**
   * Removes what killed processes left in `tmp/`: at once when the owner is provably dead (same boot, or an earlier
   * boot of this machine), else after 7 days of the store's time. Safe while others write; callable at any time.
   */
  sweepTemporaries(): Promise<SweepResult>;
}

/**
 * A store in a directory of a POSIX file system. The directory is made by the first write, with mode 0700; objects are
 * plain files of mode 0600 under their own names. `storedAt` is the ctime, which `link()` sets: the moment of publication.
 */
export function openDirectoryStore(root: string, options: DirectoryStoreOptions = {}): DirectoryStore {
  return new FolderOfObjects(resolve(root), options);
}

class FolderOfObjects implements DirectoryStore {
  readonly description: string;
  readonly #root: string;
  readonly #fileOps: FileOps;
  readonly #processes: ProcessTable;
  readonly #newName: () => string;
  readonly #folders: Folders;
  readonly #publisher: Publisher;

  constructor(root: string, options: DirectoryStoreOptions) {
    const { fileOps = realFileOps, clock = systemClock, processes = systemProcesses(), random = randomBytes } = options;
    const newName = () => temporaryName(processes.self, random(8));
    this.description = root;
    this.#root = root;
    this.#fileOps = fileOps;
    this.#processes = processes;
    this.#newName = newName;
    this.#folders = new Folders(root, fileOps);
    this.#publisher = new Publisher(root, { fileOps, processes, clock, newName });
  }

  /**
   * The order is the promise: bytes flushed, then published by `link()`, then the folder flushed. Folders above were
   * flushed before anything in them was published.
   */
  async put(name: string, bytes: Uint8Array | readonly Uint8Array[], options: PutOptions = {}): Promise<PutResult> {
    throwIfInterrupted(options.signal);
    const { parts, size } = checkObject(name, bytes);
    try {
      await this.#folders.ensure(PRIVATE_FOLDER);
      await this.#folders.ensure(parentOf(name));
      const temporary = this.#temporaryPath();
      await writeTemporary(this.#fileOps, temporary, parts, options.signal);
      const created = await this.#publisher.publish(temporary, name);
      if (!created) await this.#requireSame(name, parts, size);
      // Also when the object was there: the process that published it may have been killed before its flush.
      await this.#folders.flush(parentOf(name));
      return { created };
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') this.#folders.forget();
      throw fileError(error, `write ${name} to ${this.#root}`, { bytesNeeded: size });
    }
  }

  async get(name: string, range?: ByteRange, { spare }: GetOptions = {}): Promise<Uint8Array> {
    checkName(name);
    checkRange(name, range);
    return this.#present(name, 'read', () => this.#read(name, range, spare));
  }

  async stat(name: string): Promise<ObjectInfo> {
    checkName(name);
    const facts = await this.#present(name, 'look at', async () => {
      await this.#folders.requirePlain(parentOf(name));
      return this.#requireFile(name, await this.#fileOps.lstat(this.#path(name)));
    });
    return toObjectInfo(name, facts);
  }

  async *list(prefix: string): AsyncIterable<ObjectInfo> {
    checkPrefix(prefix);
    try {
      await this.#folders.requirePlain(prefix.slice(0, -1));
      yield* listObjects(this.#fileOps, this.#root, prefix);
    } catch (error) {
      if (isAbsent(error)) return;
      throw fileError(error, `list ${prefix || 'everything'} in ${this.#root}`);
    }
  }

  async remove(name: string): Promise<void> {
    checkName(name);
    try {
      await this.#folders.requirePlain(parentOf(name));
      await this.#fileOps.unlink(this.#path(name)).catch(unlessAbsent);
      // Also when it was absent: a removal that a killed process did not flush would come back in a power cut.
      await this.#folders.flush(parentOf(name));
    } catch (error) {
      if (isAbsent(error)) return;
      throw fileError(error, `remove ${name} from ${this.#root}`);
    }
  }

  async now(): Promise<number> {
    try {
      await this.#folders.ensure(PRIVATE_FOLDER);
      const path = this.#temporaryPath();
      const file = await this.#fileOps.create(path);
      try {
        return Math.floor((await this.#fileOps.facts(file)).ctimeMs);
      } finally {
        await this.#fileOps.close(file);
        await discard(this.#fileOps, path);
      }
    } catch (error) {
      throw fileError(error, `ask the file system of ${this.#root} for its time`);
    }
  }

  async sweepTemporaries(): Promise<SweepResult> {
    try {
      const now = await this.now();
      return await sweepFolder(this.#fileOps, this.#processes, join(this.#root, PRIVATE_FOLDER), now);
    } catch (error) {
      throw fileError(error, `remove abandoned temporaries below ${this.#root}`);
    }
  }

  async #requireSame(name: string, parts: readonly Uint8Array[], size: number): Promise<void> {
    const facts = await this.#fileOps.lstat(this.#path(name));
    invariant(!facts.isDirectory(), `${name} is a folder of the store and cannot be an object as well`);
    if (!sameBytes(await this.#read(name), parts, size)) throw alreadyExists(name, this.description);
  }

  async #read(name: string, range?: ByteRange, spare?: Uint8Array): Promise<Uint8Array> {
    await this.#folders.requirePlain(parentOf(name));
    const file = await this.#fileOps.open(this.#path(name));
    try {
      const { size } = this.#requireFile(name, await this.#fileOps.facts(file));
      const wanted = resolveRange(name, size, range);
      const bytes = await readExactly(this.#fileOps, file, wanted, spare);
      resolveRange(name, wanted.offset + bytes.byteLength, wanted.length === 0 ? undefined : wanted);
      return bytes;
    } finally {
      await this.#fileOps.close(file);
    }
  }

  #requireFile(name: string, facts: FileFacts): FileFacts {
    if (facts.isDirectory()) throw notFound(name, this.description);
    if (facts.isFile()) return facts;
    throw new HoldfastError('damaged', `${name} in ${this.#root} is a symbolic link or a special file: wanted a plain file`, { data: { name } });
  }

  /** Runs a reading operation; what is not there is `not-found`. */
  async #present<T>(name: string, doing: string, operation: () => Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      if (isAbsent(error)) throw notFound(name, this.description);
      throw fileError(error, `${doing} ${name} in ${this.#root}`, { reading: true });
    }
  }

  #path(name: string): string {
    return join(this.#root, name);
  }

  #temporaryPath(): string {
    return join(this.#root, PRIVATE_FOLDER, this.#newName());
  }
}

/** `EISDIR`: a folder of objects has that name, so no object has. */
function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(errnoOf(error) ?? '');
}

function unlessAbsent(error: unknown): void {
  if (!isAbsent(error)) throw error;
}
