import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { display, fromText, fsPath } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import { HoldfastError, invariant } from '../model/errors.ts';
import { isSnapshotFile } from '../repository/index.ts';
import type { SnapshotFile, SnapshotReader } from '../repository/index.ts';
import { selectEntries } from './selection.ts';

export interface RestoredCheck {
  readonly files: number;
  readonly bytes: number;
  /** Files of the backup that were not looked at: the budget was spent. */
  readonly unchecked: number;
  /** One line each. */
  readonly problems: readonly string[];
}

export interface CheckOptions {
  readonly patterns: readonly string[];
  /** Paths that the restore itself reported as left out. */
  readonly except?: ReadonlySet<ByteString>;
  /** Plain bytes to read; all of it when that is more than there is. */
  readonly maximumBytes: number;
  readonly signal: AbortSignal;
  readonly onProgress: (doneBytes: number) => void;
}

/**
 * Reads restored files again and compares each with the SHA-256 of the backup (R8). With a budget, every n-th
 * file is read, so that the whole tree is touched. Follows no link.
 */
export async function checkRestored(reader: SnapshotReader, target: string, options: CheckOptions): Promise<RestoredCheck> {
  const selection = selectEntries(options.patterns);
  const every = Math.max(1, Math.ceil(reader.manifest.statistics.bytes / options.maximumBytes));
  const problems: string[] = [];
  let [files, bytes, unchecked, number] = [0, 0, 0, 0];
  for await (const entry of reader.entries()) {
    options.signal.throwIfAborted();
    if (!isSnapshotFile(entry) || !selection.matches(entry.path) || options.except?.has(entry.path)) continue;
    if (number++ % every !== 0) {
      unchecked++;
      continue;
    }
    const problem = await problemOf(`${fromText(target)}/${entry.path}` as ByteString, { size: entry.size, sha256: await digestOf(reader, entry) });
    if (problem !== undefined) problems.push(`${display(entry.path)}: ${problem}`);
    files++;
    bytes += entry.size;
    options.onProgress(bytes);
  }
  return { files, bytes, unchecked, problems };
}

/** A file of one chunk carries no digest of its own: the chunk's id is it (format §6). */
async function digestOf(reader: SnapshotReader, file: SnapshotFile): Promise<Uint8Array> {
  if (file.sha256 !== undefined) return file.sha256;
  const [only, ...more] = await reader.chunksOf(file);
  if (only === undefined) return createHash('sha256').digest();
  invariant(more.length === 0, `${display(file.path)} has several chunks and no digest`);
  return only.id;
}

async function problemOf(path: ByteString, { size, sha256 }: { readonly size: number; readonly sha256: Uint8Array }): Promise<string | undefined> {
  const file = await open(fsPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(({ code }: NodeJS.ErrnoException) => code ?? 'no reason given');
  if (typeof file === 'string') return file === 'ENOENT' ? 'is not there' : `cannot be read (${file})`;
  try {
    const hash = createHash('sha256');
    let length = 0;
    for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      length += chunk.length;
    }
    if (length !== size) return `has ${length} bytes, wanted ${size}`;
    return hash.digest().equals(Buffer.from(sha256)) ? undefined : 'holds other bytes than the backup';
  } catch (cause) {
    throw new HoldfastError('permission', `${display(path)} could not be read back (${(cause as NodeJS.ErrnoException).code ?? String(cause)}).`, { cause });
  } finally {
    await file.close();
  }
}
