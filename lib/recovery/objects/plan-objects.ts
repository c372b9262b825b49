import { fromText } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { comparePaths } from '../../model/path-order.ts';
import { ENTRY, FLAG, isSnapshotFile } from '../../repository/index.ts';
import type { SnapshotEntry, SnapshotFile, SnapshotReader } from '../../repository/index.ts';
import { s3ObjectOf } from '../../sources/s3/kept-object.ts';
import type { S3Object } from '../../sources/s3/kept-object.ts';
import { inTreeOrder } from '../../sources/s3/tree-order.ts';
import type { Ordered } from '../../sources/s3/tree-order.ts';
import type { OverwritePolicy } from '../decision.ts';
import { selectEntries } from '../selection.ts';
import type { ExistingObject, ObjectTarget } from './object-target.ts';

export type ObjectAction = 'create' | 'overwrite' | 'skip' | 'conflict';

/** What becomes of one entry, and why. */
export interface PlannedObject {
  readonly action: ObjectAction;
  readonly key: ByteString;
  readonly bytes: number;
  readonly reason: string;
  readonly file: SnapshotFile;
  /** Undefined for a file that came from no bucket. */
  readonly kept: S3Object | undefined;
}

export interface ObjectRestoreRequest {
  /** See `selectEntries`; none selects everything. */
  readonly patterns: readonly string[];
  readonly overwrite: OverwritePolicy;
  readonly signal: AbortSignal;
}

export interface ObjectRestorePlan extends ObjectRestoreRequest {
  readonly backup: string;
  readonly target: string;
  readonly totals: Readonly<Record<ObjectAction, { readonly objects: number; readonly bytes: number }>>;
  /** Entries that are no objects: links, devices, and files whose content was not readable. */
  readonly leftOut: number;
}

/** Looks at the target and decides about every selected entry. Writes nothing. */
export async function planObjectRestore(reader: SnapshotReader, target: ObjectTarget, request: ObjectRestoreRequest): Promise<ObjectRestorePlan> {
  const totals = { create: none(), overwrite: none(), skip: none(), conflict: none() };
  let leftOut = 0;
  for await (const planned of plannedObjects(reader, target, request, () => leftOut++)) {
    totals[planned.action].objects++;
    totals[planned.action].bytes += planned.bytes;
  }
  return { ...request, backup: reader.manifest.backup, target: target.description, totals, leftOut };
}

/** The decisions one by one, in the order of keys: the entries of the backup beside the listing of the target. */
export async function* plannedObjects(reader: SnapshotReader, target: ObjectTarget, { patterns, overwrite, signal }: ObjectRestoreRequest, onLeftOut: (entry: SnapshotEntry) => void = () => undefined): AsyncGenerator<PlannedObject> {
  const selection = selectEntries(patterns);
  const existing = new ExistingCursor(inTreeOrder({ list: (below) => target.list(below, signal), holds: (below) => target.holds(below, signal) }, '' as ByteString));
  try {
    for await (const entry of reader.entries(selection.below)) {
      signal.throwIfAborted();
      if (entry.type === ENTRY.directory || !selection.matches(entry.path)) continue;
      if (!isSnapshotFile(entry) || (entry.flags & FLAG.unreadable) !== 0) {
        onLeftOut(entry);
        continue;
      }
      const kept = s3ObjectOf(entry.xattrs ?? []);
      const key = kept?.key === undefined ? entry.path : fromText(kept.key);
      yield { ...decide(entry, { kept, existing: await existing.at(key) }, overwrite), key, bytes: entry.size, file: entry, kept };
    }
  } finally {
    await existing.close();
  }
}

type Decision = Pick<PlannedObject, 'action' | 'reason'>;
interface Seen {
  readonly kept: S3Object | undefined;
  readonly existing: ExistingObject | undefined;
}

function decide(file: SnapshotFile, { kept, existing }: Seen, overwrite: OverwritePolicy): Decision {
  if (!existing) return { action: 'create', reason: 'nothing is there' };
  return RULES[overwrite](kept !== undefined && existing.etag === kept.etag && existing.size === file.size, existing.modified < file.mtimeSeconds * 1000);
}

/** The words of a restore into a directory; a difference that stays is a conflict. */
const RULES: Readonly<Record<OverwritePolicy, (isSame: boolean, isOlder: boolean) => Decision>> = {
  never: (isSame) => (isSame ? SAME : { action: 'conflict', reason: 'another object is there, and nothing may be overwritten' }),
  older: (isSame, isOlder) => (isSame ? SAME : isOlder ? { action: 'overwrite', reason: 'what is there is older' } : { action: 'conflict', reason: 'another object is there, and it is not older' }),
  changed: (isSame) => (isSame ? SAME : { action: 'overwrite', reason: 'what is there has another ETag or size' }),
  always: () => ({ action: 'overwrite', reason: 'everything is to be overwritten' }),
};
const SAME: Decision = { action: 'skip', reason: 'the same ETag and size are there' };

/** Walks the listing of the target beside ascending keys. */
class ExistingCursor {
  readonly #objects: AsyncGenerator<Ordered<ExistingObject>>;
  #next: IteratorResult<Ordered<ExistingObject>> | undefined;

  constructor(objects: AsyncGenerator<Ordered<ExistingObject>>) {
    this.#objects = objects;
  }

  async at(key: ByteString): Promise<ExistingObject | undefined> {
    this.#next ??= await this.#objects.next();
    while (!this.#next.done && comparePaths(this.#next.value.item.key, key) < 0) this.#next = await this.#objects.next();
    return !this.#next.done && this.#next.value.item.key === key ? this.#next.value.item : undefined;
  }

  async close(): Promise<void> {
    await this.#objects.return(undefined);
  }
}

function none() {
  return { objects: 0, bytes: 0 };
}
