import { display } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { SnapshotFile, SnapshotReader } from '../../repository/index.ts';
import { isLoss } from '../pack-jobs.ts';
import type { Part, ReadPart } from './content-windows.ts';
import { endOfArchive } from './tar-header.ts';

/** Headers and small files are joined to blocks of this size: each write costs more than the bytes. */
const BLOCK_BYTES = 256 << 10;

/** Parts as blocks to write. Ends as `damaged`, naming the entry, at the first content that is gone. */
export async function* exportBlocks(windows: AsyncIterable<readonly ReadPart[]>, options: { readonly isArchive: boolean; readonly onContent: (bytes: number) => void }): AsyncGenerator<Uint8Array> {
  let small: Uint8Array[] = [];
  let smallBytes = 0;
  let total = 0;
  for await (const window of windows) {
    for (const { wanted, content } of window) {
      if (!(content instanceof Uint8Array)) throw entryDamaged(wanted?.path ?? ('' as ByteString), content);
      if (wanted !== undefined) options.onContent(content.length);
      total += content.length;
      small.push(content);
      smallBytes += content.length;
      if (smallBytes < BLOCK_BYTES) continue;
      yield small.length === 1 ? content : Buffer.concat(small, smallBytes);
      small = [];
      smallBytes = 0;
    }
  }
  if (options.isArchive) small.push(endOfArchive(total));
  if (small.length > 0) yield Buffer.concat(small);
}

/** The content of one entry as it is. Its list of chunks may lie in chunks that are gone. */
export async function* rawParts(reader: SnapshotReader, entry: SnapshotFile): AsyncGenerator<Part[]> {
  try {
    for await (const chunks of reader.chunkBatches(entry)) yield chunks.map((chunk) => ({ path: entry.path, chunk }));
  } catch (error) {
    throw isLoss(error) ? entryDamaged(entry.path, error) : error;
  }
}

export function entryDamaged(path: ByteString, { message }: Error): HoldfastError {
  return new HoldfastError('damaged', `${display(path) || 'The top directory'} is damaged: ${message.replace(/\.$/, '')}. Nothing was exported.`, {
    nextStep: 'Run `holdfast verify --level full` to see all that is touched, export an older backup, or leave out what is damaged with --keep-going.', data: { path: display(path) },
  });
}
