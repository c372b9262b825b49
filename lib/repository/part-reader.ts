import type { ByteString } from '../model/byte-string.ts';
import { comparePaths } from './entry.ts';
import type { Manifest } from './manifest.ts';
import { SnapshotReader, isBelow } from './snapshot-reader.ts';
import type { TreeDamage } from './snapshot-reader.ts';
import type { TreeRecord } from './tree-stream.ts';

type Merged = TreeRecord & { readonly inDelta: boolean };

export interface PartView {
  /** Where the part lies in the whole backup: one component. */
  readonly folder: ByteString;
  /** Whether the folder is an entry of the part, with the empty path, and was not only made for it. */
  readonly isRooted: boolean;
  /** What the reader says of itself; that of the whole backup by default. */
  readonly manifest?: Manifest;
}

/** One part of a snapshot of several sources, as if it were a backup by itself: its entries without the folder before them. */
export class PartReader extends SnapshotReader {
  readonly #whole: SnapshotReader;
  readonly #view: PartView;

  constructor(whole: SnapshotReader, view: PartView) {
    super(whole.repository, view.manifest ?? whole.manifest, whole.refs);
    this.#whole = whole;
    this.#view = view;
  }

  override async *recordBatches(below = '' as ByteString, onDamage?: (damage: TreeDamage) => void): AsyncGenerator<Iterable<Merged>> {
    for await (const records of this.#whole.recordBatches(this.#outside(below), this.#tell(onDamage))) yield this.#within(records);
  }

  override async *storedRecords(stream: 'base' | 'delta', below = '' as ByteString, onDamage?: (damage: TreeDamage) => void): AsyncGenerator<TreeRecord[]> {
    for await (const records of this.#whole.storedRecords(stream, this.#outside(below), this.#tell(onDamage))) yield [...this.#within(records)];
  }

  #outside(path: ByteString): ByteString {
    const { folder } = this.#view;
    return path === '' ? folder : (`${folder}/${path}` as ByteString);
  }

  *#within<T extends TreeRecord>(records: Iterable<T>): Generator<T> {
    const { folder, isRooted } = this.#view;
    for (const record of records) {
      if (!isBelow(record.path, folder) || (record.path === folder && !isRooted)) continue;
      yield { ...record, path: record.path.slice(folder.length + 1) as ByteString };
    }
  }

  /** What is damaged before and behind the part is not the part's. */
  #tell(onDamage: ((damage: TreeDamage) => void) | undefined): typeof onDamage {
    const { folder } = this.#view;
    return onDamage && (({ from, to, error }) => {
      const isBehind = comparePaths(from, folder) > 0 && !isBelow(from, folder);
      if (isBehind || (to !== undefined && comparePaths(to, folder) <= 0)) return;
      const end = to !== undefined && isBelow(to, folder) ? (to.slice(folder.length + 1) as ByteString) : undefined;
      onDamage({ from: isBelow(from, folder) ? (from.slice(folder.length + 1) as ByteString) : ('' as ByteString), to: end, error });
    });
  }
}
