import { display } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import { invariant, isHoldfastError } from '../model/errors.ts';
import { ByteWriter, Chunker, ENTRY, FLAG, decodeBody, encodeBody, encodeFileWithRefs, gearTable, isFile } from '../repository/index.ts';
import type { FileBody, ManifestEvidence } from '../repository/index.ts';
import { attributesAt } from '../sources/attributes.ts';
import type { MissedObject, ObjectSource, OpenObject, SourceObject } from '../sources/source.ts';
import type { PassRun } from './backup-run.ts';
import { ChunkGatherer } from './chunk-gatherer.ts';
import { exclusionOf } from './exclusion.ts';
import { Outbox } from './outbox.ts';
import type { OutItem } from './outbox.ts';
import { PreviousCursor } from './previous-cursor.ts';
import { readBody } from './read-body.ts';
import type { BodyPorts, ReadBody } from './read-body.ts';
import type { ProvedStreams } from './stream-pass.ts';
import type { MergedRecord } from './tree-builder.ts';
import { UnusablePacks } from './unusable-packs.ts';

/** Memory that objects under way may take: a large one has four of the largest chunks (`read-body.ts`). */
const OPEN_BYTES = 64 << 20;
const MOST_BYTES_OF_ONE = 8 << 20;
/** What may wait behind a large object that is being read. */
const MAX_WAITING = 10_000;
const DRAIN_EVERY = 1024;
/** An object that is replaced while it is read is opened again, so often. */
const MAX_ATTEMPTS = 3;
/** Of one kind; a bucket with a million archived objects must not make a manifest of a million lines. */
const MAX_WARNINGS = 1000;

/** One pass over a source of objects: beside the predecessor's records, reads what is new or changed, writes the new tree. */
export class ObjectPass {
  readonly #run: PassRun;
  readonly #source: ObjectSource;
  readonly #isFull: boolean;
  readonly #outbox: Outbox;
  readonly #cursor: PreviousCursor;
  readonly #unusable: UnusablePacks;
  readonly #body: BodyPorts;
  readonly #underWay = new Set<Promise<void>>();
  #openBytes = 0;
  readonly #warned = new Map<string, number>();
  /** Folders of the object before, outermost first. */
  #folders: readonly string[] = [];

  constructor(run: PassRun, source: ObjectSource, { isFull }: { readonly isFull: boolean }) {
    this.#run = run;
    this.#source = source;
    this.#isFull = isFull;
    this.#outbox = new Outbox(run.builder);
    this.#cursor = new PreviousCursor(run.previous);
    this.#unusable = new UnusablePacks(run.previous, run.session);
    const { keys, config } = run.session.repository;
    this.#body = { chunker: new Chunker(gearTable(keys.sealing.chunker), config.chunker.files), gatherer: new ChunkGatherer(run), meta: run.meta };
  }

  async perform(): Promise<ProvedStreams> {
    try {
      const proof = await this.#meetAll();
      await Promise.all(this.#underWay);
      await this.#cursor.drain((record) => this.#gone(record));
      await this.#outbox.drain();
      for (const { path, code, message } of proof.warnings ?? []) this.#warn(path, code, message);
      invariant(this.#outbox.length === 0, `${this.#outbox.length} objects of the list were never read`);
      this.#tellUntold();
      const evidence: ManifestEvidence[] = [{ entry: this.#source.description, facts: [...proof.evidence] }];
      return { evidence, facts: proof.facts ?? {} };
    } finally {
      await Promise.allSettled(this.#underWay);
    }
  }

  async #meetAll() {
    const isExcluded = exclusionOf(this.#source.include, this.#source.exclude);
    const objects = this.#source.objects(this.#run.signal);
    try {
      for (let sinceDrain = 0; ; sinceDrain++) {
        const next = await objects.next();
        if (next.done) return next.value;
        if (!isExcluded(next.value.path, false)) await this.#meet(next.value);
        if (sinceDrain % DRAIN_EVERY !== 0) continue;
        this.#run.signal.throwIfAborted();
        await this.#outbox.drain();
        this.#run.report('storing');
      }
    } finally {
      await objects.return(undefined as never);
    }
  }

  async #meet(object: SourceObject): Promise<void> {
    await this.#meetFolders(object.path);
    const { counters } = this.#run;
    const previous = await this.#previousOf(object.path);
    counters.entries++;
    counters.files++;
    if (previous && (!this.#isFull || object.isOnlyKept) && this.#isUnchanged(object, previous)) {
      counters.unchangedFiles++;
      counters.bytes += object.size ?? sizeOf(previous);
      this.#outbox.push({ path: object.path, previous, state: 'keep' });
    } else {
      const item: OutItem = { path: object.path, previous, state: 'waiting' };
      this.#outbox.push(item);
      await this.#start(object, item);
    }
    while (this.#outbox.length > MAX_WAITING && this.#underWay.size > 0) await this.#oneMore();
  }

  /** Folders exist by the keys below them alone; what an earlier backup says of one stays, so that nothing seems changed. */
  async #meetFolders(path: ByteString): Promise<void> {
    const folders = path.split('/').slice(0, -1);
    let depth = 0;
    while (depth < folders.length && folders[depth] === this.#folders[depth]) depth++;
    for (; depth < folders.length; depth++) {
      const folder = folders.slice(0, depth + 1).join('/') as ByteString;
      const previous = await this.#previousOf(folder);
      const isKept = previous?.body[0] === ENTRY.directory;
      this.#run.counters.entries++;
      this.#run.counters.directories++;
      this.#outbox.push(isKept ? { path: folder, previous, state: 'keep' } : { path: folder, previous, state: 'put', body: folderBody(this.#run.now()) });
    }
    this.#folders = folders;
  }

  async #previousOf(path: ByteString): Promise<MergedRecord | undefined> {
    if (!this.#cursor.isReady(path)) await this.#cursor.load(path);
    return this.#cursor.seek(path, (record) => this.#gone(record));
  }

  #isUnchanged(object: SourceObject, previous: MergedRecord): boolean {
    if (previous.body[0] !== ENTRY.file || this.#unusable.touch(previous)) return false;
    const body = decodeBody(previous.body, 'record of the previous backup');
    if (!isFile(body) || (body.flags & (FLAG.racy | FLAG.unreadable)) !== 0) return false;
    const { size, mtimeSeconds, mtimeNanoseconds, xattrs = [] } = body;
    return object.isUnchanged({ size, mtimeSeconds, mtimeNanoseconds, attributes: xattrs });
  }

  async #start(object: SourceObject, item: OutItem): Promise<void> {
    await this.#run.checkpointIfDue();
    const bytes = Math.min(object.size ?? MOST_BYTES_OF_ONE, MOST_BYTES_OF_ONE);
    while (this.#underWay.size > 0 && (this.#underWay.size >= this.#source.parallel || this.#openBytes + bytes > OPEN_BYTES)) await this.#oneMore();
    this.#openBytes += bytes;
    const job = this.#read(object, item).then(() => void (this.#openBytes -= bytes));
    this.#underWay.add(job);
    // A job that failed stays: whoever awaits the set next learns of it, however long after.
    job.then(
      () => this.#underWay.delete(job),
      () => undefined,
    );
  }

  async #oneMore(): Promise<void> {
    await Promise.race(this.#underWay);
    await this.#outbox.drain();
    this.#run.report('storing');
  }

  async #read(object: SourceObject, item: OutItem): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#run.signal.throwIfAborted();
      const opened = await object.open();
      if ('missed' in opened) return this.#miss(object, item, opened);
      try {
        return this.#settle(item, opened, await readBody(opened.body, opened.size ?? Infinity, this.#body));
      } catch (error) {
        if (!isHoldfastError(error, 'stale') || attempt === MAX_ATTEMPTS) throw error;
      } finally {
        opened.discard();
      }
    }
  }

  #settle(item: OutItem, { attributes, extended, warnings, isRacy, size: announced }: OpenObject, read: ReadBody): void {
    const { size } = read;
    invariant(announced === undefined || size === announced, `${size} bytes of an object were read, ${announced} announced`);
    for (const message of warnings ?? []) this.#warn(item.path, 'source-suspect', message);
    const flags = (read.sha256 ? FLAG.digest : 0) | (read.list.isListed ? FLAG.listed : 0) | (isRacy ? FLAG.racy : 0) | (extended.length > 0 ? FLAG.xattrs : 0);
    const body = { ...fileBody(attributes, size, flags), xattrs: extended, ...(read.sha256 && { sha256: read.sha256 }) };
    const writer = new ByteWriter(read.list.refs.length + 1024);
    encodeFileWithRefs(body, read.list.count, read.list.refs, writer);
    this.#run.counters.bytes += size;
    this.#put(item, writer.finish(), read.packs);
  }

  #miss(object: SourceObject, item: OutItem, { missed, reason, attributes }: MissedObject): void {
    this.#warn(object.path, missed, reason);
    if (missed === 'vanished') {
      this.#run.counters.files--;
      this.#run.counters.entries--;
      if (item.previous) this.#run.counters.removedEntries++;
      item.state = 'gone';
      return;
    }
    const writer = new ByteWriter(64);
    encodeBody({ ...fileBody(attributes, object.size ?? 0, FLAG.unreadable | FLAG.racy), refs: [] }, writer);
    this.#put(item, writer.finish(), []);
  }

  #put(item: OutItem, body: Uint8Array, packs: readonly string[]): void {
    if (item.previous) this.#run.counters.changedFiles++;
    else this.#run.counters.newFiles++;
    item.state = item.previous && Buffer.compare(item.previous.body, body) === 0 ? 'keep' : 'put';
    item.body = body;
    item.packs = packs;
  }

  #gone(record: MergedRecord): void {
    this.#run.counters.removedEntries++;
    this.#outbox.push({ path: record.path, previous: record, state: 'gone' });
  }

  #warn(path: ByteString, code: string, message: string): void {
    const times = (this.#warned.get(code) ?? 0) + 1;
    this.#warned.set(code, times);
    if (times <= MAX_WARNINGS) this.#run.warnings.push({ code, path: display(path), message });
  }

  #tellUntold(): void {
    for (const [code, times] of this.#warned) if (times > MAX_WARNINGS) this.#run.warnings.push({ code, message: `${times - MAX_WARNINGS} more objects were ${code}, for the same or another reason.` });
  }
}

function sizeOf(record: MergedRecord): number {
  const body = decodeBody(record.body, 'record of the previous backup');
  return isFile(body) ? body.size : 0;
}

function fileBody(attributes: OpenObject['attributes'], size: number, flags: number): Omit<FileBody, 'refs'> {
  return { type: ENTRY.file, flags, ...attributes, size, ctimeSeconds: 0, ctimeNanoseconds: 0, inode: 0n };
}

function folderBody(now: number): Uint8Array {
  const writer = new ByteWriter(64);
  encodeBody({ type: ENTRY.directory, flags: 0, ...attributesAt(now), mode: 0o700 }, writer);
  return writer.finish();
}
