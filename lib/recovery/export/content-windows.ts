import type { ByteString } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import { frameOpener, openFrame, readPackDirectory, releaseBytes } from '../../repository/index.ts';
import type { FrameInfo, FrameOpener, PackDirectory, PlacedChunk, SnapshotReader } from '../../repository/index.ts';
import { inParallel } from '../../validation/in-parallel.ts';
import { isLoss } from '../pack-jobs.ts';
import { latin1 } from '../piece-window.ts';

/** Bytes that are at hand, or a chunk of an entry that is to be read. */
export type Part = Uint8Array | WantedChunk;

export interface WantedChunk {
  readonly path: ByteString;
  readonly chunk: PlacedChunk;
}

/** A part with its bytes, or why a chunk's are gone. */
export interface ReadPart {
  readonly wanted: WantedChunk | undefined;
  readonly content: Uint8Array | HoldfastError;
}

/** Plain bytes of one window; two are alive at once, one being read and one being consumed. */
const WINDOW_BYTES = 24 << 20;
/** Ranges under way at once, each of at most this many sealed bytes. */
const READS = 4;
const RANGE_BYTES = 4 << 20;
/** Reading this much in vain is cheaper than another request. */
const GAP_BYTES = 256 << 10;
const KEPT_DIRECTORIES = 32;

/**
 * Parts in order, with contents. Each needed range of a pack is read once per window, several at a time, while the window
 * before is consumed; every chunk is proved against its id. Memory is bounded by two windows and the ranges under way.
 */
export async function* readParts(reader: SnapshotReader, parts: AsyncIterable<readonly Part[]>, signal: AbortSignal): AsyncGenerator<ReadPart[]> {
  const packs = new PackRanges(reader);
  let loading: Promise<ReadPart[]> | undefined;
  try {
    for await (const window of cutWindows(parts)) {
      signal.throwIfAborted();
      const next = packs.read(window, signal);
      // Its failure is met when its turn comes; until then nobody waits for it.
      next.catch(() => undefined);
      const ready = loading;
      loading = next;
      if (ready) yield await ready;
    }
    if (loading) yield await loading;
  } finally {
    await loading?.catch(() => undefined);
  }
}

async function* cutWindows(parts: AsyncIterable<readonly Part[]>): AsyncGenerator<Part[]> {
  let window: Part[] = [];
  let bytes = 0;
  for await (const batch of parts) {
    for (const part of batch) {
      window.push(part);
      bytes += part instanceof Uint8Array ? part.length : part.chunk.length;
      if (bytes < WINDOW_BYTES) continue;
      yield window;
      window = [];
      bytes = 0;
    }
  }
  if (window.length > 0) yield window;
}

/** What became of one place in the window; undefined: nothing yet. */
type Found = Uint8Array | HoldfastError | undefined;

/** Places in the window that want one chunk, by the chunk's id as a byte string. */
type WantedOfPack = Map<string, number[]>;

interface Range {
  readonly directory: PackDirectory;
  readonly frames: FrameInfo[];
  readonly wanted: WantedOfPack;
}

class PackRanges {
  readonly #reader: SnapshotReader;
  readonly #opener: FrameOpener;
  readonly #directories = new Map<string, PackDirectory>();

  constructor(reader: SnapshotReader) {
    this.#reader = reader;
    this.#opener = frameOpener(reader.repository.keys, 'frame');
  }

  async read(window: readonly Part[], signal: AbortSignal): Promise<ReadPart[]> {
    const found: Found[] = window.map((part) => (part instanceof Uint8Array ? part : undefined));
    const ranges: Range[] = [];
    await inParallel(wantedByPack(window), READS, async ([packId, wanted]) => {
      signal.throwIfAborted();
      await losing(wanted, found, async () => void ranges.push(...rangesOf(await this.#directory(packId), wanted)));
    });
    await inParallel(ranges, READS, async (range) => {
      signal.throwIfAborted();
      await losing(wantedIn(range.frames, range.wanted), found, () => this.#readRange(range, found));
    });
    return window.map((part, index) => proved(part, found[index]));
  }

  async #directory(packId: string): Promise<PackDirectory> {
    const known = this.#directories.get(packId);
    if (known) return known;
    const { store, keys } = this.#reader.repository;
    const { name, size } = this.#reader.pack(packId);
    const directory = await readPackDirectory(store, keys, name, size);
    if (this.#directories.size >= KEPT_DIRECTORIES) this.#directories.delete(this.#directories.keys().next().value as string);
    this.#directories.set(packId, directory);
    return directory;
  }

  async #readRange({ directory, frames, wanted }: Range, found: Found[]): Promise<void> {
    const [first, last] = [frames[0] as FrameInfo, frames.at(-1) as FrameInfo];
    const bytes = await this.#reader.repository.store.get(directory.name, { offset: first.offset, length: last.offset + last.sealedLength - first.offset });
    for (const frame of frames) {
      const at = frame.offset - first.offset;
      await losing(wantedIn([frame], wanted), found, async () => this.#take({ directory, frame, sealed: bytes.subarray(at, at + frame.sealedLength) }, wanted, found));
    }
    releaseBytes(bytes);
  }

  #take({ directory, frame, sealed }: { directory: PackDirectory; frame: FrameInfo; sealed: Uint8Array }, wanted: WantedOfPack, found: Found[]): void {
    const raw = openFrame(this.#opener, directory.cipher, frame, sealed, directory.name);
    const isWhole = frame.chunks.length === 1;
    let offset = 0;
    for (const { id, length } of frame.chunks) {
      const places = wanted.get(latin1(id));
      // A copy, so that a few wanted bytes do not keep a whole frame.
      if (places) fill(places, found, isWhole ? raw : Buffer.from(raw.subarray(offset, offset + length)));
      offset += length;
    }
    if (!isWhole) releaseBytes(raw);
  }
}

/** A pack may open and not hold what the entry names, or hold it with another length. */
function proved(part: Part, content: Found): ReadPart {
  if (part instanceof Uint8Array) return { wanted: undefined, content: part };
  const isThere = content !== undefined && (!(content instanceof Uint8Array) || content.length === part.chunk.length);
  return { wanted: part, content: isThere ? content : new HoldfastError('damaged', `The pack ${part.chunk.packId} does not hold a chunk that the entry names`) };
}

function wantedByPack(window: readonly Part[]): Map<string, WantedOfPack> {
  const packs = new Map<string, WantedOfPack>();
  for (const [index, part] of window.entries()) {
    if (part instanceof Uint8Array) continue;
    const { id, packId } = part.chunk;
    let wanted = packs.get(packId);
    if (!wanted) packs.set(packId, (wanted = new Map()));
    const key = latin1(id);
    const places = wanted.get(key);
    if (places) places.push(index);
    else wanted.set(key, [index]);
  }
  return packs;
}

/** Neighbouring frames of one pack that hold something wanted, joined to reads. */
function rangesOf(directory: PackDirectory, wanted: WantedOfPack): Range[] {
  const ranges: Range[] = [];
  for (const frame of directory.frames) {
    if (!frame.chunks.some(({ id }) => wanted.has(latin1(id)))) continue;
    const last = ranges.at(-1);
    if (last && isNear(last.frames, frame)) last.frames.push(frame);
    else ranges.push({ directory, frames: [frame], wanted });
  }
  return ranges;
}

function isNear(frames: readonly FrameInfo[], next: FrameInfo): boolean {
  const [first, last] = [frames[0] as FrameInfo, frames.at(-1) as FrameInfo];
  return next.offset - (last.offset + last.sealedLength) <= GAP_BYTES && next.offset + next.sealedLength - first.offset <= RANGE_BYTES;
}

function wantedIn(frames: readonly FrameInfo[], wanted: WantedOfPack): WantedOfPack {
  const inside: WantedOfPack = new Map();
  for (const { chunks } of frames) {
    for (const { id } of chunks) {
      const places = wanted.get(latin1(id));
      if (places) inside.set(latin1(id), places);
    }
  }
  return inside;
}

function fill(places: readonly number[], found: Found[], content: Uint8Array | HoldfastError): void {
  for (const place of places) found[place] ??= content;
}

/** Does it; when stored bytes are gone, everything that was wanted from there is lost for that reason, and nothing else. */
async function losing(wanted: WantedOfPack, found: Found[], work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isLoss(error)) throw error;
    for (const places of wanted.values()) fill(places, found, error as HoldfastError);
  }
}
