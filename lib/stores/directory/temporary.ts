import type { FileOps } from './file-ops.ts';
import { throwIfInterrupted } from '../interruption.ts';

/** At most so many bytes and buffers go into one call, so that an abort is noticed and no call holds a pool thread long. */
const BATCH_BYTES = 8 * 1024 * 1024;
const BATCH_PARTS = 1024;

/** Writes a new file and flushes its bytes; on any failure the file is removed as far as that still works. */
export async function writeTemporary(fileOps: FileOps, path: string, parts: readonly Uint8Array[], signal?: AbortSignal): Promise<void> {
  const file = await fileOps.create(path);
  try {
    try {
      for (const batch of batches(parts)) {
        throwIfInterrupted(signal);
        await writeAll(fileOps, file, batch);
      }
      throwIfInterrupted(signal);
      await fileOps.syncFile(file);
    } finally {
      await fileOps.close(file);
    }
  } catch (error) {
    await discard(fileOps, path);
    throw error;
  }
}

/** Removes a temporary after a failure. Failing to do so too is no news: the sweep finds it by its name. */
export async function discard(fileOps: Pick<FileOps, 'unlink'>, path: string): Promise<void> {
  await fileOps.unlink(path).catch(() => undefined);
}

/** Reads a whole range, into `spare` when that is long enough; fewer bytes than asked for only when the file ends before. */
export async function readExactly(fileOps: Pick<FileOps, 'read'>, file: number, range: { offset: number; length: number }, spare?: Uint8Array): Promise<Uint8Array> {
  const target = spare && spare.length >= range.length ? spare.subarray(0, range.length) : new Uint8Array(Buffer.allocUnsafeSlow(range.length).buffer);
  let filled = 0;
  while (filled < range.length) {
    const count = await fileOps.read(file, target.subarray(filled), range.offset + filled);
    if (count === 0) return target.subarray(0, filled);
    filled += count;
  }
  return target;
}

async function writeAll(fileOps: Pick<FileOps, 'write'>, file: number, parts: readonly Uint8Array[]): Promise<void> {
  let rest = parts;
  while (rest.length > 0) rest = withoutFirst(rest, await fileOps.write(file, rest));
}

function withoutFirst(parts: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let skipped = count;
  let index = 0;
  for (let part = parts[0]; part !== undefined && skipped >= part.byteLength; part = parts[index]) {
    skipped -= part.byteLength;
    index += 1;
  }
  const [first, ...others] = parts.slice(index);
  return first === undefined ? [] : [first.subarray(skipped), ...others];
}

function* batches(parts: readonly Uint8Array[]): Iterable<readonly Uint8Array[]> {
  let begin = 0;
  let size = 0;
  for (const [index, part] of parts.entries()) {
    if (index > begin && (size + part.byteLength > BATCH_BYTES || index - begin >= BATCH_PARTS)) {
      yield parts.slice(begin, index);
      begin = index;
      size = 0;
    }
    size += part.byteLength;
  }
  if (begin < parts.length) yield parts.slice(begin);
}
