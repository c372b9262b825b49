import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import type { ByteString } from '../model/byte-string.ts';
import { display, fsPath } from '../model/byte-string.ts';
import { invariant, isHoldfastError } from '../model/errors.ts';
import { describeFile, problemOf } from '../engine/crunch-files.ts';
import { FILE_STATUS } from '../engine/crunch-settings.ts';
import type { FilesResult } from '../engine/crunch-settings.ts';
import type { XattrReader } from '../engine/xattrs.ts';
import { ByteReader, ByteWriter, FLAG, encodeFileWithRefs } from '../repository/index.ts';
import type { Xattr } from '../repository/index.ts';
import type { TreeOptions } from '../sources/source.ts';
import type { PassRun } from './backup-run.ts';
import { ChangeDetector } from './change-detection.ts';
import { directoryXattrs, otherBody, unreadableBody } from './entry-bodies.ts';
import { Outbox } from './outbox.ts';
import type { OutItem } from './outbox.ts';
import { PreviousCursor } from './previous-cursor.ts';
import type { MergedRecord } from './tree-builder.ts';
import { isUnchangedFile } from './unchanged.ts';
import { UnusablePacks } from './unusable-packs.ts';
import { TreeWalk } from './walk.ts';
import type { WalkRoot, Walked } from './walk.ts';

const BATCH_FILES = 256;
const BATCH_BYTES = 8 << 20;
/** Longer files are cut by the feeder and crunched by all threads. */
const STREAM_LANE_BYTES = 64 << 20;
/** Sockets and such need no content; of everything else the walk yields at most this much before others get a turn. */
const DRAIN_EVERY = 2048;
/** Descriptors of very deep directories that wait to be closed. */
const MAX_RETIRED = 128;

export interface TreePassOptions {
  readonly roots: readonly WalkRoot[];
  readonly options: TreeOptions;
  readonly isExcluded: (path: ByteString, isDirectory: boolean) => boolean;
  readonly readXattrs: XattrReader | undefined;
  /** A full backup reads everything again. */
  readonly isFull: boolean;
}

interface PendingFile {
  readonly item: OutItem;
  readonly walked: Walked;
}

/** One pass over trees: walk beside the predecessor's records, read what is new or changed, write the new tree. */
export class TreePass {
  readonly #run: PassRun;
  readonly #options: TreePassOptions;
  readonly #outbox: Outbox;
  readonly #cursor: PreviousCursor;
  readonly #detector: ChangeDetector;
  readonly #unusable: UnusablePacks;
  #batch: PendingFile[] = [];
  #batchBytes = 0;
  readonly #underWay = new Set<Promise<void>>();

  constructor(run: PassRun, options: TreePassOptions) {
    this.#run = run;
    this.#options = options;
    this.#outbox = new Outbox(run.builder);
    this.#cursor = new PreviousCursor(run.previous);
    this.#detector = new ChangeDetector(options.isFull ? 'content' : options.options.changeDetection);
    this.#unusable = new UnusablePacks(run.previous, run.session);
  }

  async perform(): Promise<void> {
    const walk = new TreeWalk({
      isExcluded: this.#options.isExcluded,
      oneFileSystem: this.#options.options.isOneFileSystem,
      followSymlinks: this.#options.options.isFollowingSymlinks,
      onProblem: ({ path, code, message }) => this.#warn(path, code, message),
    });
    try {
      for (const root of this.#options.roots) await this.#walkRoot(walk, root);
      await this.#finishReading();
      await this.#cursor.drain((record) => this.#gone(record));
      await this.#outbox.drain();
      invariant(this.#outbox.length === 0, `${this.#outbox.length} entries of the walk were never read`);
    } finally {
      await Promise.allSettled(this.#underWay);
      walk.close();
    }
  }

  async #walkRoot(walk: TreeWalk, root: WalkRoot): Promise<void> {
    let sinceDrain = 0;
    for (const walked of walk.walk(root)) {
      if (!this.#cursor.isReady(walked.path)) await this.#cursor.load(walked.path);
      const previous = this.#cursor.seek(walked.path, (record) => this.#gone(record));
      const slow = this.#meet(walked, previous);
      if (slow) await slow;
      if (walk.retired >= MAX_RETIRED) {
        await this.#finishReading();
        walk.closeRetired();
      }
      if (++sinceDrain < DRAIN_EVERY) continue;
      sinceDrain = 0;
      this.#run.signal.throwIfAborted();
      await this.#outbox.drain();
      this.#run.report('storing');
    }
  }

  #meet(walked: Walked, previous: MergedRecord | undefined): Promise<void> | undefined {
    this.#run.counters.entries++;
    if (walked.stats.isFile()) return this.#meetFile(walked, previous);
    if (walked.stats.isDirectory()) this.#run.counters.directories++;
    this.#outbox.push(this.#otherItem(walked, previous));
    return undefined;
  }

  #otherItem(walked: Walked, previous: MergedRecord | undefined): OutItem {
    const { path } = walked;
    try {
      const body = otherBody(walked, previous?.body, walked.stats.isDirectory() ? this.#xattrsOf(walked) : []);
      const isSame = previous !== undefined && body === previous.body;
      return { path, previous, state: isSame ? 'keep' : 'put', body };
    } catch (error) {
      const problem = problemOf(error);
      if (!problem) throw error;
      this.#run.counters.entries--;
      if (previous) this.#run.counters.removedEntries++;
      this.#warn(path, 'vanished', problem.message);
      return { path, previous, state: 'gone' };
    }
  }

  #xattrsOf({ path, access }: Walked): readonly Xattr[] {
    const { readXattrs } = this.#options;
    if (!readXattrs) return [];
    const { xattrs, problem } = directoryXattrs(access, readXattrs);
    if (problem) this.#warn(path, problem.code, problem.message);
    return xattrs;
  }

  #meetFile(walked: Walked, previous: MergedRecord | undefined): Promise<void> | undefined {
    const { counters } = this.#run;
    counters.files++;
    const mode = this.#detector.modeFor(walked.stats.dev, walked.access);
    if (previous && isUnchangedFile(previous.body, walked.stats, mode) && !this.#unusable.touch(previous)) {
      counters.unchangedFiles++;
      counters.bytes += walked.stats.size;
      this.#outbox.push({ path: walked.path, previous, state: 'keep' });
      return undefined;
    }
    const item: OutItem = { path: walked.path, previous, state: 'waiting' };
    this.#outbox.push(item);
    if (walked.stats.size > STREAM_LANE_BYTES) return this.#readLarge({ item, walked });
    this.#batch.push({ item, walked });
    this.#batchBytes += walked.stats.size;
    return this.#batch.length >= BATCH_FILES || this.#batchBytes >= BATCH_BYTES ? this.#sendBatch() : undefined;
  }

  async #sendBatch(): Promise<void> {
    const batch = this.#batch;
    if (batch.length === 0) return;
    this.#run.signal.throwIfAborted();
    this.#batch = [];
    this.#batchBytes = 0;
    await this.#run.loadKnownChunks();
    await this.#run.checkpointIfDue();
    while (this.#underWay.size >= this.#run.pool.width) {
      await Promise.race(this.#underWay);
      await this.#outbox.drain();
    }
    const job = this.#run.pool.files(batch.map(({ walked }) => walked.access)).then((result) => this.#receive(batch, result));
    this.#underWay.add(job);
    // A job that failed stays: whoever awaits the set next learns of it, however long after.
    job.then(
      () => this.#underWay.delete(job),
      () => undefined,
    );
  }

  /** Everything that was met so far is read and encoded. */
  async #finishReading(): Promise<void> {
    await this.#sendBatch();
    await Promise.all(this.#underWay);
  }

  #receive(batch: readonly PendingFile[], result: FilesResult): void {
    const reader = new ByteReader(result.bodies, 'answer of a thread');
    for (const { item, walked } of batch) {
      const status = reader.u8();
      const body = reader.bytes(reader.u32());
      this.#settle(item, walked, status, body);
      item.packs = result.packs;
    }
    for (const { index, code, message } of result.notes) this.#warn(batch[index]?.item.path ?? ('' as ByteString), code, message);
    this.#run.count(result.counters);
    this.#run.counters.bytes += result.counters.readBytes;
  }

  #settle(item: OutItem, walked: Walked, status: number, body: Uint8Array): void {
    const { counters } = this.#run;
    if (status === FILE_STATUS.gone) {
      counters.files--;
      counters.entries--;
      if (item.previous) counters.removedEntries++;
      item.state = 'gone';
      return;
    }
    if (item.previous) counters.changedFiles++;
    else counters.newFiles++;
    const stored = status === FILE_STATUS.stored ? body : unreadableBody(walked.stats);
    const isSame = item.previous && Buffer.compare(item.previous.body, stored) === 0;
    item.state = isSame ? 'keep' : 'put';
    item.body = stored;
  }

  /** Through the stream lane, one at a time: all threads work on it. */
  async #readLarge({ item, walked }: PendingFile): Promise<void> {
    let fd: number | undefined;
    try {
      fd = openSync(fsPath(walked.access), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      const before = fstatSync(fd, { bigint: true });
      if (!before.isFile()) return this.#missed(item, walked, { isGone: true, message: 'it is no longer a regular file' });
      const body = await this.#crunchLarge(item, fd, before);
      this.#settle(item, walked, FILE_STATUS.stored, body);
    } catch (error) {
      // A read that failed comes back from a thread.
      const problem = isHoldfastError(error, 'source-failed') ? { isGone: false, message: error.message } : problemOf(error);
      if (!problem) throw error;
      this.#missed(item, walked, problem);
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  async #crunchLarge(item: OutItem, fd: number, before: BigIntStats): Promise<Uint8Array> {
    const startedAt = this.#run.now();
    const { bytes, sha256, list, packs } = await this.#run.readStream({ fd, sizes: 'files' });
    const after = fstatSync(fd, { bigint: true });
    const hasChanged = before.mtimeNs !== after.mtimeNs || before.ctimeNs !== after.ctimeNs || BigInt(bytes) !== after.size;
    if (hasChanged) this.#warn(item.path, 'changed-while-read', 'the file changed while it was read; what was read is kept, and it is read again next time');
    const { xattrs, problem } = this.#options.readXattrs?.(fd) ?? { xattrs: [] };
    if (problem) this.#warn(item.path, problem.code, problem.message);
    const described = describeFile(after, { size: bytes, startedAt, hasChanged, sha256 }, xattrs);
    const writer = new ByteWriter(list.refs.length + 256);
    encodeFileWithRefs({ ...described, flags: described.flags | (list.isListed ? FLAG.listed : 0) }, list.count, list.refs, writer);
    item.packs = packs;
    return writer.finish();
  }

  #missed(item: OutItem, walked: Walked, { isGone, message }: { readonly isGone: boolean; readonly message: string }): void {
    this.#settle(item, walked, isGone ? FILE_STATUS.gone : FILE_STATUS.unreadable, new Uint8Array(0));
    this.#warn(item.path, isGone ? 'vanished' : 'unreadable', message);
  }

  #gone(record: MergedRecord): void {
    this.#run.counters.removedEntries++;
    this.#outbox.push({ path: record.path, previous: record, state: 'gone' });
  }

  #warn(path: ByteString, code: string, message: string): void {
    this.#run.warnings.push({ code, path: display(path), message });
  }
}
