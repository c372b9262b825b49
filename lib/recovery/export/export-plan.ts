import { display, fromText } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import { ENTRY, isSnapshotFile } from '../../repository/index.ts';
import type { Manifest, SnapshotEntry, SnapshotFile, SnapshotReader, TreeDamage } from '../../repository/index.ts';
import { neverRestored } from '../decision.ts';
import { walkEntries } from '../entry-walk.ts';
import { sourceAt } from '../part.ts';
import { selectEntries } from '../selection.ts';
import { EXPORT_FORMATS, formatOfName } from './formats.ts';
import type { ExportFormat } from './formats.ts';

export type ExportTarget =
  | { readonly kind: 'folder' | 'file'; readonly path: ByteString }
  | { readonly kind: 'stream' };

export interface ExportRequest {
  readonly target: ExportTarget;
  /** See `selectEntries`; none selects everything. */
  readonly patterns: readonly string[];
  /** By the name of the target, else `raw` for backups of streams and `tar.zst` for trees. */
  readonly format?: ExportFormat | undefined;
  /** Leave out what is damaged, instead of failing. */
  readonly isGoingOn: boolean;
  /** Sparse files with holes, which GNU tar and libarchive read; else zeros are written. */
  readonly keepsHoles: boolean;
  readonly signal: AbortSignal;
}

/** One file that will be made; of format `raw` the content of that entry. */
export interface PlannedExport {
  /** Undefined: goes to the stream. */
  readonly path: ByteString | undefined;
  readonly name: ByteString;
  readonly entry: SnapshotFile | undefined;
}

/** What an export will do; plain data, which a dry run prints. */
export interface ExportPlan {
  readonly request: ExportRequest;
  readonly format: ExportFormat;
  readonly exports: readonly PlannedExport[];
  /** Plain content; the archive has headers besides. */
  readonly totals: { readonly entries: number; readonly files: number; readonly bytes: number };
  /** Parts of the entry tree that cannot be read. */
  readonly treeDamage: readonly TreeDamage[];
}

/** Room for `.sha256` and `.json` behind a name of at most 255 bytes. */
const LONGEST_NAME_BYTES = 240;

/** Decides about format and names. Writes nothing; `usage` where the request does not fit the backup. */
export async function planExport(reader: SnapshotReader, request: ExportRequest): Promise<ExportPlan> {
  const treeDamage: TreeDamage[] = [];
  const selected = await look(reader, request, treeDamage);
  const format = formatOf(request, selected);
  const exports = EXPORT_FORMATS[format].isArchive ? [archive(reader.manifest, request, format)] : rawExports(reader.manifest, request, selected);
  return { request, format, exports, totals: selected.totals, treeDamage };
}

interface Selected {
  readonly totals: { entries: number; files: number; bytes: number };
  /** Files that can be exported by themselves, while they are few. */
  readonly files: SnapshotFile[];
  readonly streams: number;
}

/** More than this are not exported one by one. */
const MOST_RAW_FILES = 1000;

async function look(reader: SnapshotReader, { patterns, signal }: ExportRequest, treeDamage: TreeDamage[]): Promise<Selected> {
  const totals = { entries: 0, files: 0, bytes: 0 };
  const files: SnapshotFile[] = [];
  let streams = 0;
  for await (const batch of walkEntries(reader, selectEntries(patterns), (damage) => treeDamage.push(damage))) {
    signal.throwIfAborted();
    for (const entry of batch) {
      totals.entries++;
      if (!isSnapshotFile(entry)) continue;
      totals.files++;
      totals.bytes += entry.size;
      if (entry.type === ENTRY.stream) streams++;
      if (files.length <= MOST_RAW_FILES) files.push(entry);
    }
  }
  if (totals.entries === 0 && treeDamage.length === 0) throw nothing(reader.manifest, patterns);
  return { totals, files, streams };
}

function nothing({ backup }: Manifest, patterns: readonly string[]): HoldfastError {
  const what = patterns.length === 0 ? `The backup ${backup} is empty` : `Nothing in the backup ${backup} matches ${patterns.join(' ')}`;
  return new HoldfastError('not-found', `${what}: there is nothing to export.`, { nextStep: `Patterns start at the top of the backup: \`holdfast ls ${backup}\` shows it.` });
}

function formatOf({ target, format }: ExportRequest, { streams, totals: { files } }: Selected): ExportFormat {
  const named = target.kind === 'file' ? formatOfName(target.path) : undefined;
  if (named !== undefined && format !== undefined && named !== format && target.kind === 'file') {
    throw new HoldfastError('usage', `The name ${display(target.path)} says ${named}, and --format says ${format}.`, { nextStep: 'Leave --format away, or choose another name.' });
  }
  return format ?? named ?? (streams > 0 && streams === files ? 'raw' : 'tar.zst');
}

function archive(manifest: Manifest, { target }: ExportRequest, format: ExportFormat): PlannedExport {
  const [part, another] = manifest.parts ?? [];
  const stem = `${slug(part !== undefined && another === undefined ? `${manifest.planName}-${part.name}` : manifest.planName)}-${manifest.finishedAt.replace(/\.\d+|[-:]/g, '')}`;
  return named(target, fromText(`${stem}${EXPORT_FORMATS[format].suffixes[0] ?? ''}`), undefined);
}

function rawExports(manifest: Manifest, { target, patterns }: ExportRequest, { files, totals, streams }: Selected): PlannedExport[] {
  const usable = files.filter((entry) => neverRestored(entry) === undefined);
  const [only, second] = usable;
  if (only === undefined) throw new HoldfastError('not-found', `What was chosen of the backup ${manifest.backup} has no file with content: there is nothing to export as raw.`, { nextStep: 'Choose a file, or another --format.' });
  // Streams have names of their own; files of a tree may share theirs.
  if (second !== undefined && streams < totals.files) throw new HoldfastError('usage', `${totals.files} files were chosen, and --format raw writes one file as it is.`, { nextStep: 'Name one file, or leave --format away for an archive.' });
  if (second !== undefined && target.kind !== 'folder') throw new HoldfastError('usage', `The backup ${manifest.backup} holds ${totals.files} streams, wanted a directory for them or the name of one.`, { nextStep: `Name one of ${files.slice(0, 5).map(({ path }) => display(path)).join(', ')}${patterns.length === 0 ? ' behind the id' : ''}, or a directory with --to.` });
  const names = usable.map((entry) => rawName(manifest, entry));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new HoldfastError('usage', `More than one of the ${totals.files} streams that were chosen would be called ${display(twice)}.`, { nextStep: 'Name one of them, take one part of a set with --part, or write all into an archive: --format tar.zst.' });
  return usable.map((entry, index) => named(target, names[index] as ByteString, entry));
}

/** A stream's own name; a SQLite database is known by its end. */
function rawName(manifest: Manifest, { path }: SnapshotEntry): ByteString {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return (sourceAt(manifest, path).type === 'sqlite' && !/\.(?:db3?|sqlite3?)$/i.test(name) ? `${name}.db` : name) as ByteString;
}

function named(target: ExportTarget, name: ByteString, entry: SnapshotFile | undefined): PlannedExport {
  if (target.kind === 'stream') return { path: undefined, name, entry };
  if (target.kind === 'folder') {
    const cut = name.slice(0, LONGEST_NAME_BYTES) as ByteString;
    return { path: `${target.path}/${cut}` as ByteString, name: cut, entry };
  }
  const own = target.path.slice(target.path.lastIndexOf('/') + 1) as ByteString;
  if (own.length > LONGEST_NAME_BYTES) throw new HoldfastError('usage', `The name ${display(own)} has ${own.length} bytes, wanted at most ${LONGEST_NAME_BYTES}: .sha256 and .json come behind it.`);
  return { path: target.path, name: own, entry };
}

/** A plan's name may be a list of paths. */
function slug(planName: string): string {
  const words = planName.normalize('NFKD').replace(/[^A-Za-z0-9._]+/g, '-').replace(/^[-.]+|[-.]+$/g, '');
  return words.slice(0, 80) || 'backup';
}
