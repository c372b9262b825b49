import type { ByteString } from '../model/byte-string.ts';
import { byteString } from '../model/byte-string.ts';
import { isHoldfastError } from '../model/errors.ts';
import type { HoldfastError } from '../model/errors.ts';
import type { ObjectInfo, Store } from '../stores/store.ts';
import { ByteReader } from './bytes.ts';
import { FLAG, comparePaths, decodeBody, decodeRef, isFile } from './entry.ts';
import type { ChunkRef, Entry, FileBody } from './entry.ts';
import { damaged } from './format.ts';
import type { Manifest, TreeRoot } from './manifest.ts';
import { openManifest } from './manifest.ts';
import { packIdOf } from './names.ts';
import { ChunkReader } from './pack-reader.ts';
import { readRefs } from './refs-revisions.ts';
import { followReplaced } from './refs.ts';
import type { PackRef, Refs } from './refs.ts';
import type { Repository } from './repository.ts';
import { sha256 } from './seal.ts';
import { mergeStreams, readTreeChunk } from './tree-stream.ts';
import type { TreeRecord } from './tree-stream.ts';

/** Objects under snapshots/, newest backup id last within a plan. */
export async function listSnapshots(store: Pick<Store, 'list'>, plan?: string): Promise<ObjectInfo[]> {
  return Array.fromAsync(store.list(plan === undefined ? 'snapshots/' : `snapshots/${plan}/`));
}

export async function readManifest(repository: Repository, name: string): Promise<{ manifest: Manifest; sha256: string }> {
  const stored = await repository.store.get(name);
  return { manifest: openManifest(repository.keys, name, stored), sha256: sha256(stored).toString('hex') };
}

/** One backup, opened for reading: its entries, and the packs that hold them. */
export class SnapshotReader {
  readonly manifest: Manifest;
  readonly refs: Refs;
  readonly #repository: Repository;
  readonly #packs = new Map<string, PackRef>();
  readonly #follow: (id: string) => string;
  readonly #tree: ChunkReader;

  constructor(repository: Repository, manifest: Manifest, refs: Refs) {
    this.#repository = repository;
    this.manifest = manifest;
    this.refs = refs;
    for (const pack of refs.packs) this.#packs.set(packIdOf(pack.name), pack);
    this.#follow = followReplaced(refs);
    const sizes = new Map(refs.packs.map((pack) => [pack.name, pack.size]));
    this.#tree = new ChunkReader(repository.store, repository.keys, 'tree', async (name) => sizes.get(name) ?? (await repository.store.stat(name)).size);
  }

  static async open(repository: Repository, name: string): Promise<SnapshotReader> {
    const { manifest } = await readManifest(repository, name);
    return new SnapshotReader(repository, manifest, await readRefs(repository, manifest));
  }

  /** The pack of that id as this backup's newest refs name it, followed through replacements. */
  pack(id: string): PackRef {
    const current = this.#follow(id);
    const pack = this.#packs.get(current);
    if (!pack) throw damaged(`The refs of backup ${this.manifest.backup} do not name the pack ${current}`, { pack: current });
    return pack;
  }

  /**
   * Entries in order, decoded. `below` keeps those at or below that path and reads only the tree chunks that can hold
   * them.
   */
  async *entries(below = '' as ByteString): AsyncGenerator<SnapshotEntry> {
    for await (const records of this.recordBatches(below)) {
      for (const record of records) {
        if (!isBelow(record.path, below)) continue;
        const body = decodeBody(record.body, `entry ${record.path}`);
        yield { ...body, path: record.path };
      }
    }
  }

  /**
   * Records of base and delta merged, in batches of one base tree chunk each (fast path for writers). With `onDamage`
   * a tree chunk that cannot be read is told and passed over; where the delta cannot be read, no base record is given
   * either, because it may have been replaced. Without it damage is thrown.
   */
  async *recordBatches(below = '' as ByteString, onDamage?: (damage: TreeDamage) => void): AsyncGenerator<Iterable<TreeRecord & { readonly inDelta: boolean }>> {
    const { base, delta } = this.manifest.tree;
    const lost: TreeDamage[] = [];
    const tellLost = onDamage && ((damage: TreeDamage) => void (lost.push(damage), onDamage(damage)));
    const puts: TreeRecord[] = [];
    if (delta) for await (const { records } of this.#chunkRecords(delta, below, tellLost)) puts.push(...records);
    let position = 0;
    let isEmpty = true;
    for await (const { records, end: limit } of this.#chunkRecords(base, below, onDamage)) {
      isEmpty = false;
      let end = puts.length;
      if (limit !== undefined) {
        end = position;
        while (end < puts.length && comparePaths((puts[end] as TreeRecord).path, limit) < 0) end++;
      }
      yield mergeStreams(lost.length === 0 ? records : records.filter((record) => !lost.some((damage) => isWithin(record.path, damage))), puts.slice(position, end));
      position = end;
    }
    if (isEmpty) yield mergeStreams([], puts);
  }

  async *#chunkRecords(root: TreeRoot, below: ByteString, onDamage?: (damage: TreeDamage) => void): AsyncGenerator<{ records: TreeRecord[]; end: ByteString | undefined }> {
    const chunks = selectChunks(root, below);
    for (const [index, chunk] of chunks.entries()) {
      const next = chunks[index + 1];
      const end = next && byteString(Buffer.from(next.first, 'base64'));
      let records: TreeRecord[] = [];
      try {
        records = [...readTreeChunk(await this.#treeChunk(chunk), `tree of ${this.manifest.backup}`)];
        checkSpan(records, chunk.first, end, this.manifest.backup);
      } catch (error) {
        if (!onDamage || !(isHoldfastError(error, 'damaged') || isHoldfastError(error, 'not-found'))) throw error;
        onDamage({ from: byteString(Buffer.from(chunk.first, 'base64')), to: end, error });
      }
      yield { records, end };
    }
  }

  /** The chunks of a file, list chunks followed. */
  async chunksOf(entry: SnapshotEntry & FileBody): Promise<PlacedChunk[]> {
    const chunks: PlacedChunk[] = [];
    for await (const batch of this.chunkBatches(entry)) chunks.push(...batch);
    return chunks;
  }

  /** The same, list chunk by list chunk: the chunks of a very large file are never all in memory. */
  async *chunkBatches(entry: SnapshotEntry & FileBody): AsyncGenerator<PlacedChunk[]> {
    if (!(entry.flags & FLAG.listed)) return yield entry.refs.map(placedChunk);
    for (const ref of entry.refs) {
      const chunks: PlacedChunk[] = [];
      const reader = new ByteReader(await this.#metaChunk(placedChunk(ref)), `chunk list of ${entry.path}`);
      while (reader.remaining > 0) chunks.push(placedChunk(decodeRef(reader)));
      yield chunks;
    }
  }

  /** Records of one stream as stored, tombstones too, for who puts base and delta together by itself. Damage as in `recordBatches`. */
  async *storedRecords(stream: 'base' | 'delta', below = '' as ByteString, onDamage?: (damage: TreeDamage) => void): AsyncGenerator<TreeRecord[]> {
    const root = this.manifest.tree[stream];
    if (root) for await (const { records } of this.#chunkRecords(root, below, onDamage)) yield records;
  }

  /** Records of the base alone, chunk by chunk, up to and including `last`. */
  async *baseRecordsUpTo(last: ByteString): AsyncGenerator<TreeRecord[]> {
    for (const chunk of this.manifest.tree.base.chunks) {
      if (comparePaths(Buffer.from(chunk.first, 'base64').latin1Slice(), last) > 0) return;
      const records = [...readTreeChunk(await this.#treeChunk(chunk), `tree of ${this.manifest.backup}`)];
      yield records.filter((record) => comparePaths(record.path, last) <= 0);
    }
  }

  #treeChunk(chunk: TreeRoot['chunks'][number]): Promise<Uint8Array> {
    return this.#metaChunk({ id: Buffer.from(chunk.id, 'hex'), packId: chunk.pack, length: chunk.length });
  }

  async #metaChunk(chunk: PlacedChunk): Promise<Uint8Array> {
    const pack = this.pack(chunk.packId);
    const bytes = await this.#tree.read(pack.name, chunk.id);
    if (bytes?.length !== chunk.length) throw damaged(`The pack ${pack.name} does not hold the tree chunk ${Buffer.from(chunk.id).toString('hex')}`);
    return bytes;
  }

  get repository(): Repository {
    return this.#repository;
  }
}

export type SnapshotEntry = Entry;

/** A part of the tree that cannot be read: every path from `from` up to (not with) `to` may be missing. */
export interface TreeDamage {
  readonly from: ByteString;
  readonly to: ByteString | undefined;
  readonly error: HoldfastError;
}
export type SnapshotFile = SnapshotEntry & FileBody;

export interface PlacedChunk {
  readonly id: Uint8Array;
  readonly packId: string;
  readonly length: number;
}

export function isSnapshotFile(entry: SnapshotEntry): entry is SnapshotFile {
  return isFile(entry);
}

/** A chunk holds what the sparse index says: it begins with that path and ends before the next one begins, so that all paths ascend. */
function checkSpan(records: readonly TreeRecord[], first: string, end: ByteString | undefined, backup: string): void {
  const [begin, last] = [records[0], records.at(-1)];
  if (!begin || !last || begin.path !== Buffer.from(first, 'base64').latin1Slice()) throw damaged(`tree of ${backup}: a chunk does not begin where the manifest says`);
  if (end !== undefined && comparePaths(last.path, end) >= 0) throw damaged(`tree of ${backup}: its chunks do not ascend`);
}

/** A ref with its pack's id as readers ask for it. */
export function placedChunk(ref: ChunkRef): PlacedChunk {
  return { id: ref.id, packId: Buffer.from(ref.pack.buffer, ref.pack.byteOffset, 16).toString('hex'), length: ref.length };
}

function isWithin(path: string, { from, to }: TreeDamage): boolean {
  return comparePaths(path, from) >= 0 && (to === undefined || comparePaths(path, to) < 0);
}

export function isBelow(path: string, below: string): boolean {
  return below === '' || path === below || path.startsWith(`${below}/`);
}

/** Tree chunks that may hold `below` or anything under it: a chunk reaches to the first path of the next. */
function selectChunks(root: TreeRoot, below: ByteString): TreeRoot['chunks'] {
  if (below === '') return root.chunks;
  const firsts = root.chunks.map((chunk) => Buffer.from(chunk.first, 'base64').latin1Slice());
  return root.chunks.filter((_, index) => {
    const first = firsts[index] as string;
    const next = firsts[index + 1];
    const startsAfter = comparePaths(first, below) > 0 && !isBelow(first, below);
    const endsBefore = next !== undefined && comparePaths(next, below) <= 0;
    return !startsAfter && !endsBefore;
  });
}
