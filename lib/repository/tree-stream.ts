import type { ByteString } from '../model/byte-string.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { ENTRY, checkPath, comparePaths } from './entry.ts';
import { damaged } from './format.ts';

/** One record as stored: the path and the undecoded body (format §7). */
export interface TreeRecord {
  readonly path: ByteString;
  readonly body: Uint8Array;
}

export interface TreeChunk {
  readonly first: ByteString;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export const TREE_CHUNK_BYTES = 64 << 10;

/** Cuts a sorted sequence of records into tree chunks that decode alone. */
export class TreeStreamWriter {
  readonly #emit: (chunk: TreeChunk) => void;
  readonly #writer = new ByteWriter(TREE_CHUNK_BYTES * 2);
  readonly #chunkBytes: number;
  #first: ByteString | undefined;
  #previous = '' as ByteString;
  records = 0;
  bytes = 0;

  constructor(emit: (chunk: TreeChunk) => void, chunkBytes = TREE_CHUNK_BYTES) {
    this.#emit = emit;
    this.#chunkBytes = chunkBytes;
  }

  add(path: ByteString, body: Uint8Array): void {
    let shared = 0;
    if (this.#first === undefined) this.#first = path;
    else shared = sharedPrefix(this.#previous, path);
    this.#writer.varint(shared).varint(path.length - shared).latin1(path, shared).varint(body.length).bytes(body);
    this.#previous = path;
    this.records++;
    if (this.#writer.length >= this.#chunkBytes) this.#flush();
  }

  finish(): void {
    if (this.#first !== undefined) this.#flush();
  }

  #flush(): void {
    this.bytes += this.#writer.length;
    this.#emit({ first: this.#first as ByteString, bytes: this.#writer.finish() });
    this.#writer.reset();
    this.#first = undefined;
  }
}

/** A chunk ends with the record that makes it 64 KiB long; a record of 16 MiB would be that of a file of 300 TB. */
const MAX_TREE_CHUNK_BYTES = 16 << 20;

/** Records of one tree chunk; checks paths and their order. */
export function* readTreeChunk(bytes: Uint8Array, what: string): Generator<TreeRecord> {
  if (bytes.length > MAX_TREE_CHUNK_BYTES) throw damaged(`${what}: a chunk of ${bytes.length} bytes, at most ${MAX_TREE_CHUNK_BYTES} are allowed`);
  const reader = new ByteReader(bytes, what);
  let previous = '';
  let isFirst = true;
  while (reader.remaining > 0) {
    const shared = reader.varint();
    if (shared > previous.length) throw damaged(`${what}: a path shares ${shared} bytes with a path of ${previous.length}`);
    const rest = reader.latin1(reader.varint());
    const path = shared === 0 ? rest : previous.slice(0, shared) + rest;
    checkPath(path);
    if (!isFirst && comparePaths(previous, path, shared) >= 0) throw damaged(`${what}: its paths do not ascend`);
    yield { path: path as ByteString, body: reader.sized() };
    previous = path;
    isFirst = false;
  }
}

/**
 * Base and delta as one sequence: a delta record replaces, adds, or (tombstone) removes. `inDelta` says where the
 * record stands, so that the next run knows what it may copy.
 */
export function* mergeStreams(base: Iterable<TreeRecord>, delta: Iterable<TreeRecord>): Generator<TreeRecord & { readonly inDelta: boolean }> {
  const left = base[Symbol.iterator]();
  const right = delta[Symbol.iterator]();
  let old = left.next();
  let put = right.next();
  while (!old.done || !put.done) {
    const order = old.done ? 1 : put.done ? -1 : comparePaths(old.value.path, put.value.path);
    if (order < 0 && !old.done) {
      yield { path: old.value.path, body: old.value.body, inDelta: false };
      old = left.next();
    } else if (!put.done) {
      if (put.value.body[0] !== ENTRY.tombstone) yield { path: put.value.path, body: put.value.body, inDelta: true };
      if (order === 0) old = left.next();
      put = right.next();
    }
  }
}

function sharedPrefix(left: string, right: string): number {
  const end = Math.min(left.length, right.length);
  let index = 0;
  while (index < end && left.charCodeAt(index) === right.charCodeAt(index)) index++;
  return index;
}
