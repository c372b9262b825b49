import { display } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { BackupContent, ContentFile } from '../database-loader.ts';
import { patternsOf } from './listing.ts';
import { parseMetadata } from './metadata.ts';
import type { CollectionMetadata } from './metadata.ts';
import { collectionOfFile } from './names.ts';

/** A collection of a backup. */
export interface DumpedCollection extends CollectionMetadata {
  readonly database: string;
  /** Absent: a view. */
  readonly file?: ContentFile;
  /** Path of the documents, or of the metadata of a view; for people. */
  readonly entry: string;
}

export interface DumpedDatabase {
  readonly name: string;
  /** Its folder in the backup: the name, below the folder of its part in a set. */
  readonly folder: string;
  readonly collections: readonly DumpedCollection[];
}

export interface Dump {
  readonly databases: readonly DumpedDatabase[];
  /** What restoring collections leaves out, for people. */
  readonly leftOut: readonly string[];
}

const [DOCUMENTS, METADATA] = ['.bson', '.metadata.json'];
const MOST_METADATA_BYTES = 64 << 20;

/** What a backup holds, or what lies at and below one path of it. Only metadata is read. Fails as `not-found` when that is nothing. */
export async function dumpIn(content: BackupContent, { entry = '', tables }: { readonly entry?: string | undefined; readonly tables?: readonly string[] | undefined }): Promise<Dump> {
  const files = new Map<string, ContentFile>();
  for (const below of withSiblings(entry)) for await (const file of content.files(below)) files.set(display(file.path), file);
  const isChosen = tables === undefined || tables.length === 0 ? () => true : patternsOf(tables);
  const databases = new Map<string, DumpedCollection[]>();
  const leftOut: string[] = [];
  for (const [path, file] of files) {
    if (!path.endsWith(METADATA)) continue;
    const collection = await collectionAt(path, file, files);
    if (!isChosen({ database: collection.database, name: collection.collection })) continue;
    if (collection.collection.startsWith('system.')) leftOut.push(collection.entry);
    else databases.set(folderOf(path), [...(databases.get(folderOf(path)) ?? []), collection]);
  }
  for (const path of files.keys()) if (path.endsWith(DOCUMENTS) && isApart(path)) leftOut.push(path);
  if (databases.size === 0) {
    throw new HoldfastError('not-found', `The backup ${content.backup} holds no collection of MongoDB${entry === '' ? '' : ` at ${entry}`}${tables === undefined ? '' : ` that is one of ${tables.join(', ')}`}.`, { nextStep: `\`holdfast ls ${content.backup}\` shows what it holds: DATABASE/COLLECTION.bson.` });
  }
  return { databases: Array.from(databases, ([folder, collections]) => ({ name: nameOf(folder), folder, collections })), leftOut };
}

/** Users, roles and the oplog belong to the server, and have no metadata. */
function isApart(path: string): boolean {
  return /(^|\/)oplog\.bson$|(^|\/)admin\/system\.[^/]*$|\/\$admin\.system\.[^/]*$/.test(path);
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Documents are nothing without their metadata, and the other way round. */
function withSiblings(entry: string): readonly string[] {
  const stem = /^(.*?)(\.bson|\.metadata\.json)$/s.exec(entry)?.[1];
  return stem === undefined ? [entry] : [`${stem}${DOCUMENTS}`, `${stem}${METADATA}`];
}

async function collectionAt(path: string, file: ContentFile, files: ReadonlyMap<string, ContentFile>): Promise<DumpedCollection> {
  const stem = nameOf(path).slice(0, -METADATA.length);
  const metadata = parseMetadata(await textOf(file, path), path, collectionOfFile(stem));
  const database = nameOf(folderOf(path));
  if (metadata.type === 'view') return { ...metadata, database, entry: path };
  const entry = `${folderOf(path)}/${metadata.type === 'timeseries' ? 'system.buckets.' : ''}${stem}${DOCUMENTS}`;
  const documents = files.get(entry);
  if (documents === undefined) throw new HoldfastError('damaged', `The backup has ${path} and not ${entry}.`, { nextStep: 'Restore the whole database, or another backup.' });
  return { ...metadata, database, file: documents, entry };
}

async function textOf(file: ContentFile, path: string): Promise<string> {
  if (file.bytes > MOST_METADATA_BYTES) throw new HoldfastError('damaged', `${path} has ${file.bytes} bytes, wanted the metadata of one collection.`, { nextStep: 'Run `holdfast verify --level full`.' });
  const parts: Buffer[] = [];
  for await (const part of file.read()) parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString('utf8');
}
