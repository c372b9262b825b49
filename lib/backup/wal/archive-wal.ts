import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { newUlid } from '../../model/ids.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { Clock } from '../../model/clock.ts';
import { putWal, releaseAll, walFile } from '../../repository/index.ts';
import type { PutWal, Repository, WalBytes, WalFile } from '../../repository/index.ts';
import { LONG_HEADER_BYTES, checkSegment, segmentHeader } from '../../sources/postgres/wal/page-header.ts';
import type { SegmentHeader } from '../../sources/postgres/wal/page-header.ts';
import { parseTimelineHistory } from '../../sources/postgres/wal/timeline-history.ts';

export interface WalArchive {
  readonly repository: Repository;
  /** Opaque id of the plan. */
  readonly plan: string;
  readonly clock: Pick<Clock, 'now'>;
  readonly signal?: AbortSignal | undefined;
}

export interface WalSource {
  /** Where the file is. */
  readonly path: string;
  /** `%f` of archive_command. */
  readonly name: string;
  /** Of the server that it comes from. Histories and labels do not say it themselves. */
  readonly systemId?: string | undefined;
}

export interface ArchivedWal extends PutWal {
  readonly kind: WalFile['kind'];
  readonly name: string;
  readonly timeline: number;
  readonly systemId: string;
  readonly sizeBytes: number;
  /** 0 of what is no segment. */
  readonly segmentBytes: number;
}

/** A history has a line for each promotion; a label has about ten lines. */
const MAX_TEXT_BYTES = 1 << 20;
const SCANNED_BYTES = 1 << 20;

/**
 * Keeps one file that PostgreSQL gave away. When this returns it is durable in the vault. What is not what its name says
 * is refused (`source-failed`), other bytes under the same name too (`already-exists`); both leave the vault as it was.
 */
export async function archiveWal(archive: WalArchive, source: WalSource): Promise<ArchivedWal> {
  const file = walFile(source.name);
  const handle = await opened(source.path);
  try {
    const { size } = await handle.stat();
    const isText = file.kind === 'history' || file.kind === 'label';
    return isText ? await archiveText(archive, source, file, handle, size) : await archiveSegment(archive, source, file, handle, size);
  } finally {
    await handle.close();
  }
}

async function archiveSegment(archive: WalArchive, source: WalSource, file: WalFile, handle: FileHandle, size: number): Promise<ArchivedWal> {
  const header = segmentHeader(await read(handle, 0, Math.min(size, LONG_HEADER_BYTES), source.path), source.path);
  checkSegment(header, { ...file, sizeBytes: size, systemId: source.systemId });
  let last: Uint8Array | undefined;
  const sizeBytes = file.kind === 'partial' ? await usedBytes(handle, size, header, source.path) : size;
  const bytes: WalBytes = { sizeBytes, read: async (offset, length) => (last = await read(handle, offset, length, source.path)) };
  const { segmentBytes, systemId } = header;
  const partial = file.kind === 'partial' ? { partial: { bytes: sizeBytes, id: newUlid(archive.clock.now()) } } : {};
  const put = await putWal(archive.repository, { plan: archive.plan, systemId, ...file, ...partial, segmentBytes }, bytes, { signal: archive.signal });
  if (last) releaseAll(last);
  return { ...put, kind: file.kind, name: file.name, timeline: file.timeline, systemId, sizeBytes, segmentBytes };
}

async function archiveText({ repository, plan, signal }: WalArchive, { path, systemId }: WalSource, file: WalFile, handle: FileHandle, size: number): Promise<ArchivedWal> {
  if (systemId === undefined) throw new HoldfastError('usage', `${file.name} does not say of which system it is, and no global/pg_control is where PostgreSQL runs archive_command.`, { nextStep: 'Let PostgreSQL run this command, or give --system-id.' });
  if (size > MAX_TEXT_BYTES || size === 0) throw new HoldfastError('source-failed', `${path} has ${size} bytes, which is no ${file.kind === 'history' ? 'timeline history' : 'label of a base backup'}. Nothing was archived.`, { nextStep: 'Look at the file.' });
  const content = await read(handle, 0, size, path);
  const text = Buffer.from(content).toString('utf8');
  if (file.kind === 'history') parseTimelineHistory(text, path);
  else if (!/^START WAL LOCATION: /m.test(text)) throw new HoldfastError('source-failed', `${path} is no label of a base backup: it has no line "START WAL LOCATION". Nothing was archived.`, { nextStep: 'Look at the file.' });
  const put = await putWal(repository, { plan, systemId, ...file, segmentBytes: 0 }, { sizeBytes: size, read: async () => content }, { signal });
  return { ...put, kind: file.kind, name: file.name, timeline: file.timeline, systemId, sizeBytes: size, segmentBytes: 0 };
}

/** Behind the last page with anything in it: a segment is made of zeroes before it is written. */
async function usedBytes(handle: FileHandle, size: number, { pageBytes }: SegmentHeader, path: string): Promise<number> {
  for (let end = size; end > 0; end -= SCANNED_BYTES) {
    const begin = Math.max(0, end - SCANNED_BYTES);
    const bytes = await read(handle, begin, end - begin, path);
    const last = bytes.findLastIndex((byte) => byte !== 0);
    if (last >= 0) return Math.min(size, Math.ceil((begin + last + 1) / pageBytes) * pageBytes);
  }
  return 0;
}

async function opened(path: string): Promise<FileHandle> {
  return open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    throw new HoldfastError('source-failed', `${path} cannot be read (${cause.code}). Nothing was archived.`, { nextStep: 'archive_command must give %p, and its user must be the one that the server runs as.', cause });
  });
}

async function read(handle: FileHandle, offset: number, length: number, path: string): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) throw new HoldfastError('source-failed', `${path} ended after ${offset + filled} bytes, wanted ${offset + length}: it became shorter while it was read. Nothing was archived.`, { nextStep: 'PostgreSQL changes no segment that it gives away: archive_command must be given %p.' });
    filled += bytesRead;
  }
  return bytes;
}
