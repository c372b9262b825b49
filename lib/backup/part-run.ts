import type { ByteString } from '../model/byte-string.ts';
import { PartReader } from '../repository/index.ts';
import type { ManifestWarning } from '../repository/index.ts';
import type { BackupRun, PassRun } from './backup-run.ts';
import type { MergedRecord, TreeWriter } from './tree-builder.ts';

/** The run of a set as the pass over one of its parts sees it: paths begin below the folder of the part. */
export class PartRun implements PassRun {
  readonly previous: PassRun['previous'];
  readonly builder: TreeWriter;
  readonly warnings: ManifestWarning[] = [];
  /** What a part says of its own size is nothing to judge the whole by. */
  totalBytes: number | undefined;
  readonly #whole: BackupRun;

  constructor(whole: BackupRun, { folder, isRooted, builder }: { readonly folder: ByteString; readonly isRooted: boolean; readonly builder: TreeWriter }) {
    this.#whole = whole;
    this.previous = whole.previous && new PartReader(whole.previous, { folder, isRooted });
    this.builder = new FolderWriter(folder, builder);
  }

  get session() {
    return this.#whole.session;
  }

  get pool() {
    return this.#whole.pool;
  }

  get meta() {
    return this.#whole.meta;
  }

  get counters() {
    return this.#whole.counters;
  }

  get signal() {
    return this.#whole.signal;
  }

  readonly now: PassRun['now'] = () => this.#whole.now();
  readonly loadKnownChunks: PassRun['loadKnownChunks'] = () => this.#whole.loadKnownChunks();
  readonly count: PassRun['count'] = (counters) => this.#whole.count(counters);
  readonly readStream: PassRun['readStream'] = (stream) => this.#whole.readStream(stream);
  readonly report: PassRun['report'] = (phase) => this.#whole.report(phase);
  readonly checkpointIfDue: PassRun['checkpointIfDue'] = () => this.#whole.checkpointIfDue();
}

/** Writes everything below a folder. */
class FolderWriter implements TreeWriter {
  readonly #folder: ByteString;
  readonly #whole: TreeWriter;

  constructor(folder: ByteString, whole: TreeWriter) {
    this.#folder = folder;
    this.#whole = whole;
  }

  keep(record: MergedRecord) {
    return this.#whole.keep({ ...record, path: this.#path(record.path) });
  }

  put(path: ByteString, body: Uint8Array, packs: readonly string[] = []) {
    return this.#whole.put(this.#path(path), body, packs);
  }

  remove(record: MergedRecord) {
    return this.#whole.remove({ ...record, path: this.#path(record.path) });
  }

  #path(path: ByteString): ByteString {
    return path === '' ? this.#folder : (`${this.#folder}/${path}` as ByteString);
  }
}
