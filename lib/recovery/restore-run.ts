import { fsyncSync } from 'node:fs';
import type { ByteString } from '../model/byte-string.ts';
import { display } from '../model/byte-string.ts';
import { ENTRY, FLAG, isSnapshotFile } from '../repository/index.ts';
import type { ChunkRef, DirectoryBody, EntryBody, SnapshotEntry, SnapshotFile, SnapshotReader, Xattr } from '../repository/index.ts';
import type { Clock } from '../model/clock.ts';
import { ContentWriter, refusalOf } from './content-writer.ts';
import { CREATE, neverRestored } from './decision.ts';
import type { Decision } from './decision.ts';
import { walkEntries } from './entry-walk.ts';
import { errnoOf, isFatal } from './errno.ts';
import { discardFile, finishFile } from './file-task.ts';
import type { FileTask, Refusal } from './file-task.ts';
import { LinkGroups, makeLink } from './link-groups.ts';
import type { LinkTask } from './link-groups.ts';
import { isLoss } from './pack-jobs.ts';
import { latin1 } from './piece-window.ts';
import type { WindowLimits } from './piece-window.ts';
import { holds, nameOf, throwIfInterrupted } from './plan-entries.ts';
import { osError } from './restore-errors.ts';
import type { RestorePlan } from './restore-plan.ts';
import type { ReportBuilder } from './restore-report.ts';
import type { RestoreProgress } from './restore.ts';
import { selectEntries } from './selection.ts';
import { makeSpecial, makeSymlink } from './special-nodes.ts';
import type { NodePlace } from './special-nodes.ts';
import type { Folder, TargetFolders } from './target-folders.ts';
import { secondsOf } from './times.ts';
import { setMetadata } from './write-files.ts';
import { WRITE } from './write-job.ts';
import type { WritePool } from './write-pool.ts';
import type { XattrWriter } from './xattrs.ts';

export interface RestoreRunOptions {
  readonly reader: SnapshotReader;
  readonly plan: RestorePlan;
  readonly folders: TargetFolders;
  readonly pool: WritePool;
  readonly report: ReportBuilder;
  readonly clock: Pick<Clock, 'now'>;
  readonly limits: WindowLimits;
  readonly setXattrs: XattrWriter | undefined;
  readonly restoreOwner?: boolean;
  readonly fsync?: 'end' | 'file' | 'none';
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: RestoreProgress) => void;
}

/** A directory that the walk is in. */
interface Level {
  readonly path: ByteString;
  /** Undefined when something bars the way into it. */
  readonly folder: Folder | undefined;
  readonly refusal: Refusal | undefined;
}

/** One execution of a plan: walks the entries in order, makes what is small at once, hands contents to the writer. */
export class RestoreRun {
  readonly #options: RestoreRunOptions;
  readonly #writer: ContentWriter;
  readonly #links = new LinkGroups();
  readonly #levels: Level[] = [];
  readonly #euid = process.geteuid?.() ?? -1;
  readonly #egid = process.getegid?.() ?? -1;
  readonly #setsOwner: boolean;
  readonly #startedAt: number;

  constructor(options: RestoreRunOptions) {
    this.#options = options;
    this.#setsOwner = options.restoreOwner ?? this.#euid === 0;
    this.#startedAt = options.clock.now();
    this.#writer = new ContentWriter({
      ...options,
      signal: options.signal,
      onFinished: (task) => this.#finishTask(task),
      onProgress: (bytes) => this.#count(bytes),
      onOwnerDenied: (_count, { path }) => this.#warnOwner(path),
    });
  }

  async perform(): Promise<void> {
    const { reader, plan, report, signal } = this.#options;
    try {
      for await (const batch of walkEntries(reader, selectEntries(plan.patterns), (damage) => report.treeDamage.push(damage))) {
        throwIfInterrupted(signal);
        for (const entry of batch) {
          const waiting = this.#restore(entry);
          if (waiting) await waiting;
        }
      }
      this.#leaveUntil(undefined);
      await this.#writer.finish();
    } catch (error) {
      await this.#writer.abandon();
      throw error;
    }
    this.#release(this.#options.folders.root);
  }

  /** A promise only when it must wait, so that most entries cost no turn of the event loop. */
  #restore(entry: SnapshotEntry): Promise<void> | undefined {
    this.#leaveUntil(entry.path);
    const planned = this.#options.plan.exceptions.get(entry.path);
    const decision: Decision = planned ?? neverRestored(entry) ?? CREATE;
    if (entry.path === '') return void this.#enterRoot(entry, decision);
    const level = this.#levelAbove(entry.path);
    if (level.refusal) return void this.#refuse(entry, level.refusal, level.path);
    if (decision.action === 'conflict') return void this.#refuse(entry, { kind: 'conflict', reason: decision.reason }, undefined);
    if (entry.type === ENTRY.directory) return void this.#enter(entry, level.folder as Folder, decision);
    if (decision.action === 'skip') return void this.#options.report.skipped.push({ ...decision, path: entry.path, bytes: 'size' in entry ? entry.size : 0 });
    return this.#place(entry, level.folder as Folder, decision.action === 'overwrite');
  }

  #place(entry: SnapshotEntry, folder: Folder, isReplacing: boolean): Promise<void> | undefined {
    if (isSnapshotFile(entry)) return this.#placeFile(entry, folder, isReplacing);
    if (entry.type === ENTRY.directory) return undefined;
    this.#trying(entry.path, () => {
      const folderFd = this.#options.folders.acquire(folder);
      try {
        const place: NodePlace = { folderFd, name: nameOf(entry.path), isReplacing, owner: this.#setsOwner ? entry : undefined };
        const isOwned = entry.type === ENTRY.symlink ? makeSymlink(entry, place) : makeSpecial(entry, place);
        if (!isOwned) this.#warnOwner(entry.path);
        this.#options.report.restored.entries++;
      } finally {
        this.#options.folders.release(folder);
      }
    });
    return undefined;
  }

  #placeFile(entry: SnapshotFile, folder: Folder, isReplacing: boolean): Promise<void> | undefined {
    folder.pending++;
    const group = entry.linkGroup && latin1(entry.linkGroup);
    if (group !== undefined) {
      const link: LinkTask = { path: entry.path, folder, name: nameOf(entry.path), isReplacing };
      const found = this.#links.follow(group, link);
      if (found) return void (found.isSettled && this.#link(link, found.leader));
    }
    if (entry.flags & FLAG.listed) return this.#placeListed(entry, folder, isReplacing, group);
    return this.#hand(this.#task(entry, entry.refs, folder, isReplacing, group), entry.refs);
  }

  /** The list of chunks itself lies in chunks. */
  async #placeListed(entry: SnapshotFile, folder: Folder, isReplacing: boolean, group: string | undefined): Promise<void> {
    let refs: readonly ChunkRef[] = [];
    let loss: Refusal | undefined;
    try {
      refs = (await this.#options.reader.chunksOf(entry)).map(({ id, packId, length }) => ({ id, pack: Buffer.from(packId, 'hex'), length }));
    } catch (error) {
      if (!isLoss(error)) throw error;
      loss = { kind: 'damaged', reason: error.message };
    }
    const task = this.#task(entry, refs, folder, isReplacing, group);
    task.refusal = loss;
    await this.#hand(task, refs);
  }

  #hand(task: FileTask, refs: readonly ChunkRef[]): Promise<void> | undefined {
    if (!task.refusal) return this.#writer.add(task, refs);
    this.#finishTask(task);
    return undefined;
  }

  #task(entry: SnapshotFile, refs: readonly ChunkRef[], folder: Folder, isReplacing: boolean, group: string | undefined): FileTask {
    const isSparse = (entry.flags & FLAG.sparse) !== 0;
    const isWhole = refs.length <= 1 && !isSparse && !entry.xattrs;
    const size = refs.length === 1 ? (refs[0] as ChunkRef).length : refs.reduce((sum, ref) => sum + ref.length, 0);
    const isShort = size !== entry.size && !(entry.flags & FLAG.changed);
    const flags = (isReplacing ? WRITE.replace : 0) | (isSparse ? WRITE.sparse : 0) | (this.#options.fsync === 'file' ? WRITE.flush : 0);
    const task: FileTask = {
      path: entry.path,
      folder,
      name: nameOf(entry.path),
      size,
      ...this.#metadata(entry, folder),
      flags,
      xattrs: entry.xattrs,
      group,
      isWhole,
      piecesLeft: Math.max(1, refs.length),
      held: undefined,
      refusal: isShort ? { kind: 'damaged', reason: `its chunks hold ${size} bytes, wanted ${entry.size}` } : undefined,
    };
    if (group !== undefined) this.#links.lead(group, task);
    return task;
  }

  /** `uid` -1 where new files belong to the right owner anyway; setuid only where the owner is or will be right. */
  #metadata(body: EntryBody, folder: Folder | undefined): { mode: number; uid: number; gid: number; mtime: number } {
    const mtime = secondsOf(body);
    const isMine = body.uid === this.#euid && body.gid === this.#egid && folder?.isSetgid === false;
    if (isMine || !this.#setsOwner) return { mode: isMine ? body.mode : body.mode & 0o1777, uid: -1, gid: -1, mtime };
    return { mode: body.mode, uid: body.uid, gid: body.gid, mtime };
  }

  #finishTask(task: FileTask): void {
    const { folders, report } = this.#options;
    if (task.refusal) discardFile(task, folders);
    else if (!task.isWhole) this.#trying(task, () => this.#finishHeld(task));
    if (task.refusal) report.refuse(task.path, task.refusal);
    else {
      report.restored.entries++;
      report.restored.files++;
    }
    if (task.group !== undefined) for (const link of this.#links.settle(task.group)) this.#link(link, task);
    this.#release(task.folder);
  }

  #finishHeld(task: FileTask): void {
    if (!task.held) return;
    try {
      const isOwned = finishFile(task, task.held, this.#options.folders, (fd) => this.#setXattrs(fd, task.path, task.xattrs ?? []));
      if (!isOwned) this.#warnOwner(task.path);
    } catch (error) {
      discardFile(task, this.#options.folders);
      throw error;
    }
  }

  #link(link: LinkTask, leader: FileTask): void {
    if (leader.refusal) this.#options.report.refuse(link.path, { kind: leader.refusal.kind, reason: `it is another name of ${display(leader.path)}, which was not restored: ${leader.refusal.reason}` });
    else {
      this.#trying(link.path, () => {
        makeLink(link, leader, this.#options.folders);
        this.#options.report.restored.entries++;
        this.#options.report.restored.files++;
      });
    }
    this.#release(link.folder);
  }

  #enterRoot(entry: SnapshotEntry, { action }: Decision): void {
    const { root } = this.#options.folders;
    if ((action !== 'skip' || this.#options.plan.overwrite === 'changed') && entry.type === ENTRY.directory) root.body = entry;
    this.#levels.push({ path: entry.path, folder: root, refusal: undefined });
  }

  #enter(entry: SnapshotEntry & DirectoryBody, parent: Folder, decision: Decision): void {
    try {
      const { folder, isNew } = this.#makeFolder(parent, nameOf(entry.path));
      // What equals the backup now will not any more when something is restored into it.
      const isKept = this.#options.plan.overwrite === 'changed' && decision.action === 'skip';
      if (decision.action === 'overwrite' || isKept || (isNew && decision.action === 'create')) folder.body = entry;
      this.#levels.push({ path: entry.path, folder, refusal: undefined });
    } catch (error) {
      const refusal = this.#refusalOf(error, entry.path);
      this.#options.report.refuse(entry.path, refusal);
      this.#levels.push({ path: entry.path, folder: undefined, refusal });
    }
  }

  /** Directories whose records are missing (damaged tree, sources without a common root) are made as they come. */
  #levelAbove(path: ByteString): Level {
    if (this.#levels.length === 0) this.#levels.push({ path: '' as ByteString, folder: this.#options.folders.root, refusal: undefined });
    let level = this.#levels.at(-1) as Level;
    for (let end = path.indexOf('/', level.path.length + 1); end > 0; end = path.indexOf('/', end + 1)) {
      const above = path.slice(0, end) as ByteString;
      let next: Level = { path: above, folder: undefined, refusal: level.refusal };
      try {
        if (level.folder) next = { ...next, folder: this.#makeFolder(level.folder, nameOf(above)).folder };
      } catch (error) {
        next = { ...next, refusal: this.#refusalOf(error, above) };
      }
      this.#levels.push(next);
      level = next;
    }
    return level;
  }

  #makeFolder(parent: Folder, name: ByteString): { folder: Folder; isNew: boolean } {
    const made = this.#options.folders.make(parent, name);
    parent.pending++;
    return made;
  }

  #leaveUntil(path: ByteString | undefined): void {
    for (let level = this.#levels.at(-1); level && !(path !== undefined && holds(level.path, path)); level = this.#levels.at(-1)) {
      this.#levels.pop();
      if (level.folder && level.folder.parent) this.#release(level.folder);
    }
  }

  /** One entry less is open in it; the last one sets the directory's own metadata, which the entries would disturb. */
  #release(folder: Folder): void {
    for (let current: Folder | undefined = folder; current && --current.pending === 0; current = current.parent) {
      const finished = current;
      this.#trying(finished.path, () => this.#finishFolder(finished));
      if (finished.parent) this.#options.folders.close(finished);
    }
  }

  #finishFolder(folder: Folder): void {
    const { body } = folder;
    if (!body) return;
    const { folders, report, fsync } = this.#options;
    const fd = folders.acquire(folder);
    try {
      if (body.xattrs) this.#setXattrs(fd, folder.path, body.xattrs);
      if (!setMetadata(fd, this.#metadata(body, folder.parent))) this.#warnOwner(folder.path);
      if (fsync === 'file') fsyncSync(fd);
      report.restored.entries++;
    } catch (error) {
      // Who restores may write into the target without owning it.
      if (folder.parent || errnoOf(error) !== 'EPERM') throw error;
      report.warn('The mode and times of the target itself belong to somebody else and were left as they are', folder.path);
    } finally {
      folders.release(folder);
    }
  }

  #setXattrs(fd: number, path: ByteString, xattrs: readonly Xattr[]): void {
    const { setXattrs, report } = this.#options;
    if (!setXattrs) return report.warn('Extended attributes (ACLs among them) were not restored: the optional package fs-xattr is not installed', path);
    const refused = setXattrs(fd, xattrs);
    if (refused.length > 0) report.warn(`The file system refused the extended attributes ${refused.join(', ')}`, path);
  }

  #refuse(entry: SnapshotEntry, refusal: Refusal, below: ByteString | undefined): void {
    const reason = below === undefined ? refusal.reason : `nothing can be restored below ${display(below)}: ${refusal.reason}`;
    this.#options.report.refuse(entry.path, { kind: refusal.kind, reason });
    if (entry.type === ENTRY.directory) this.#levels.push({ path: entry.path, folder: undefined, refusal });
  }

  /** An entry that fails is reported and the others go on. */
  #trying(subject: ByteString | FileTask, work: () => void): void {
    try {
      work();
    } catch (error) {
      const path = typeof subject === 'string' ? subject : subject.path;
      const refusal = this.#refusalOf(error, path);
      if (typeof subject === 'string') this.#options.report.refuse(path, refusal);
      else subject.refusal = refusal;
    }
  }

  #refusalOf(error: unknown, path: ByteString): Refusal {
    const errno = errnoOf(error);
    if (isFatal(errno)) throw osError(errno as string, path);
    return refusalOf(errno, error);
  }

  #warnOwner(path: ByteString): void {
    this.#options.report.warn('The owner could not be set, so setuid and setgid were left out', path);
  }

  #count(bytes: number): void {
    const { report, plan, clock, onProgress } = this.#options;
    report.restored.bytes = bytes;
    if (!onProgress) return;
    const { create, overwrite } = plan.totals;
    const totalBytes = create.bytes + overwrite.bytes;
    const seconds = (clock.now() - this.#startedAt) / 1000;
    const done = report.restored.bytes;
    const etaSeconds = seconds < 1 || done === 0 ? undefined : Math.max(0, (seconds * (totalBytes - done)) / done);
    onProgress({ files: report.restored.files, totalFiles: create.files + overwrite.files, bytes: done, totalBytes, etaSeconds });
  }
}
