import { fchmodSync, fsyncSync } from 'node:fs';
import type { ByteString } from '../model/byte-string.ts';
import type { DirectoryBody, SnapshotEntry } from '../repository/index.ts';
import type { Decision } from './decision.ts';
import { errnoOf } from './errno.ts';
import type { Refusal } from './file-task.ts';
import type { MetadataRules } from './metadata.ts';
import { holds, nameOf } from './plan-entries.ts';
import { refusing } from './restore-errors.ts';
import type { ReportBuilder } from './restore-report.ts';
import type { Folder, TargetFolders } from './target-folders.ts';
import { removeTemporaries } from './leftovers.ts';
import { setMetadata } from './write-files.ts';

/** A directory that the walk is in. */
export interface Level {
  readonly path: ByteString;
  /** Undefined when something bars the way into it. */
  readonly folder: Folder | undefined;
  readonly refusal: Refusal | undefined;
  /** The uppermost directory that something bars. */
  readonly barrier?: ByteString | undefined;
}

export interface FolderWalkOptions {
  readonly folders: TargetFolders;
  readonly report: ReportBuilder;
  readonly rules: MetadataRules;
  readonly flushes: boolean;
  /** Directories that are there get the backup's metadata even when they have it now: entries will change it. */
  readonly setsKept: boolean;
  /** The backup itself has an entry of that path, and the target too. */
  readonly isKnown: (path: ByteString) => boolean;
}

/** The directories from the target down to where the walk is; each gets its own metadata when its last entry is done. */
export class FolderWalk {
  readonly #options: FolderWalkOptions;
  readonly #levels: Level[] = [];

  constructor(options: FolderWalkOptions) {
    this.#options = options;
  }

  enterRoot(body: DirectoryBody, { action }: Decision): void {
    const { folders, setsKept } = this.#options;
    if (action !== 'skip' || setsKept) folders.root.body = body;
    this.#tidy(folders.root);
    this.#levels.push({ path: '' as ByteString, folder: folders.root, refusal: undefined });
  }

  enter(entry: SnapshotEntry & DirectoryBody, parent: Folder, { action }: Decision): void {
    const refusal = refusing(entry.path, () => {
      const { folder, isNew } = this.#make(parent, nameOf(entry.path));
      const isKept = action === 'skip' && this.#options.setsKept;
      if (action === 'overwrite' || isKept || isNew) folder.body = entry;
      this.#levels.push({ path: entry.path, folder, refusal: undefined });
    });
    if (!refusal) return;
    this.#options.report.refuse(entry.path, refusal);
    this.bar(entry.path, refusal, entry.path);
  }

  /** Nothing can be restored below it. */
  bar(path: ByteString, refusal: Refusal, barrier: ByteString): void {
    this.#levels.push({ path, folder: undefined, refusal, barrier });
  }

  /** Directories whose records are missing (damaged tree, sources without a common root) are made as they come. */
  above(path: ByteString): Level {
    if (this.#levels.length === 0) this.#levels.push({ path: '' as ByteString, folder: this.#options.folders.root, refusal: undefined });
    let level = this.#levels.at(-1) as Level;
    for (let end = path.indexOf('/', level.path.length + 1); end > 0; end = path.indexOf('/', end + 1)) {
      level = this.#implied(path.slice(0, end) as ByteString, level);
      this.#levels.push(level);
    }
    return level;
  }

  leaveUntil(path: ByteString | undefined): void {
    for (let level = this.#levels.at(-1); level && !(path !== undefined && holds(level.path, path)); level = this.#levels.at(-1)) {
      this.#levels.pop();
      if (level.folder?.parent) this.release(level.folder);
    }
  }

  /** One entry less is open in it; the last one sets the directory's own metadata, which the entries would disturb. */
  release(folder: Folder): void {
    const { folders, report } = this.#options;
    for (let current: Folder | undefined = folder; current && --current.pending === 0; current = current.parent) {
      const finished = current;
      const refusal = refusing(finished.path, () => this.#finish(finished));
      if (refusal) report.refuse(finished.path, refusal);
      if (finished.parent) folders.close(finished);
    }
  }

  #implied(path: ByteString, parent: Level): Level {
    let folder: Folder | undefined;
    const refusal = parent.refusal ?? refusing(path, () => ({ folder } = this.#make(parent.folder as Folder, nameOf(path))));
    return { path, folder, refusal, barrier: parent.barrier ?? (refusal && path) };
  }

  #make(parent: Folder, name: ByteString): { folder: Folder; isNew: boolean } {
    const made = this.#options.folders.make(parent, name);
    parent.pending++;
    if (!made.isNew) this.#tidy(made.folder);
    return made;
  }

  #tidy(folder: Folder): void {
    const { folders, report, isKnown } = this.#options;
    const fd = folders.acquire(folder);
    try {
      report.leftovers += removeTemporaries(fd, (name) => isKnown((folder.path === '' ? name : `${folder.path}/${name}`) as ByteString));
    } finally {
      folders.release(folder);
    }
  }

  #finish(folder: Folder): void {
    const { body } = folder;
    if (!body) return this.#unmark(folder);
    const { folders, report, rules, flushes } = this.#options;
    const fd = folders.acquire(folder);
    try {
      if (body.xattrs) rules.setXattrs(fd, folder.path, body.xattrs);
      if (!setMetadata(fd, rules.of(body, folder.parent))) rules.warnOwner(folder.path);
      if (flushes) fsyncSync(fd);
      report.restored.entries++;
    } catch (error) {
      // Who restores may write into the target without owning it.
      if (folder.parent || errnoOf(error) !== 'EPERM') throw error;
      report.warn('The mode and times of the target itself belong to somebody else and were left as they are', folder.path);
    } finally {
      folders.release(folder);
    }
  }

  /** Directories that the backup has no record of. */
  #unmark(folder: Folder): void {
    if (folder.unmarkedMode === undefined) return;
    const { folders } = this.#options;
    fchmodSync(folders.acquire(folder), folder.unmarkedMode);
    folders.release(folder);
  }
}
