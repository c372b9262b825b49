import { hash } from 'node:crypto';
import { newHexId } from '../model/ids.ts';
import type { PackId, RepositoryId } from '../model/ids.ts';
import { ByteWriter, Chunker, FrameSealer, PackBuilder, Subkeys, gearTable, names } from '../repository/index.ts';
import type { PackedChunk } from '../repository/index.ts';
import { ChunkTables } from './chunk-table.ts';
import type { BlockResult, CrunchCounters, CrunchSettings, CrunchedPack } from './crunch-settings.ts';
import { PackIds } from './pack-ids.ts';
import { SharedBuffers } from './shared-buffers.ts';
import type { BufferSupply } from './shared-buffers.ts';

const ID_SLAB_BYTES = 64 << 10;
/** So that no frame brings more than 600 KB into its pack's directory, however tiny the files are. */
const MAX_FRAME_CHUNKS = 1 << 14;
/** An open pack keeps 130 bytes of heap a chunk, and decoding its directory as much again: half a million tiny files would be 130 MiB in each thread. */
const MAX_PACK_CHUNKS = 1 << 16;

interface OpenPack {
  readonly number: number;
  readonly id: string;
  readonly buffer: number;
  readonly builder: PackBuilder;
}

/**
 * What one thread does: hash chunks, ask the table, gather the unknown ones into frames, compress, seal, append to a
 * pack of its own. Synchronous from end to end; closed packs leave through `onPack`.
 */
export class Cruncher {
  readonly filesChunker: Chunker;
  readonly tables: ChunkTables;
  readonly #settings: CrunchSettings;
  readonly #keys: Subkeys;
  readonly #sealer: FrameSealer;
  readonly #packs: BufferSupply;
  readonly #packIds: PackIds;
  readonly #onPack: (pack: CrunchedPack) => void;
  /** Unknown chunks of the open frame, one after another; new bytes are read straight behind them. */
  readonly raw: Buffer;
  rawLength = 0;
  #chunks: PackedChunk[] = [];
  #ids = Buffer.alloc(ID_SLAB_BYTES);
  #idsUsed = 0;
  #pack: OpenPack | undefined;
  readonly #packsNamed = new Set<number>();
  #counters: CrunchCounters = { readBytes: 0, newBytes: 0, newChunks: 0 };

  constructor(settings: CrunchSettings, onPack: (pack: CrunchedPack) => void, packs: BufferSupply = new SharedBuffers(settings.packs)) {
    this.#settings = settings;
    this.#onPack = onPack;
    this.#keys = new Subkeys(settings.repository as RepositoryId, settings.keys);
    this.#sealer = new FrameSealer(this.#keys, settings.cipher, 'frame', settings.compression);
    this.filesChunker = new Chunker(gearTable(settings.keys.chunker), settings.chunker.files);
    this.tables = new ChunkTables(settings.tables);
    this.#packs = packs;
    this.#packIds = new PackIds(settings.packIds);
    const largestChunk = Math.max(settings.chunker.files.max, settings.chunker.streams.max);
    this.raw = Buffer.allocUnsafeSlow(settings.packSizes.frameBytes + largestChunk + 1);
  }

  /** Takes a chunk that lies in `raw` right behind the open frame, and writes its ref. */
  takeAppended(length: number, writer: ByteWriter): void {
    const id = this.#digest(this.raw.subarray(this.rawLength, this.rawLength + length));
    if (this.#claim(id, length, writer)) this.#keep(id, length);
  }

  /** Takes a chunk from elsewhere. */
  take(chunk: Uint8Array, writer: ByteWriter): void {
    const id = this.#digest(chunk);
    if (!this.#claim(id, chunk.length, writer)) return;
    this.raw.set(chunk, this.rawLength);
    this.#keep(id, chunk.length);
  }

  /** Chunks of a stream that were cut by the feeder: `lengths` one after another from the beginning of the block. */
  crunchBlock(block: Uint8Array, lengths: readonly number[]): BlockResult {
    const refs = new ByteWriter(lengths.length * 44);
    /** Where the new chunks begin that still lie nowhere but in the block, and where they end. */
    let from = 0;
    let end = 0;
    for (const length of lengths) {
      this.#counters.readBytes += length;
      const id = this.#digest(block.subarray(end, end + length));
      if (this.#claim(id, length, refs)) this.#count(id, length);
      else {
        this.#gather(block.subarray(from, end));
        from = end + length;
      }
      end += length;
      if (!this.#isFull(end - from)) continue;
      this.#gather(block.subarray(from, end));
      from = end;
    }
    this.#gather(block.subarray(from, end));
    return { refs: refs.finish(), ...this.report() };
  }

  countRead(bytes: number): void {
    this.#counters.readBytes += bytes;
  }

  /** Counters and the packs that refs named since the last report. */
  report(): { counters: CrunchCounters; packs: string[] } {
    const packs = [...this.#packsNamed].map((number) => Buffer.from(this.#packIds.bytes(number)).toString('hex'));
    const report = { counters: this.#counters, packs };
    this.#packsNamed.clear();
    this.#counters = { readBytes: 0, newBytes: 0, newChunks: 0 };
    return report;
  }

  /** Seals what is open and closes the pack, however small. */
  flush(): void {
    this.#sealFrame();
    const pack = this.#pack;
    if (!pack) return;
    if (pack.builder.frames.length > 0) return this.#closePack(pack);
    this.#pack = undefined;
    this.#packs.give(pack.buffer);
  }

  /**
   * The chunk's id in a slab that is shared by many: one small allocation for each digest, living as long as its pack,
   * would keep the allocator from ever giving memory back. A slot is taken only by `#keep`.
   */
  #digest(chunk: Uint8Array): Uint8Array {
    if (this.#idsUsed + 32 > this.#ids.length) {
      this.#ids = Buffer.alloc(ID_SLAB_BYTES);
      this.#idsUsed = 0;
    }
    this.#ids.latin1Write(hash('sha256', chunk, 'binary'), this.#idsUsed, 32);
    return this.#ids.subarray(this.#idsUsed, this.#idsUsed + 32);
  }

  /** True when nobody has the chunk and this thread must keep it; its ref is written either way. */
  #claim(id: Uint8Array, length: number, writer: ByteWriter): boolean {
    const mine = this.#openPack().number;
    const known = this.tables.claim(id, mine);
    const pack = known < 0 ? mine : known;
    this.#packsNamed.add(pack);
    writer.bytes(id).bytes(this.#packIds.bytes(pack)).varint(length);
    return known < 0;
  }

  #count(id: Uint8Array, length: number): void {
    this.#chunks.push({ id, length });
    this.#idsUsed += 32;
    this.#counters.newBytes += length;
    this.#counters.newChunks++;
  }

  #keep(id: Uint8Array, length: number): void {
    this.#count(id, length);
    this.rawLength += length;
    if (this.#isFull(0)) this.#sealFrame();
  }

  #isFull(moreBytes: number): boolean {
    return this.rawLength + moreBytes >= this.#settings.packSizes.frameBytes || this.#chunks.length >= MAX_FRAME_CHUNKS;
  }

  /** Bytes of counted chunks for the open frame; a large piece that would have it for itself is sealed where it lies. */
  #gather(bytes: Uint8Array): void {
    if (this.rawLength === 0 && bytes.length >= this.#settings.packSizes.frameBytes / 2) return this.#sealFrame(bytes);
    this.raw.set(bytes, this.rawLength);
    this.rawLength += bytes.length;
    if (this.#isFull(0)) this.#sealFrame();
  }

  #sealFrame(bytes: Uint8Array = this.raw.subarray(0, this.rawLength)): void {
    if (this.#chunks.length === 0) return;
    const pack = this.#openPack();
    pack.builder.seal(this.#sealer, bytes, this.#chunks);
    this.#chunks = [];
    this.rawLength = 0;
    if (pack.builder.finishedLength >= this.#settings.packSizes.targetBytes || pack.builder.chunks >= MAX_PACK_CHUNKS) this.#closePack(pack);
  }

  /** The pack of the open frame is chosen when its first chunk arrives, because refs name it from then on. */
  #openPack(): OpenPack {
    if (this.#pack) return this.#pack;
    const buffer = this.#packs.take();
    const id = newHexId<PackId>();
    this.#pack = { number: this.#packIds.add(id), id, buffer, builder: new PackBuilder(this.#keys, this.#settings.cipher, this.#packs.view(buffer)) };
    return this.#pack;
  }

  #closePack(pack: OpenPack): void {
    this.#pack = undefined;
    const name = names.pack(this.#settings.packClass, this.#settings.writer, pack.id);
    const finished = pack.builder.finish(name);
    this.#onPack({ name, buffer: pack.buffer, length: finished.bytes.length, sha256: finished.sha256, ids: idsOf(finished.frames) });
  }
}

export function idsOf(frames: readonly { readonly chunks: readonly PackedChunk[] }[]): Uint8Array {
  const count = frames.reduce((sum, frame) => sum + frame.chunks.length, 0);
  const ids = new Uint8Array(count * 32);
  let at = 0;
  for (const frame of frames) {
    for (const chunk of frame.chunks) {
      ids.set(chunk.id, at);
      at += 32;
    }
  }
  return ids;
}
