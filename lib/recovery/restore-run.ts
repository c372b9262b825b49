import type { ByteString } from '../model/byte-string.ts';
import { display } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import { ENTRY, FLAG, isSnapshotFile } from '../repository/index.ts';
import type { ChunkRef, SnapshotEntry, SnapshotFile, SnapshotReader } from '../repository/index.ts';
import { ContentWriter } from './content-writer.ts';
import { CREATE, neverRestored } from './decision.ts';
import type { Decision } from './decision.ts';
import { walkEntries } from './entry-walk.ts';
import { discardFile, finishFile } from './file-task.ts';
import type { FileTask, Refusal } from './file-task.ts';
import { FolderWalk } from './folder-walk.ts';
import { LinkGroups, makeLink } from './link-groups.ts';
import type { LinkTask } from './link-groups.ts';
import { MetadataRules } from './metadata.ts';
import { isLoss } from './pack-jobs.ts';
import { latin1 } from './piece-window.ts';
import { nameOf, throwIfInterrupted } from './plan-entries.ts';
import { refusing } from './restore-errors.ts';
import type { RestoreLimits } from './restore-limits.ts';
import type { RestorePlan } from './restore-plan.ts';
import type { ReportBuilder, RestoreProgress } from './restore-report.ts';
import { selectEntries } from './selection.ts';
import { makeSpecial, makeSymlink } from './special-nodes.ts';
import type { NodePlace } from './special-nodes.ts';
import type { Folder, TargetFolders } from './target-folders.ts';
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
  readonly limits: RestoreLimits;
  readonly setXattrs: XattrWriter | undefined;
  readonly restoreOwner?: boolean;
  readonly fsync?: 'end' | 'file' | 'none';
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (progress: RestoreProgress) => void;
}

/** One execution of a plan: walks the entries in order, makes what is small at once, hands contents to the writer. */
export class RestoreRun {
  readonly #options: RestoreRunOptions;
  readonly #writer: ContentWriter;
  readonly #links = new LinkGroups();
  readonly #rules: MetadataRules;
  readonly #walk: FolderWalk;
  readonly #startedAt: number;
  #writtenBytes = 0;
  /** Of further names of hard-linked files: nothing is written for them, and the totals of the backup count them. */
  #linkedBytes = 0;

  constructor(options: RestoreRunOptions) {
    this.#options = options;
    const { folders, report, plan } = options;
    this.#rules = new MetadataRules(report, options.restoreOwner, options.setXattrs);
    this.#walk = new FolderWalk({ folders, report, rules: this.#rules, flushes: options.fsync === 'file', setsKept: plan.overwrite === 'changed', isKnown: (path) => plan.exceptions.has(path) && plan.exceptions.get(path)?.action !== 'delete-extra' });
    this.#startedAt = options.clock.now();
    this.#writer = new ContentWriter({
      ...options,
      signal: options.signal,
      onFinished: (task) => this.#finishTask(task),
      onProgress: (bytes) => {
        this.#writtenBytes = bytes;
        this.#tellProgress();
      },
      onOwnerDenied: (_count, { path }) => this.#rules.warnOwner(path),
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
      this.#walk.leaveUntil(undefined);
      await this.#writer.finish();
      this.#tellProgress();
    } catch (error) {
      await this.#writer.abandon();
      throw error;
    }
    this.#walk.release(this.#options.folders.root);
  }

  /** A promise only when it must wait, so that most entries cost no turn of the event loop. */
  #restore(entry: SnapshotEntry): Promise<void> | undefined {
    this.#walk.leaveUntil(entry.path);
    const planned = this.#options.plan.exceptions.get(entry.path);
    const decision: Decision = planned ?? neverRestored(entry) ?? CREATE;
    if (entry.path === '') return entry.type === ENTRY.directory ? void this.#walk.enterRoot(entry, decision) : undefined;
    const level = this.#walk.above(entry.path);
    if (level.refusal) return void this.#refuse(entry, level.refusal, level.barrier ?? level.path);
    if (decision.action === 'conflict') return void this.#refuse(entry, { kind: 'conflict', reason: decision.reason }, undefined);
    if (decision.left === 'different' && entry.type === ENTRY.directory) this.#options.report.skipped.push({ ...decision, path: entry.path, bytes: 0 });
    if (entry.type === ENTRY.directory) return void this.#walk.enter(entry, level.folder as Folder, decision);
    if (decision.action === 'skip') return void this.#options.report.skipped.push({ ...decision, path: entry.path, bytes: 'size' in entry ? entry.size : 0 });
    return this.#place(entry, level.folder as Folder, decision.action === 'overwrite');
  }

  #place(entry: SnapshotEntry, folder: Folder, isReplacing: boolean): Promise<void> | undefined {
    if (isSnapshotFile(entry)) return this.#placeFile(entry, folder, isReplacing);
    if (entry.type === ENTRY.directory) return undefined;
    const refusal = refusing(entry.path, () => {
      const folderFd = this.#options.folders.acquire(folder);
      try {
        const place: NodePlace = { folderFd, name: nameOf(entry.path), isReplacing, owner: this.#rules.setsOwner ? entry : undefined };
        const isOwned = entry.type === ENTRY.symlink ? makeSymlink(entry, place) : makeSpecial(entry, place);
        if (!isOwned) this.#rules.warnOwner(entry.path);
        this.#options.report.restored.entries++;
      } finally {
        this.#options.folders.release(folder);
      }
    });
    if (refusal) this.#options.report.refuse(entry.path, refusal);
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
    task.refusal = loss ?? task.refusal;
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
      ...this.#rules.of(entry, folder),
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

  #finishTask(task: FileTask): void {
    const { folders, report } = this.#options;
    if (task.refusal) discardFile(task, folders);
    else if (!task.isWhole) task.refusal = refusing(task.path, () => this.#finishHeld(task));
    if (task.refusal) report.refuse(task.path, task.refusal);
    else {
      report.restored.entries++;
      report.restored.files++;
    }
    if (task.group !== undefined) for (const link of this.#links.settle(task.group)) this.#link(link, task);
    this.#walk.release(task.folder);
  }

  #finishHeld(task: FileTask): void {
    if (!task.held) return;
    try {
      const isOwned = finishFile(task, task.held, this.#options.folders, (fd) => this.#rules.setXattrs(fd, task.path, task.xattrs ?? []));
      if (!isOwned) this.#rules.warnOwner(task.path);
    } catch (error) {
      discardFile(task, this.#options.folders);
      throw error;
    }
  }

  #link(link: LinkTask, leader: FileTask): void {
    const { report, folders } = this.#options;
    const lost: Refusal | undefined = leader.refusal && { kind: leader.refusal.kind, reason: `it is another name of ${display(leader.path)}, which was not restored: ${leader.refusal.reason}` };
    const refusal = lost ?? refusing(link.path, () => makeLink(link, leader, folders));
    if (refusal) report.refuse(link.path, refusal);
    else {
      report.restored.entries++;
      report.restored.files++;
      this.#linkedBytes += leader.size;
    }
    this.#walk.release(link.folder);
  }

  #refuse(entry: SnapshotEntry, refusal: Refusal, below: ByteString | undefined): void {
    const reason = below === undefined ? refusal.reason : `nothing can be restored below ${display(below)}: ${refusal.reason}`;
    this.#options.report.refuse(entry.path, { kind: refusal.kind, reason }, below);
    if (entry.type === ENTRY.directory) this.#walk.bar(entry.path, refusal, below ?? entry.path);
  }

  #tellProgress(): void {
    const { report, plan, clock, onProgress } = this.#options;
    report.restored.bytes = this.#writtenBytes + this.#linkedBytes;
    if (!onProgress) return;
    const { create, overwrite } = plan.totals;
    const totalBytes = create.bytes + overwrite.bytes;
    const seconds = (clock.now() - this.#startedAt) / 1000;
    const done = report.restored.bytes;
    const etaSeconds = seconds < 1 || done === 0 ? undefined : Math.max(0, (seconds * (totalBytes - done)) / done);
    onProgress({ files: report.restored.files, totalFiles: create.files + overwrite.files, bytes: done, totalBytes, etaSeconds });
  }
}
