import { display } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { BackupContent, ContentFile } from '../database-loader.ts';
import { RdbReader } from './rdb.ts';
import type { RdbFunctions, RdbKey } from './rdb.ts';

export type RdbRecord = RdbKey | RdbFunctions;

const SUFFIX = '.rdb';

/** The snapshot that was named, or the only one of the backup. Fails as `not-found`, and as `usage` when there are several. */
export async function snapshotIn(content: BackupContent, entry: string | undefined): Promise<ContentFile> {
  const found: ContentFile[] = [];
  for await (const file of content.files(entry ?? '')) if (entry === undefined ? display(file.path).endsWith(SUFFIX) : display(file.path) === entry) found.push(file);
  const [file, second] = found;
  if (file === undefined) throw new HoldfastError('not-found', `The backup ${content.backup} has no ${entry === undefined ? `entry that ends in ${SUFFIX}` : `file ${entry}`}, wanted a snapshot of Redis or Valkey.`, { nextStep: `\`holdfast ls ${content.backup} --recursive\` shows what it has.` });
  if (second !== undefined) throw new HoldfastError('usage', `The backup ${content.backup} has more than one snapshot (${found.slice(0, 5).map(({ path }) => display(path)).join(', ')}), wanted one name.`, { nextStep: 'Name the one to restore: `holdfast restore ID NAME --to-database …`.' });
  return file;
}

export interface RecordOptions {
  /** Told how many bytes of the file were read. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
  /** Names, types and ends of keys only. */
  readonly isWithoutValues?: boolean;
}

export interface RecordBatch {
  /** Version of the format. */
  readonly version: number;
  /** In the order of the file, of which some may be empty batches. */
  readonly records: readonly RdbRecord[];
}

/** Everything of a snapshot that can be put into a server; ends only when the file is whole. Fails as `damaged`, `unsupported`. */
export async function* recordsIn(file: ContentFile, { onBytes, isWithoutValues = false }: RecordOptions = {}): AsyncGenerator<RecordBatch> {
  let records: RdbRecord[] = [];
  const reader = new RdbReader((record) => records.push(record), { isKeepingValues: !isWithoutValues });
  for await (const part of file.read()) {
    // A copy: the part is lent, and values are made of several.
    reader.push(Buffer.from(part));
    onBytes?.(reader.total);
    yield { version: reader.version, records };
    records = [];
  }
  reader.end();
  if (reader.total !== file.bytes) throw new HoldfastError('damaged', `${reader.total} bytes of ${display(file.path)} were read, wanted ${file.bytes}.`, { nextStep: 'Run `holdfast verify --level full`.' });
}

export interface SnapshotHead {
  /** Version of the format. */
  readonly version: number;
  /** `Redis 7.0.15`, `Valkey 9.1.2`. */
  readonly server: string;
}

/** What the beginning of the file says of it. Fails as `damaged`, `unsupported`. */
export async function headOf(file: ContentFile): Promise<SnapshotHead> {
  const reader = new RdbReader(() => undefined, { isKeepingValues: false });
  for await (const part of file.read()) {
    reader.push(Buffer.from(part.subarray(0, HEAD_BYTES)));
    break;
  }
  return { version: reader.version, server: writerOf(reader.facts) };
}

/** The words of a server about itself are the first that it writes. */
const HEAD_BYTES = 4096;

/** Of the facts in a snapshot. */
export function writerOf(facts: ReadonlyMap<string, string>): string {
  const valkey = facts.get('valkey-ver');
  return valkey === undefined ? `Redis ${facts.get('redis-ver') ?? '(version not said)'}` : `Valkey ${valkey}`;
}
