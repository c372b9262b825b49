import type { ByteString } from '../model/byte-string.ts';
import { Chunker, gearTable } from '../repository/index.ts';
import { StreamInspection } from '../sources/stream-inspection.ts';
import { crunchFiles } from './crunch-files.ts';
import type { CrunchFilesOptions } from './crunch-files.ts';
import type { CrunchPool, ReadStream } from './crunch-pool.ts';
import type { BlockResult, CrunchSettings, CrunchedPack, FilesResult } from './crunch-settings.ts';
import { Cruncher } from './cruncher.ts';
import { cutStream } from './cutter.ts';
import type { StreamEnd } from './cutter.ts';
import { GrowingBuffers } from './shared-buffers.ts';

/** The same work in the calling thread: for simulations, and for runs so small that starting threads would cost more. */
export class InlinePool implements CrunchPool {
  readonly width = 1;
  readonly #cruncher: Cruncher;
  readonly #settings: CrunchSettings;
  readonly #files: CrunchFilesOptions;

  constructor(settings: CrunchSettings, packs: GrowingBuffers, onPack: (pack: CrunchedPack) => void, files: CrunchFilesOptions) {
    this.#settings = settings;
    this.#files = files;
    this.#cruncher = new Cruncher(settings, onPack, packs);
  }

  async files(paths: readonly ByteString[]): Promise<FilesResult> {
    return crunchFiles(this.#cruncher, paths, this.#files);
  }

  async stream({ fd, sizes, inspection }: ReadStream, onBlock: (result: BlockResult) => void): Promise<StreamEnd> {
    const chunker = this.#settings.chunker[sizes];
    const blocks = new GrowingBuffers(chunker.max * 2);
    return cutStream(fd, new Chunker(gearTable(this.#settings.keys.chunker), chunker), blocks, (block) => {
      onBlock(this.#cruncher.crunchBlock(blocks.view(block.buffer), block.lengths));
      blocks.give(block.buffer);
    }, { inspection: inspection && new StreamInspection(inspection) });
  }

  get blockBytes(): number {
    return this.#settings.chunker.files.max * 2;
  }

  async chunks(chunks: readonly Uint8Array[]): Promise<BlockResult> {
    return this.#cruncher.crunchBlock(Buffer.concat(chunks), chunks.map(({ length }) => length));
  }

  /** Plain bytes at hand, cut like a stream. */
  bytes(content: Uint8Array): BlockResult {
    const chunker = new Chunker(gearTable(this.#settings.keys.chunker), this.#settings.chunker.streams);
    const lengths: number[] = [];
    for (let start = 0; start < content.length; ) {
      const length = chunker.cut(content, start, content.length);
      lengths.push(length);
      start += length;
    }
    return this.#cruncher.crunchBlock(content, lengths);
  }

  async flush(): Promise<void> {
    this.#cruncher.flush();
  }

  async close(): Promise<void> {
    // Nothing runs between calls.
  }
}
