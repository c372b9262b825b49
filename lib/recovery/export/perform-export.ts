import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import type { ByteString } from '../../model/byte-string.ts';
import { display, fromText, fsPath } from '../../model/byte-string.ts';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { makeMissingFolders } from '../../model/make-missing-folders.ts';
import type { ProcessTable } from '../../model/process-owner.ts';
import { ENTRY, names, readManifest } from '../../repository/index.ts';
import type { SnapshotFile, SnapshotReader } from '../../repository/index.ts';
import { contentDigest } from '../content-digest.ts';
import { walkEntries } from '../entry-walk.ts';
import { selectEntries } from '../selection.ts';
import { keepHeapSmall } from '../small-heap.ts';
import { archiveParts } from './archive-parts.ts';
import { readParts } from './content-windows.ts';
import type { Part } from './content-windows.ts';
import { entryDamaged, exportBlocks, rawParts } from './export-blocks.ts';
import { checksumLine, exportMetadata, incompleteNote } from './export-metadata.ts';
import type { ExportFacts, ExportedContent, LeftOut } from './export-metadata.ts';
import { findLeftovers, removeLeftovers } from './export-leftovers.ts';
import type { ExportLeftover } from './export-leftovers.ts';
import type { ExportPlan, PlannedExport } from './export-plan.ts';
import { findLosses } from './find-losses.ts';
import { EXPORT_FORMATS } from './formats.ts';
import type { FormatRow } from './formats.ts';
import { NewFile, folderOf, refuseExisting, removeIfThere, writeError, writing } from './new-file.ts';
import { TAR_TYPE, padded } from './tar-header.ts';
import { memberHeader } from './tar-member.ts';

export interface ExportProgress {
  readonly phase: 'checking' | 'exporting';
  /** Plain bytes. */
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface ExportOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** Of this program, for the metadata. */
  readonly version: string;
  /** Where an export without a path goes; not ended. */
  readonly stream: NodeJS.WritableStream;
  /** Who runs on this machine: tells whether what an earlier export left is at work still. */
  readonly processes: ProcessTable;
  readonly onProgress?: (progress: ExportProgress) => void;
}

export interface ExportReport {
  readonly backup: string;
  /** The documents that stand beside the exports. */
  readonly exports: readonly ExportedFile[];
  readonly leftOut: readonly LeftOut[];
  /** What earlier exports left there: removed where it is abandoned. */
  readonly leftovers: readonly ExportLeftover[];
  readonly isComplete: boolean;
  readonly durationMilliseconds: number;
}

export interface ExportedFile extends Pick<ExportFacts, 'name' | 'bytes' | 'sha256'> {
  readonly path: ByteString | undefined;
  readonly metadata: object;
}

/** Name of the text at the top of an archive from which something damaged is missing. */
export const INCOMPLETE_NAME = 'HOLDFAST-EXPORT-INCOMPLETE.txt';

/**
 * Does what the plan says. A file gets its name when it is whole, flushed, and its metadata and checksum stand beside it.
 * Throws `target-exists`, `damaged` (naming the entry; unless the request goes on), `no-space`, `permission`,
 * `interrupted`; what was begun is removed then, and exports that were finished before stay.
 */
export async function performExport(reader: SnapshotReader, plan: ExportPlan, options: ExportOptions): Promise<ExportReport> {
  keepHeapSmall();
  return new ExportRun(reader, plan, options).perform();
}

/** `target-exists` when something has one of the names that the export would give. */
export async function refuseTaken({ exports }: ExportPlan): Promise<void> {
  await refuseExisting(exports.flatMap(({ path }) => (path === undefined ? [] : namesOf(path))));
}

/** What earlier exports did not come to finish where this one would write. */
export async function leftoversFor({ request: { target } }: ExportPlan, { processes, clock }: Pick<ExportOptions, 'processes' | 'clock'>): Promise<ExportLeftover[]> {
  if (target.kind === 'stream') return [];
  return findLeftovers(target.kind === 'folder' ? target.path : folderOf(target.path), { processes, now: clock.now() });
}

class ExportRun {
  readonly #reader: SnapshotReader;
  readonly #plan: ExportPlan;
  readonly #options: ExportOptions;
  readonly #leftOut = new Map<ByteString, LeftOut>();
  #doneBytes = 0;

  constructor(reader: SnapshotReader, plan: ExportPlan, options: ExportOptions) {
    this.#reader = reader;
    this.#plan = plan;
    this.#options = options;
  }

  async perform(): Promise<ExportReport> {
    const { clock } = this.#options;
    const { request, treeDamage } = this.#plan;
    const { target } = request;
    const startedAt = clock.now();
    await refuseTaken(this.#plan);
    if (target.kind === 'folder') await writing(target.path, async () => makeMissingFolders(target.path));
    const leftovers = await leftoversFor(this.#plan, this.#options);
    // First of all: they may be what fills the disk.
    const removed = new Set(await removeLeftovers(leftovers));
    const [torn] = treeDamage;
    if (torn && !request.isGoingOn) throw entryDamaged(torn.from, torn.error);
    if (request.isGoingOn) await this.#findLosses();
    const done: ExportedFile[] = [];
    for (const planned of this.#exportsLeft()) done.push(await this.#export(planned));
    const leftOut = [...this.#leftOut.values()];
    return { backup: this.#reader.manifest.backup, exports: done, leftOut, leftovers: leftovers.filter((one) => removed.has(one) || !one.isAbandoned), isComplete: treeDamage.length === 0 && !leftOut.some(({ kind }) => kind === 'damaged'), durationMilliseconds: clock.now() - startedAt };
  }

  async #findLosses(): Promise<void> {
    const { keepsHoles, signal } = this.#plan.request;
    const lost = await findLosses(this.#reader, this.#entries(), { keepsHoles, signal, onRead: (bytes) => this.#progress('checking', bytes) });
    for (const [path, reason] of lost) this.#leftOut.set(path, { path, kind: 'damaged', reason });
    this.#doneBytes = 0;
  }

  /** A single damaged stream leaves nothing to export. */
  #exportsLeft(): readonly PlannedExport[] {
    const left = this.#plan.exports.filter(({ entry }) => entry === undefined || !this.#leftOut.has(entry.path));
    const [lost] = this.#leftOut.values();
    if (left.length === 0 && lost) throw entryDamaged(lost.path, new Error(lost.reason));
    return left;
  }

  async #export(planned: PlannedExport): Promise<ExportedFile> {
    if (planned.path === undefined) return this.#write(planned, (bytes) => writeTo(this.#options.stream, bytes));
    const { path } = planned;
    const { self } = this.#options.processes;
    const file = await NewFile.create(path, self);
    const beside: NewFile[] = [];
    try {
      const done = await this.#write(planned, (bytes) => writing(path, () => writeAll(file, bytes)));
      const [, metadata, checksum] = namesOf(path) as [ByteString, ByteString, ByteString];
      beside.push(await NewFile.write(metadata, Buffer.from(`${JSON.stringify(done.metadata, null, 2)}\n`), self));
      beside.push(await NewFile.write(checksum, checksumLine(done.sha256, planned.name), self));
      // What is beside it comes first: whoever sees the export may rely on it.
      await publishAll([...beside, file]);
      return done;
    } catch (error) {
      for (const begun of [file, ...beside]) await begun.discard();
      throw error;
    }
  }

  async #write(planned: PlannedExport, write: (bytes: Uint8Array) => Promise<void>): Promise<ExportedFile> {
    const { request, format } = this.#plan;
    const hash = createHash('sha256');
    let bytes = 0;
    const sink = async (source: AsyncIterable<Uint8Array>) => {
      for await (const block of source) {
        hash.update(block);
        bytes += block.length;
        await write(block);
      }
    };
    const compressor = (EXPORT_FORMATS[format] as FormatRow).compressor?.();
    const blocks = exportBlocks(readParts(this.#reader, this.#parts(planned), request.signal), { isArchive: planned.entry === undefined, onContent: (count) => this.#progress('exporting', count) });
    try {
      if (compressor) await pipeline(blocks, compressor, sink, { signal: request.signal });
      else await pipeline(blocks, sink, { signal: request.signal });
    } catch (error) {
      if (request.signal.aborted && !isHoldfastError(error, 'damaged')) throw request.signal.reason;
      throw planned.path === undefined ? streamError(error) : writeError(planned.path, error);
    }
    const digest = hash.digest('hex');
    if (planned.entry) refuseOtherContent(planned.entry, digest);
    return { path: planned.path, name: planned.name, bytes, sha256: digest, metadata: await this.#metadata(planned, { bytes, sha256: digest }) };
  }

  async #metadata({ name, entry }: PlannedExport, { bytes, sha256 }: { bytes: number; sha256: string }): Promise<object> {
    const { manifest, repository } = this.#reader;
    const { request, format, totals, treeDamage } = this.#plan;
    const stored = await readManifest(repository, names.snapshot(manifest.plan, manifest.backup));
    const content: ExportedContent = entry === undefined ? { ...totals, left: this.#leftOut.size } : { entries: 1, files: 1, bytes, left: 0 };
    const streams = entry?.type === ENTRY.stream ? [{ path: entry.path, bytes, sha256 }] : [];
    return exportMetadata(this.#reader, { name, format, bytes, sha256, content, streams, patterns: request.patterns, leftOut: entry === undefined ? [...this.#leftOut.values()] : [], treeDamage, exportedAt: this.#options.clock.now(), version: this.#options.version, manifestSha256: stored.sha256 });
  }

  #parts({ entry }: PlannedExport): AsyncGenerator<readonly Part[]> {
    return entry === undefined ? this.#archive() : rawParts(this.#reader, entry);
  }

  async *#archive(): AsyncGenerator<readonly Part[]> {
    const { request, treeDamage } = this.#plan;
    const lost = new Set(this.#leftOut.keys());
    if (lost.size > 0 || treeDamage.length > 0) {
      const note = incompleteNote(this.#reader.manifest.backup, [...this.#leftOut.values()], treeDamage);
      const member = { type: TAR_TYPE.file, path: fromText(INCOMPLETE_NAME), size: note.length, mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 0, mtimeNanoseconds: 0 };
      yield [memberHeader(member), padded(note)];
    }
    yield* archiveParts(this.#reader, this.#entries(), {
      except: lost, keepsHoles: request.keepsHoles, keepsLinks: true,
      onLeftOut: ({ path, type }, reason) => void this.#leftOut.set(path, { path, kind: type === ENTRY.socket ? 'socket' : 'never-kept', reason }),
      onLost: (path, error) => {
        throw entryDamaged(path, error);
      },
    });
  }

  #entries() {
    // Torn parts of the tree are in the plan already.
    return walkEntries(this.#reader, selectEntries(this.#plan.request.patterns), () => undefined);
  }

  #progress(phase: ExportProgress['phase'], bytes: number): void {
    this.#doneBytes += bytes;
    this.#options.onProgress?.({ phase, bytes: this.#doneBytes, totalBytes: this.#plan.totals.bytes });
  }
}

/** The export, its metadata, its checksum. */
export function namesOf(path: ByteString): ByteString[] {
  return [path, `${path}.json` as ByteString, `${path}.sha256` as ByteString];
}

async function publishAll(files: readonly NewFile[]): Promise<void> {
  const published: NewFile[] = [];
  try {
    for (const file of files) {
      await file.publish();
      published.push(file);
    }
  } catch (error) {
    // What stands beside an export that is not there would bar the next one.
    for (const { path } of published) await removeIfThere(fsPath(path));
    throw error;
  }
}

async function writeAll({ handle }: NewFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done)).bytesWritten;
}

function writeTo(stream: NodeJS.WritableStream, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => void stream.write(bytes, (error) => (error ? reject(error) : resolve())));
}

function streamError(cause: unknown): HoldfastError {
  if (isHoldfastError(cause)) return cause;
  return new HoldfastError('target-failed', `Writing to standard output failed: ${(cause as Error).message}. What was read of it is not a whole export.`, { nextStep: 'Look at the program that reads it, and run the same command again.', cause });
}

/** Every chunk was proved against its id; this proves that they are the right ones, in the right order. */
function refuseOtherContent(entry: SnapshotFile, seen: string): void {
  const wanted = contentDigest(entry);
  if (wanted === undefined || Buffer.from(wanted).toString('hex') === seen) return;
  throw new HoldfastError('damaged', `${display(entry.path)} has the SHA-256 ${seen}, wanted ${Buffer.from(wanted).toString('hex')}: its record in the backup is wrong. Nothing was exported.`, { nextStep: 'Export an older backup, and run `holdfast verify --level full`.' });
}
