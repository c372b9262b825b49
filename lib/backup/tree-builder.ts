import type { ByteString } from '../model/byte-string.ts';
import { ENTRY, FLAG, TreeStreamWriter, comparePaths, decodeBody, isFile, mergeStreams } from '../repository/index.ts';
import type { SnapshotReader, TreeChunk, TreeRecord, TreeRoot } from '../repository/index.ts';
import type { MetaPacks } from './meta-packs.ts';

const TOMBSTONE = Uint8Array.of(ENTRY.tombstone);
/** A delta above this share of its base becomes a new base (format §7). */
const MAX_DELTA_SHARE = 0.1;
const SMALL_BASE_RECORDS = 100;
/** Sorts behind every path: names have at most 255 bytes. */
const BEHIND_ALL = '\xff'.repeat(256) as ByteString;

export interface BuiltTree {
  readonly base: TreeRoot;
  readonly delta: TreeRoot | null;
}

export type MergedRecord = TreeRecord & { readonly inDelta: boolean };

/** Takes the records of a pass in the order of the tree. Answers with a promise only in the rare case that work has to be waited for. */
export interface TreeWriter {
  /** As the predecessor holds it. */
  keep(record: MergedRecord): Promise<void> | undefined;
  /** `packs`: ids of all packs that the body needs, list chunks and what those name included. */
  put(path: ByteString, body: Uint8Array, packs?: readonly string[]): Promise<void> | undefined;
  remove(record: MergedRecord): Promise<void> | undefined;
}

/**
 * Writes the entry tree of a run: as a delta against the predecessor's base while that stays small, else as a new base.
 * Records arrive in order: `keep` for those that the predecessor holds as they are, `put` for new or changed ones,
 * `remove` for those that are gone.
 */
export class TreeBuilder implements TreeWriter {
  readonly #previous: SnapshotReader | undefined;
  readonly #meta: MetaPacks;
  readonly #limit: number;
  /** Undefined while a whole base is written. */
  #delta: TreeRecord[] | undefined;
  #base: RootWriter | undefined;
  #isChanged = false;
  readonly #newPacks = new Set<string>();
  /** Entries of one batch share one list. */
  #lastPacks: readonly string[] = [];

  constructor(previous: SnapshotReader | undefined, meta: MetaPacks) {
    this.#previous = previous;
    this.#meta = meta;
    this.#limit = Math.max((previous?.manifest.tree.base.records ?? 0) * MAX_DELTA_SHARE, SMALL_BASE_RECORDS);
    if (previous) this.#delta = [];
    else this.#base = new RootWriter(meta, undefined);
  }

  keep(record: MergedRecord): Promise<void> | undefined {
    if (this.#delta) return record.inDelta ? this.#addToDelta(record.path, record.body) : undefined;
    this.#base?.addKept(record.path, record.body);
    return undefined;
  }

  /** `packs`: ids of all packs that the body needs, list chunks and what those name included. */
  put(path: ByteString, body: Uint8Array, packs: readonly string[] = []): Promise<void> | undefined {
    this.#isChanged = true;
    if (packs !== this.#lastPacks) {
      for (const pack of packs) this.#newPacks.add(pack);
      this.#lastPacks = packs;
    }
    if (this.#delta) return this.#addToDelta(path, body);
    this.#base?.add(path, body);
    return undefined;
  }

  /** A tombstone also for records that stand in the delta: the base may hold an older one. */
  remove(record: MergedRecord): Promise<void> | undefined {
    this.#isChanged = true;
    return this.#delta ? this.#addToDelta(record.path, TOMBSTONE) : undefined;
  }

  async finish(): Promise<BuiltTree> {
    if (!this.#delta) return { base: (this.#base as RootWriter).finish(this.#newPacks), delta: null };
    const { tree } = (this.#previous as SnapshotReader).manifest;
    // Nothing changed writes no tree bytes. Tombstones of the old delta are not seen by the merge, so it is kept as it is.
    if (!this.#isChanged) return tree;
    const delta = mergeSorted(this.#delta, await this.#oldTombstones());
    if (delta.length > this.#limit) {
      // Tombstones count too: else a source that only shrinks would drag its whole past along.
      await this.#becomeBase(BEHIND_ALL);
      return this.finish();
    }
    const writer = new RootWriter(this.#meta, tree.delta?.packs);
    for (const { path, body } of delta) writer.addKept(path, body);
    return { base: tree.base, delta: writer.finish(this.#newPacks) };
  }

  async #oldTombstones(): Promise<TreeRecord[]> {
    const tombstones: TreeRecord[] = [];
    for await (const records of (this.#previous as SnapshotReader).storedRecords('delta')) tombstones.push(...records.filter(({ body }) => body[0] === ENTRY.tombstone));
    return tombstones;
  }

  #addToDelta(path: ByteString, body: Uint8Array): Promise<void> | undefined {
    const delta = this.#delta as TreeRecord[];
    // Copied: bodies are views into larger buffers that would otherwise be kept alive.
    delta.push({ path, body: body.slice() });
    return delta.length > this.#limit ? this.#becomeBase(path) : undefined;
  }

  /** Too much changed: replays the base with the delta so far, up to and including `path`, into a new base. */
  async #becomeBase(path: ByteString): Promise<void> {
    const previous = this.#previous as SnapshotReader;
    const delta = mergeSorted(this.#delta as TreeRecord[], (await this.#oldTombstones()).filter((record) => comparePaths(record.path, path) <= 0));
    this.#delta = undefined;
    this.#base = new RootWriter(this.#meta, [...previous.manifest.tree.base.packs, ...(previous.manifest.tree.delta?.packs ?? [])]);
    let position = 0;
    for await (const records of previous.baseRecordsUpTo(path)) {
      const last = records.at(-1)?.path ?? path;
      let end = position;
      while (end < delta.length && comparePaths((delta[end] as TreeRecord).path, last) <= 0) end++;
      for (const record of mergeStreams(records, delta.slice(position, end))) this.#base.addKept(record.path, record.body);
      position = end;
    }
    for (const record of mergeStreams([], delta.slice(position))) this.#base.addKept(record.path, record.body);
  }
}

/** `puts` win over `tombstones` of the same path. */
function mergeSorted(puts: readonly TreeRecord[], tombstones: readonly TreeRecord[]): TreeRecord[] {
  if (tombstones.length === 0) return [...puts];
  const known = new Set(puts.map((record) => record.path));
  return [...puts, ...tombstones.filter((record) => !known.has(record.path))].sort((left, right) => comparePaths(left.path, right.path));
}

/** One stream being written: records to tree chunks to meta packs, and which packs it needs. */
class RootWriter {
  readonly #stream: TreeStreamWriter;
  readonly #chunks: TreeRoot['chunks'] = [];
  readonly #packs = new Set<string>();
  readonly #inherited: readonly string[] | undefined;

  /** `inherited`: packs of the roots that kept records come from; the contents of their list chunks are not read again. */
  constructor(meta: MetaPacks, inherited: readonly string[] | undefined) {
    this.#inherited = inherited;
    this.#stream = new TreeStreamWriter((chunk: TreeChunk) => {
      const { id, packId } = meta.add(chunk.bytes);
      this.#packs.add(packId);
      this.#chunks.push({ first: Buffer.from(chunk.first, 'latin1').toString('base64'), id: Buffer.from(id).toString('hex'), pack: packId, length: chunk.bytes.length });
    });
  }

  /** A record whose packs the caller tells to `finish`. */
  add(path: ByteString, body: Uint8Array): void {
    this.#stream.add(path, body);
  }

  /** A record of an earlier backup: its packs are looked up in it, so that packs nobody needs any more can die. */
  addKept(path: ByteString, body: Uint8Array): void {
    this.#collect(body);
    this.#stream.add(path, body);
  }

  finish(newPacks: Iterable<string>): TreeRoot {
    this.#stream.finish();
    this.#addPacks(newPacks);
    return { chunks: this.#chunks, packs: [...this.#packs].sort(), records: this.#stream.records, bytes: this.#stream.bytes };
  }

  #addPacks(packs: Iterable<string>): void {
    for (const pack of packs) this.#packs.add(pack);
  }

  #collect(bytes: Uint8Array): void {
    if (bytes[0] !== ENTRY.file && bytes[0] !== ENTRY.stream) return;
    const body = decodeBody(bytes, 'entry');
    if (!isFile(body)) return;
    for (const ref of body.refs) this.#packs.add(Buffer.from(ref.pack).toString('hex'));
    if (body.flags & FLAG.listed) this.#addPacks(this.#inherited ?? []);
  }
}
