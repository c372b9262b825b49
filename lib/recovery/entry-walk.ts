import type { ByteString } from '../model/byte-string.ts';
import { ENTRY, decodeBody } from '../repository/index.ts';
import type { SnapshotEntry, SnapshotReader, TreeDamage, TreeRecord } from '../repository/index.ts';
import type { Selection } from './selection.ts';

interface Ancestor {
  readonly record: TreeRecord;
  isEmitted: boolean;
}

/**
 * Selected entries in order, one batch for each tree chunk, each preceded by the directories above it even when those
 * are not selected themselves. Damaged tree chunks are told and passed over.
 */
export async function* walkEntries(reader: SnapshotReader, selection: Selection, onDamage: (damage: TreeDamage) => void): AsyncGenerator<SnapshotEntry[]> {
  const ancestors = selection.isWhole ? [] : await ancestorsOf(reader, selection.below, onDamage);
  for await (const records of reader.recordBatches(selection.below, onDamage)) {
    const batch: SnapshotEntry[] = [];
    if (selection.isWhole) for (const record of records) batch.push(decode(record));
    else for (const record of records) select(record, selection, ancestors, batch);
    yield batch;
  }
}

function select(record: TreeRecord, selection: Selection, ancestors: Ancestor[], batch: SnapshotEntry[]): void {
  while (ancestors.length > 0 && !isInside(record.path, (ancestors.at(-1) as Ancestor).record.path)) ancestors.pop();
  const isSelected = selection.matches(record.path);
  if (isSelected) {
    for (const ancestor of ancestors) {
      if (!ancestor.isEmitted) batch.push(decode(ancestor.record));
      ancestor.isEmitted = true;
    }
    batch.push(decode(record));
  }
  if (record.body[0] === ENTRY.directory) ancestors.push({ record, isEmitted: isSelected });
}

/** The directories above the first tree chunk that the walk reads. */
async function ancestorsOf(reader: SnapshotReader, below: ByteString, onDamage: (damage: TreeDamage) => void): Promise<Ancestor[]> {
  const ancestors: Ancestor[] = [];
  for (let end = 0; below !== ''; end = below.indexOf('/', end + 1)) {
    if (end < 0) break;
    const path = below.slice(0, end) as ByteString;
    const record = await recordAt(reader, path, onDamage);
    if (record?.body[0] === ENTRY.directory) ancestors.push({ record, isEmitted: false });
  }
  return ancestors;
}

async function recordAt(reader: SnapshotReader, path: ByteString, onDamage: (damage: TreeDamage) => void): Promise<TreeRecord | undefined> {
  for await (const records of reader.recordBatches(path, onDamage)) {
    for (const record of records) if (record.path === path) return record;
    return undefined;
  }
  return undefined;
}

function isInside(path: string, folder: string): boolean {
  return folder === '' ? path !== '' : path.startsWith(folder) && path.charCodeAt(folder.length) === 47;
}

function decode(record: TreeRecord): SnapshotEntry {
  const entry = decodeBody(record.body, 'entry') as { path?: ByteString };
  entry.path = record.path;
  return entry as SnapshotEntry;
}
