import { exclusionOf } from '../../backup/exclusion.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { comparePaths, isBelow } from '../../repository/index.ts';
import type { SnapshotReader, TreeDamage, TreeRecord } from '../../repository/index.ts';
import { FILE_TYPE, aspectsOf, entryOf } from './compared-entry.ts';
import type { Aspect, ComparedEntry } from './compared-entry.ts';
import { fileDigest, folderEntries } from './folder-entries.ts';
import type { FolderOptions } from './folder-entries.ts';
import { mergeEntries } from './merge-entries.ts';

export interface EntryDifference {
  readonly path: ByteString;
  readonly change: 'added' | 'removed' | 'changed';
  /** Empty unless changed. */
  readonly aspects: readonly Aspect[];
  readonly before: ComparedEntry | undefined;
  readonly after: ComparedEntry | undefined;
}

export interface DiffOptions {
  readonly signal: AbortSignal;
  /** A part of a backup's list of entries that cannot be read: nothing is said about what lies there. */
  readonly onDamage: (damage: TreeDamage) => void;
  /** Entries that were compared, and bytes that were read for it. */
  readonly onProgress: (entries: number, bytes: number) => void;
}

export interface FolderDiffOptions extends DiffOptions {
  /** Read files of the same size and compare what is in them; else size and time speak for the content. */
  readonly readsContent: boolean;
  /** What of the directory cannot be read: nothing is said about it, nor about what lies below it. */
  readonly onUnreadable: (path: ByteString, reason: string) => void;
  /** What the backup was told to leave out is not compared; told with the topmost path. */
  readonly onLeftOut: (path: ByteString) => void;
}

/** What changed from one backup to another, in the order of paths; compares records alone and reads no content. */
export async function* diffBackups(before: SnapshotReader, after: SnapshotReader, options: DiffOptions): AsyncGenerator<EntryDifference> {
  // Nothing changed: the roots are those of the predecessor (format §7).
  if (treeKey(before) === treeKey(after)) return;
  const [unknownBefore, unknownAfter] = [new UnknownRanges(options.onDamage), new UnknownRanges(options.onDamage)];
  let entries = 0;
  for await (const pairs of mergeEntries(before.recordBatches(undefined, unknownBefore.add), after.recordBatches(undefined, unknownAfter.add))) {
    options.signal.throwIfAborted();
    for (const { left, right } of pairs) {
      if (left && right && isSameRecord(left, right)) continue;
      const path = (left ?? right)?.path as ByteString;
      if ((!left && unknownBefore.hold(path)) || (!right && unknownAfter.hold(path))) continue;
      const difference = differenceOf(left && entryOf(left), right && entryOf(right));
      if (difference) yield difference;
    }
    options.onProgress((entries += pairs.length), 0);
  }
}

/** What changed from a backup to a directory as it is now. Extended attributes of the directory are not looked at. */
export async function* diffFolder(before: SnapshotReader, folder: ByteString, options: FolderDiffOptions): AsyncGenerator<EntryDifference> {
  const unknown = new UnknownRanges(options.onDamage);
  const unreadable = new Set<ByteString>();
  const onUnreadable = (path: ByteString, reason: string) => {
    unreadable.add(path);
    options.onUnreadable(path, reason);
  };
  let [entries, bytes] = [0, 0];
  const content = { ...options, onUnreadable, onRead: (count: number) => options.onProgress(entries, (bytes += count)) };
  for await (const pairs of mergeEntries(before.recordBatches(undefined, unknown.add), folderEntries(folder, { ...leftOutBy(before), onUnreadable, onLeftOut: options.onLeftOut, signal: options.signal }))) {
    options.signal.throwIfAborted();
    for (const { left, right } of pairs) {
      entries++;
      if (!left && unknown.hold((right as ComparedEntry).path)) continue;
      if (!right && isHidden((left as TreeRecord).path, unreadable)) continue;
      const old = left && entryOf(left);
      const isRead = options.readsContent && old !== undefined && right !== undefined && old.type === FILE_TYPE && right.type === FILE_TYPE && old.size === right.size && old.digest !== undefined;
      const now = isRead ? { ...right, digest: await fileDigest(folder, right.path, content) } : right;
      const difference = differenceOf(old, now);
      if (difference) yield difference;
    }
    options.onProgress(entries, bytes);
  }
}

/** Paths in the directory are those in the backup, so its patterns mean the same. Nothing, where it records none. */
function leftOutBy({ manifest: { source } }: SnapshotReader): Pick<FolderOptions, 'isLeftOut' | 'isOneFileSystem' | 'areRootsInside'> {
  const { include, exclude, isOneFileSystem = false } = source.selection ?? {};
  return { isLeftOut: exclusionOf(include, exclude), isOneFileSystem, areRootsInside: source.paths.length > 1 };
}

function treeKey({ manifest: { tree } }: SnapshotReader): string {
  return [tree.base, tree.delta].map((root) => root?.chunks.map(({ id }) => id).join() ?? '').join(';');
}

/** Equal bytes are equal entries; most are, and are not decoded. */
function isSameRecord(left: TreeRecord, right: TreeRecord): boolean {
  return Buffer.compare(left.body, right.body) === 0;
}

function differenceOf(before: ComparedEntry | undefined, after: ComparedEntry | undefined): EntryDifference | undefined {
  const path = (before ?? after)?.path as ByteString;
  if (before === undefined) return { path, change: 'added', aspects: [], before, after };
  if (after === undefined) return { path, change: 'removed', aspects: [], before, after };
  const aspects = aspectsOf(before, after);
  return aspects.length === 0 ? undefined : { path, change: 'changed', aspects, before, after };
}

/** A folder that cannot be listed hides what is in it; an entry that cannot be looked at is there. */
function isHidden(path: ByteString, unreadable: ReadonlySet<ByteString>): boolean {
  for (const folder of unreadable) if (isBelow(path, folder)) return true;
  return false;
}

class UnknownRanges {
  readonly #ranges: TreeDamage[] = [];
  readonly #tell: (damage: TreeDamage) => void;

  constructor(tell: (damage: TreeDamage) => void) {
    this.#tell = tell;
  }

  readonly add = (damage: TreeDamage): void => {
    this.#ranges.push(damage);
    this.#tell(damage);
  };

  hold(path: ByteString): boolean {
    return this.#ranges.some(({ from, to }) => comparePaths(path, from) >= 0 && (to === undefined || comparePaths(path, to) < 0));
  }
}
