import { dirname, join } from 'node:path';
import { HoldfastError, invariant } from '../../model/errors.ts';
import { errnoOf } from './file-error.ts';
import type { FileOps } from './file-ops.ts';
import { FolderSync } from './folder-sync.ts';

/**
 * The folders of a vault. A folder counts as ready once it is a real folder (never a symbolic link) and its entry in
 * the parent was flushed *by this process*: one that merely exists may have been made by a process that was killed
 * before its flush, and would vanish in a power cut together with everything in it.
 */
export class Folders {
  readonly #root: string;
  readonly #fileOps: FileOps;
  readonly #sync: FolderSync;
  readonly #ready = new Map<string, Promise<void>>();
  readonly #plain = new Set<string>(['']);
  #rootReady: Promise<void> | undefined;

  constructor(root: string, fileOps: FileOps) {
    this.#root = root;
    this.#fileOps = fileOps;
    this.#sync = new FolderSync(fileOps);
  }

  /** Makes a folder and those above it, durably; `folder` is relative to the root, `''` is the root itself. */
  ensure(folder: string): Promise<void> {
    const known = this.#ready.get(folder);
    if (known !== undefined) return known;
    const making = folder === '' ? this.#ensureRoot() : this.#make(folder);
    this.#ready.set(folder, making);
    making.catch(() => this.#ready.delete(folder));
    return making;
  }

  /** After an object in it was published or removed. */
  flush(folder: string): Promise<void> {
    return this.#sync.sync(join(this.#root, folder));
  }

  /** Something that was ready is gone: look again next time. The root is never made twice: see `#ensureRoot`. */
  forget(): void {
    this.#ready.clear();
    this.#plain.clear();
    this.#plain.add('');
  }

  /** Reading does not go through symbolic links either: the listing would not show what is behind them. */
  async requirePlain(folder: string): Promise<void> {
    if (this.#plain.has(folder)) return;
    await this.requirePlain(parentOf(folder));
    const facts = await this.#fileOps.lstat(join(this.#root, folder));
    if (facts.isSymbolicLink()) throw linkInVault(join(this.#root, folder));
    if (facts.isDirectory()) this.#plain.add(folder);
  }

  async #make(folder: string): Promise<void> {
    const parent = parentOf(folder);
    await this.ensure(parent);
    await this.#makeOne(join(this.#root, folder));
    await this.requirePlain(folder);
    await this.flush(parent);
  }

  async #makeOne(path: string): Promise<void> {
    try {
      await this.#fileOps.makeFolder(path);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      const facts = await this.#fileOps.lstat(path);
      invariant(!facts.isFile(), `${path} is an object and cannot be a folder as well`);
      if (!facts.isDirectory()) throw linkInVault(path);
    }
  }

  /**
   * Made once at most: when the root was there and is not any more, its disk was unmounted, and making it again would
   * fill the mount point below with a vault that nobody finds.
   */
  #ensureRoot(): Promise<void> {
    this.#rootReady ??= this.#makeRoot(this.#root);
    this.#rootReady.catch(() => (this.#rootReady = undefined));
    return this.#rootReady;
  }

  async #makeRoot(path: string): Promise<void> {
    const parent = dirname(path);
    if (!(await this.#exists(path))) {
      if (parent !== path) await this.#makeRoot(parent);
      await this.#fileOps.makeFolder(path).catch(unlessCode('EEXIST'));
    } else if (path !== this.#root) return;
    // A root that was there already may lie in a folder that we cannot open: whoever made it has flushed it.
    await this.#sync.sync(parent).catch(unlessCode('EACCES'));
  }

  async #exists(path: string): Promise<boolean> {
    const found = await this.#fileOps.lstat(path).catch(unlessCode('ENOENT'));
    return found !== undefined;
  }
}

/** Rethrows every error but the one that is expected. */
function unlessCode(code: string): (error: unknown) => undefined {
  return (error) => {
    if (errnoOf(error) !== code) throw error;
    return undefined;
  };
}

export function parentOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('/')));
}

function linkInVault(path: string): HoldfastError {
  return new HoldfastError('damaged', `${path} is in the way: wanted a plain folder, which a vault never reaches through symbolic links or files`, {
    nextStep: 'Move it away; to spread a vault over several disks use a bind mount.',
    data: { path },
  });
}
