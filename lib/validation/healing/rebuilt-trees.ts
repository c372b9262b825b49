import { byteString } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { isHoldfastError } from '../../model/errors.ts';
import { SnapshotReader, TreeStreamWriter, comparePaths, followReplaced, listSnapshots, sha256 } from '../../repository/index.ts';
import type { Repository, TreeChunk, TreeRoot } from '../../repository/index.ts';
import type { WoundedBackup } from './wounded-backups.ts';

/** Newest backups of a plan whose records are tried: the one that was just made has every entry that is still there. */
const TRIED = 3;

/**
 * Parts of base trees, written again from the records that other backups of the same plan have in the same range of
 * paths. Where no entry in it changed they are the same bytes, which their digest proves; by id in hexadecimal digits.
 */
export async function rebuildTreeChunks(repository: Repository, backups: readonly WoundedBackup[], packId: string, missing: ReadonlySet<string>): Promise<Map<string, Uint8Array>> {
  const rebuilt = new Map<string, Uint8Array>();
  for (const [plan, wounded] of Map.groupBy(backups, ({ manifest }) => manifest.plan)) {
    const passedOver = new Set(wounded.map(({ snapshot }) => snapshot));
    const others = (await listSnapshots(repository.store, plan)).filter(({ name }) => !passedOver.has(name)).sort((left, right) => right.storedAt - left.storedAt);
    for (const { name } of others.slice(0, TRIED)) {
      const ranges = rangesOf(wounded, packId).filter(({ id }) => missing.has(id) && !rebuilt.has(id));
      if (ranges.length > 0) await readInto(rebuilt, repository, name, ranges);
    }
  }
  return rebuilt;
}

interface Range {
  readonly id: string;
  readonly length: number;
  readonly from: ByteString;
  /** The first path that is not in it; undefined for the last. */
  readonly to: ByteString | undefined;
}

/** In the order of paths; backups that share a base share its ranges. */
function rangesOf(wounded: readonly WoundedBackup[], packId: string): Range[] {
  const ranges = new Map<string, Range>();
  for (const { manifest, refs } of wounded) {
    const follow = followReplaced(refs);
    const { chunks } = manifest.tree.base;
    for (const [index, chunk] of chunks.entries()) {
      const next = chunks[index + 1];
      if (follow(chunk.pack) === packId) ranges.set(chunk.id, { id: chunk.id, length: chunk.length, from: firstOf(chunk), to: next && firstOf(next) });
    }
  }
  return [...ranges.values()].sort((left, right) => comparePaths(left.from, right.from));
}

function firstOf({ first }: TreeRoot['chunks'][number]): ByteString {
  return byteString(Buffer.from(first, 'base64'));
}

async function readInto(rebuilt: Map<string, Uint8Array>, repository: Repository, snapshot: string, ranges: readonly Range[]): Promise<void> {
  const byFirst = new Map(ranges.map((range) => [range.from as string, range]));
  let writing: { range: Range; writer: TreeStreamWriter } | undefined;
  const keep = (range: Range, { bytes }: TreeChunk) => {
    if (bytes.length === range.length && sha256(bytes).toString('hex') === range.id) rebuilt.set(range.id, bytes);
  };
  try {
    const reader = await SnapshotReader.open(repository, snapshot);
    for await (const records of reader.recordBatches('' as ByteString, () => undefined)) {
      for (const { path, body } of records) {
        if (writing && writing.range.to !== undefined && comparePaths(path, writing.range.to) >= 0) {
          writing.writer.finish();
          writing = undefined;
        }
        if (!writing) {
          const range = byFirst.get(path);
          writing = range && { range, writer: new TreeStreamWriter((chunk) => keep(range, chunk), Infinity) };
        }
        writing?.writer.add(path, body);
      }
    }
    writing?.writer.finish();
  } catch (error) {
    // That backup cannot help; the next one may.
    if (!isHoldfastError(error, 'damaged') && !isHoldfastError(error, 'not-found')) throw error;
  }
}
