import type { ByteString } from '../../model/byte-string.ts';
import { isHoldfastError } from '../../model/errors.ts';
import { FLAG, decodeBody, followReplaced, isFile } from '../../repository/index.ts';
import type { ChunkRef, SnapshotReader, TreeRecord } from '../../repository/index.ts';

/** A chunk that entries need from a pack that is not whole. */
export interface Want {
  readonly length: number;
  /** The first entry that needs it; undefined for a part of the entry tree itself. */
  readonly path: ByteString | undefined;
}

/** By chunk id in hexadecimal digits. */
export type Wants = ReadonlyMap<string, Want>;

export interface Needs {
  /** By id of the pack as the backup's newest refs name it. */
  readonly byPack: ReadonlyMap<string, Wants>;
  /** False: a part of the tree cannot be read, so more may be needed than is known. */
  readonly isWhole: boolean;
}

/** What the entries of one backup need from these packs. Reads its whole tree, and not one byte of contents. */
export async function readNeeds(reader: SnapshotReader, packIds: ReadonlySet<string>): Promise<Needs> {
  const needs = new NeedsOf(reader, packIds);
  await needs.read();
  return needs;
}

class NeedsOf implements Needs {
  readonly byPack = new Map<string, Map<string, Want>>();
  isWhole = true;
  readonly #reader: SnapshotReader;
  /** From the id that stands in records to that of the pack, for those that are asked about. */
  readonly #packs: ReadonlyMap<string, string>;

  constructor(reader: SnapshotReader, packIds: ReadonlySet<string>) {
    this.#reader = reader;
    const follow = followReplaced(reader.refs);
    this.#packs = new Map([...packIds, ...reader.refs.replaced.map(({ old }) => old)].map((id) => [id, follow(id)] as const).filter(([, pack]) => packIds.has(pack)));
  }

  async read(): Promise<void> {
    const { base, delta } = this.#reader.manifest.tree;
    for (const { id, pack, length } of [...base.chunks, ...(delta?.chunks ?? [])]) this.#want(pack, id, { length, path: undefined });
    const lose = () => void (this.isWhole = false);
    for await (const records of this.#reader.recordBatches('' as ByteString, lose)) {
      for (const record of records) await this.#readRecord(record);
    }
  }

  async #readRecord({ path, body }: TreeRecord): Promise<void> {
    try {
      const entry = decodeBody(body, 'an entry');
      if (!isFile(entry)) return;
      this.#wantAll(path, entry.refs);
      if (!(entry.flags & FLAG.listed)) return;
      for (const { id, packId, length } of await this.#reader.chunksOf({ ...entry, path })) this.#want(packId, hex(id), { length, path });
    } catch (error) {
      if (!isHoldfastError(error, 'damaged') && !isHoldfastError(error, 'not-found')) throw error;
      this.isWhole = false;
    }
  }

  #wantAll(path: ByteString, refs: readonly ChunkRef[]): void {
    for (const { id, pack, length } of refs) this.#want(hex(pack), hex(id), { length, path });
  }

  #want(rawPack: string, id: string, want: Want): void {
    const pack = this.#packs.get(rawPack);
    if (pack === undefined) return;
    const wants = this.byPack.get(pack) ?? new Map<string, Want>();
    this.byPack.set(pack, wants);
    if (!wants.has(id)) wants.set(id, want);
  }
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
