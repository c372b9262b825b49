import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import type { ByteString } from '../model/byte-string.ts';
import { display, fsPath } from '../model/byte-string.ts';
import { describeFile } from '../engine/crunch-files.ts';
import { FILE_STATUS } from '../engine/crunch-settings.ts';
import type { FilesResult } from '../engine/crunch-settings.ts';
import { ByteReader, ByteWriter, ENTRY, FLAG, decodeBody, encodeFileWithRefs, isFile } from '../repository/index.ts';
import type { TreeOptions } from '../sources/source.ts';
import type { BackupRun } from './backup-run.ts';
import { ChangeDetector } from './change-detection.ts';
import { otherBody, unreadableBody } from './entry-bodies.ts';
import type { XattrReader } from './entry-bodies.ts';
import { Outbox } from './outbox.ts';
import type { OutItem } from './outbox.ts';
import { PreviousCursor } from './previous-cursor.ts';
import type { MergedRecord } from './tree-builder.ts';
import { isUnchangedFile } from './unchanged.ts';
import { TreeWalk } from './walk.ts';
import type { WalkRoot, Walked } from './walk.ts';

const BATCH_FILES = 256;
const BATCH_BYTES = 8 << 20;
/** Longer files are cut by the feeder and crunched by all threads. */
const STREAM_LANE_BYTES = 64 << 20;
/** Sockets and such need no content; of everything else the walk yields at most this much before others get a turn. */
const DRAIN_EVERY = 2048;

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
  readonly #run: BackupRun;
  readonly #options: TreePassOptions;
  readonly #outbox: Outbox;
  readonly #cursor: PreviousCursor;
  readonly #detector: ChangeDetector;
  /** Undefined while all packs of the predecessor may be relied on: the usual case, and then refs need no look. */
  readonly #unusable: Set<string> | undefined;
  #batch: PendingFile[] = [];
  #batchBytes = 0;
  readonly #underWay = new Set<Promise<void>>();

  constructor(run: BackupRun, options: TreePassOptions) {
    this.#run = run;
    this.#options = options;
    this.#outbox = new Outbox(run.builder);
    this.#cursor = new PreviousCursor(run.previous);
    this.#detector = new ChangeDetector(options.isFull ? 'content' : options.options.changeDetection);
    const unusable = [...(run.previous?.manifest.tree.base.packs ?? []), ...(run.previous?.manifest.tree.delta?.packs ?? [])].filter((pack) => !run.session.isUsable(pack));
    this.#unusable = unusable.length > 0 ? new Set(unusable) : undefined;
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
      await this.#sendBatch();
      await Promise.all(this.#underWay);
      await this.#cursor.drain((record) => this.#gone(record));
      await this.#outbox.drain();
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
      if (++sinceDrain < DRAIN_EVERY) continue;
      sinceDrain = 0;
      this.#run.signal.throwIfAborted();
      await this.#outbox.drain();
      await this.#run.checkpointIfDue();
      this.#run.report('storing');
    }
  }

  #meet(walked: Walked, previous: MergedRecord | undefined): Promise<void> | undefined {
    this.#run.counters.entries++;
    if (walked.stats.isFile()) return this.#meetFile(walked, previous);
    if (walked.stats.isDirectory()) this.#run.counters.directories++;
    const body = otherBody(walked.access, walked.stats, previous?.body, this.#options.readXattrs);
    const isSame = previous !== undefined && body === previous.body;
    this.#outbox.push({ path: walked.path, previous, state: isSame ? 'keep' : 'put', body });
    return undefined;
  }

  #meetFile(walked: Walked, previous: MergedRecord | undefined): Promise<void> | undefined {
    const { counters } = this.#run;
    counters.files++;
    const mode = this.#detector.modeFor(walked.stats.dev, walked.access);
    if (previous && isUnchangedFile(previous.body, walked.stats, mode) && !this.#touchesUnusable(previous)) {
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
    this.#batch = [];
    this.#batchBytes = 0;
    await this.#run.loadKnownChunks();
    while (this.#underWay.size >= this.#run.pool.width) {
      await Promise.race(this.#underWay);
      await this.#outbox.drain();
    }
    const job = this.#run.pool.files(batch.map(({ walked }) => walked.access)).then((result) => this.#receive(batch, result));
    this.#underWay.add(job);
    // The error is seen by whoever awaits the set; this keeps it from being called unhandled before.
    job.catch(() => undefined).finally(() => this.#underWay.delete(job));
    if (this.#run.signal.aborted) await job;
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
      const startedAt = this.#run.now();
      const { bytes, sha256, list, packs } = await this.#run.readStream(fd, 'files');
      const after = fstatSync(fd, { bigint: true });
      const hasChanged = before.mtimeNs !== after.mtimeNs || before.ctimeNs !== after.ctimeNs || BigInt(bytes) !== after.size;
      if (hasChanged) this.#warn(item.path, 'changed-while-read', 'the file changed while it was read; what was read is kept, and it is read again next time');
      const described = describeFile(after, { size: bytes, startedAt, hasChanged, sha256 }, this.#options.readXattrs?.(`/proc/self/fd/${fd}`) ?? []);
      const writer = new ByteWriter(list.refs.length + 256);
      encodeFileWithRefs({ ...described, flags: described.flags | (list.isListed ? FLAG.listed : 0) }, list.count, list.refs, writer);
      item.packs = packs;
      this.#settle(item, walked, FILE_STATUS.stored, writer.finish());
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ELOOP') this.#settle(item, walked, FILE_STATUS.gone, new Uint8Array(0));
      else if (code === 'EACCES' || code === 'EPERM' || code === 'EIO') this.#settle(item, walked, FILE_STATUS.unreadable, new Uint8Array(0));
      else throw error;
      this.#warn(item.path, code === 'ENOENT' || code === 'ELOOP' ? 'vanished' : 'unreadable', message);
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  #gone(record: MergedRecord): void {
    this.#run.counters.removedEntries++;
    this.#outbox.push({ path: record.path, previous: record, state: 'gone' });
  }

  /** Entries that touch a damaged, condemned or missing pack are read again (design, Unchanged). */
  #touchesUnusable(record: MergedRecord): boolean {
    if (!this.#unusable || record.body[0] !== ENTRY.file) return false;
    const body = decodeBody(record.body, 'record of the previous backup');
    if (!isFile(body)) return false;
    // What list chunks name is not known without reading them: read such a file again.
    return (body.flags & FLAG.listed) !== 0 || body.refs.some((ref) => this.#unusable?.has(Buffer.from(ref.pack).toString('hex')));
  }

  #warn(path: ByteString, code: string, message: string): void {
    this.#run.warnings.push({ code, path: display(path), message });
  }
}
