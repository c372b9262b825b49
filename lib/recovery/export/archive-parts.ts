import type { ByteString } from '../../model/byte-string.ts';
import { display } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import { ENTRY, FLAG, isSnapshotFile, placedChunk } from '../../repository/index.ts';
import type { PlacedChunk, SnapshotEntry, SnapshotFile, SnapshotReader } from '../../repository/index.ts';
import { neverRestored } from '../decision.ts';
import { isLoss } from '../pack-jobs.ts';
import { latin1 } from '../piece-window.ts';
import type { Part } from './content-windows.ts';
import { SparseMap, isHole } from './sparse-map.ts';
import { TAR_TYPE, padding } from './tar-header.ts';
import type { TarType } from './tar-header.ts';
import { memberHeader } from './tar-member.ts';
import type { TarMember } from './tar-member.ts';

export interface ArchiveOptions {
  /** Entries that are left out, because an earlier look found them damaged. */
  readonly except: ReadonlySet<ByteString>;
  /** Whole chunks of zeros of sparse files become holes (GNU sparse format 1.0); else they are written. */
  readonly keepsHoles: boolean;
  /** Further names of a hard-linked file point to its first; else each is a file of its own. */
  readonly keepsLinks: boolean;
  /** Nothing can stand for it in an archive, or its content was never kept. */
  readonly onLeftOut: (entry: SnapshotEntry, reason: string) => void;
  readonly onLost: (path: ByteString, error: HoldfastError) => void;
}

const NODE_TYPES: Readonly<Record<number, TarType>> = { [ENTRY.directory]: TAR_TYPE.directory, [ENTRY.symlink]: TAR_TYPE.symlink, [ENTRY.fifo]: TAR_TYPE.fifo, [ENTRY.characterDevice]: TAR_TYPE.characterDevice, [ENTRY.blockDevice]: TAR_TYPE.blockDevice };

/** Entries in their order as parts of a tar archive, without its end; a large file in several batches. */
export async function* archiveParts(reader: SnapshotReader, batches: AsyncIterable<readonly SnapshotEntry[]>, options: ArchiveOptions): AsyncGenerator<Part[]> {
  const links = new Map<string, ByteString>();
  for await (const entries of batches) {
    let parts: Part[] = [];
    for (const entry of entries) {
      if (!isWritten(entry, options)) continue;
      if (!isSnapshotFile(entry)) parts.push(memberHeader(nodeMember(entry)));
      else if (!options.keepsLinks || !addLink(entry, links, parts)) {
        if (!(entry.flags & FLAG.listed)) addFile(entry, options, parts);
        else {
          yield parts;
          parts = [];
          yield* largeFile(reader, entry, options);
        }
      }
    }
    yield parts;
  }
}

function isWritten(entry: SnapshotEntry, { except, onLeftOut }: ArchiveOptions): boolean {
  if (except.has(entry.path)) return false;
  const reason = neverRestored(entry)?.reason;
  if (reason !== undefined) onLeftOut(entry, reason);
  return reason === undefined;
}

function nodeMember(entry: Exclude<SnapshotEntry, SnapshotFile>): TarMember {
  const { type, path, mode, uid, gid, mtimeSeconds, mtimeNanoseconds } = entry;
  const common = { type: NODE_TYPES[type] as TarType, path, size: 0, mode, uid, gid, mtimeSeconds, mtimeNanoseconds };
  if (type === ENTRY.symlink) return { ...common, linkTarget: entry.target, ...xattrsOf(entry) };
  if (type === ENTRY.directory) return { ...common, ...xattrsOf(entry) };
  return { ...common, device: entry };
}

function fileMember(entry: SnapshotFile, size: number): TarMember {
  const { path, mode, uid, gid, mtimeSeconds, mtimeNanoseconds } = entry;
  return { type: TAR_TYPE.file, path, size, mode, uid, gid, mtimeSeconds, mtimeNanoseconds, ...xattrsOf(entry) };
}

function xattrsOf({ xattrs }: Pick<SnapshotFile, 'xattrs'>): Pick<TarMember, 'xattrs'> {
  return xattrs === undefined ? {} : { xattrs };
}

/** Further names of a hard-linked file point to the first one in the archive. */
function addLink(entry: SnapshotFile, links: Map<string, ByteString>, parts: Part[]): boolean {
  if (!entry.linkGroup) return false;
  const group = latin1(entry.linkGroup);
  const first = links.get(group);
  if (first === undefined) links.set(group, entry.path);
  else parts.push(memberHeader({ ...fileMember(entry, 0), type: TAR_TYPE.hardLink, linkTarget: first }));
  return first !== undefined;
}

function addFile(entry: SnapshotFile, options: ArchiveOptions, parts: Part[]): void {
  const chunks = entry.refs.map(placedChunk);
  const layout = layoutOf(entry, options);
  for (const chunk of chunks) layout.add(chunk);
  if (!layout.isComplete) return options.onLost(entry.path, shortFile(layout));
  parts.push(layout.header());
  parts.push(...layout.contents(chunks));
  parts.push(padding(layout.storedBytes));
}

/** Its list of chunks is read twice, once for the header: the list is never whole in memory. */
async function* largeFile(reader: SnapshotReader, entry: SnapshotFile, options: ArchiveOptions): AsyncGenerator<Part[]> {
  const layout = layoutOf(entry, options);
  try {
    for await (const chunks of reader.chunkBatches(entry)) for (const chunk of chunks) layout.add(chunk);
  } catch (error) {
    if (!isLoss(error)) throw error;
    return options.onLost(entry.path, error as HoldfastError);
  }
  if (!layout.isComplete) return options.onLost(entry.path, shortFile(layout));
  yield [layout.header()];
  for await (const chunks of reader.chunkBatches(entry)) yield layout.contents(chunks);
  yield [padding(layout.storedBytes)];
}

function layoutOf(entry: SnapshotFile, { keepsHoles }: ArchiveOptions): FileLayout {
  return new FileLayout(entry, keepsHoles && (entry.flags & FLAG.sparse) !== 0);
}

/** How the content of one file stands in the archive, known from the ids of its chunks alone. */
class FileLayout {
  readonly #entry: SnapshotFile;
  readonly #sparse: SparseMap | undefined;
  size = 0;
  #written = 0;

  constructor(entry: SnapshotFile, isSparse: boolean) {
    this.#entry = entry;
    this.#sparse = isSparse ? new SparseMap() : undefined;
  }

  get entry(): SnapshotFile {
    return this.#entry;
  }

  add(chunk: PlacedChunk): void {
    this.size += chunk.length;
    this.#sparse?.add(chunk);
  }

  /** A file that changed while it was read may have another length than its record. */
  get isComplete(): boolean {
    return this.size === this.#entry.size || (this.#entry.flags & FLAG.changed) !== 0;
  }

  get storedBytes(): number {
    return this.#holes?.dataBytes ?? this.size;
  }

  /** What stands for the next chunks; once for each, in their order. */
  contents(chunks: readonly PlacedChunk[]): Part[] {
    const holes = this.#holes;
    const { path } = this.#entry;
    return chunks.map((chunk) => {
      const offset = this.#written;
      this.#written += chunk.length;
      return holes !== undefined && isHole(chunk) ? new Uint8Array(holes.zerosStored(offset, chunk.length)) : { path, chunk };
    });
  }

  header(): Uint8Array {
    const sparse = this.#holes;
    return memberHeader({ ...fileMember(this.#entry, this.size), ...(sparse && { sparse }) });
  }

  get #holes(): SparseMap | undefined {
    return this.#sparse?.hasHoles ? this.#sparse : undefined;
  }
}

function shortFile({ entry, size }: FileLayout): HoldfastError {
  return new HoldfastError('damaged', `The chunks of ${display(entry.path)} hold ${size} bytes, wanted ${entry.size}`);
}
