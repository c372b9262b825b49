import { newHexId } from '../model/ids.ts';
import type { PackId } from '../model/ids.ts';
import { FrameSealer, PackBuilder, names, sha256 } from '../repository/index.ts';
import type { BackupSession, PackedChunk } from '../repository/index.ts';

/** Meta packs are smaller than data packs: `ls` fetches from them. */
const TARGET_BYTES = 8 << 20;
/** Half of a data frame: who looks at one directory opens one. */
const FRAME_BYTES = 1 << 20;
const TREE_COMPRESSION = { algorithm: 'zstd', level: 3 } as const;

/** Gathers tree and list chunks into packs of class `meta`, sealed with the meta key, in the main thread. */
export class MetaPacks {
  readonly #session: BackupSession;
  readonly #sealer: FrameSealer;
  #raw: Uint8Array[] = [];
  #rawLength = 0;
  #chunks: PackedChunk[] = [];
  #pack: { readonly id: PackId; readonly builder: PackBuilder } | undefined;
  #stores: Promise<void>[] = [];

  constructor(session: BackupSession) {
    this.#session = session;
    const { keys, cipher } = session.repository;
    this.#sealer = new FrameSealer(keys, cipher, 'tree', TREE_COMPRESSION, session.options.random);
  }

  /** Takes a chunk; `bytes` must not change afterwards. */
  add(bytes: Uint8Array): { readonly id: Uint8Array; readonly packId: string } {
    const pack = this.#openPack();
    const id = sha256(bytes);
    this.#raw.push(bytes);
    this.#rawLength += bytes.length;
    this.#chunks.push({ id, length: bytes.length });
    if (this.#rawLength >= FRAME_BYTES) this.#sealFrame();
    return { id, packId: pack.id };
  }

  /** Everything durable. */
  async finish(): Promise<void> {
    this.#sealFrame();
    this.#closePack();
    await Promise.all(this.#stores);
  }

  #openPack(): { readonly id: PackId; readonly builder: PackBuilder } {
    const { keys, cipher } = this.#session.repository;
    // Pages of the buffer are touched only as far as it is filled; frame and directory fit behind the target.
    this.#pack ??= { id: newHexId<PackId>(this.#session.options.random), builder: new PackBuilder(keys, cipher, new Uint8Array(TARGET_BYTES + (6 << 20))) };
    return this.#pack;
  }

  #sealFrame(): void {
    if (this.#chunks.length === 0) return;
    const pack = this.#openPack();
    pack.builder.seal(this.#sealer, Buffer.concat(this.#raw), this.#chunks);
    this.#raw = [];
    this.#rawLength = 0;
    this.#chunks = [];
    if (pack.builder.length >= TARGET_BYTES) this.#closePack();
  }

  #closePack(): void {
    const pack = this.#pack;
    if (!pack) return;
    this.#pack = undefined;
    const finished = pack.builder.finish(names.pack('meta', this.#session.options.writer.id, pack.id), this.#session.options.random);
    const stored = this.#session.storePack(finished.name, finished.bytes, finished.sha256, Buffer.concat(finished.frames.flatMap((frame) => frame.chunks.map((chunk) => chunk.id))));
    stored.catch(() => undefined);
    this.#stores.push(stored);
  }
}
