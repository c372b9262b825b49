import { display } from '../../model/byte-string.ts';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import { contentReader } from '../read-content.ts';
import type { ObjectTarget } from './object-target.ts';
import { plannedObjects } from './plan-objects.ts';
import type { ObjectRestorePlan, PlannedObject } from './plan-objects.ts';

export interface ObjectRestoreOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: { readonly files: number; readonly bytes: number; readonly totalBytes: number }) => void) | undefined;
}

export interface ObjectRestoreReport {
  readonly backup: string;
  readonly target: string;
  /** Written, and found there as they were sent. */
  readonly written: number;
  readonly bytes: number;
  /** The same was there. */
  readonly same: number;
  /** Another object was there and stayed; the first thousand of them. */
  readonly conflicts: readonly string[];
  readonly conflictCount: number;
  /** What could not be read from the vault; nothing was written for it. */
  readonly damaged: readonly { readonly key: string; readonly message: string }[];
  readonly leftOut: number;
  readonly durationMilliseconds: number;
}

/** Objects that are written at once, and the memory that they may take together (`ObjectTarget` holds parts of large ones). */
const PARALLEL = 16;
const OPEN_BYTES = 96 << 20;
const MOST_BYTES_OF_ONE = 40 << 20;
const MAX_TOLD = 1000;

/**
 * Writes what the plan says. An object that came there meanwhile is not overwritten unless the plan may overwrite it. A damaged entry
 * is told and passed over; an error of the target ends the restore, and the objects before it stay.
 */
export async function executeObjectRestore(reader: SnapshotReader, target: ObjectTarget, plan: ObjectRestorePlan, { clock, signal, onProgress }: ObjectRestoreOptions): Promise<ObjectRestoreReport> {
  const startedAt = clock.now();
  const restore = new ObjectRestore(reader, target, signal);
  const totalBytes = plan.totals.create.bytes + plan.totals.overwrite.bytes;
  for await (const planned of plannedObjects(reader, target, { ...plan, signal })) {
    await restore.perform(planned);
    onProgress?.({ files: restore.written, bytes: restore.bytes, totalBytes });
  }
  await restore.finish();
  const { written, bytes, same, conflicts, conflictCount, damaged } = restore;
  return { backup: plan.backup, target: plan.target, written, bytes, same, conflicts, conflictCount, damaged, leftOut: plan.leftOut, durationMilliseconds: clock.now() - startedAt };
}

class ObjectRestore {
  readonly #target: ObjectTarget;
  readonly #signal: AbortSignal;
  readonly #read: ReturnType<typeof contentReader>;
  readonly #underWay = new Set<Promise<void>>();
  #openBytes = 0;
  written = 0;
  bytes = 0;
  same = 0;
  conflictCount = 0;
  readonly conflicts: string[] = [];
  readonly damaged: { key: string; message: string }[] = [];

  constructor(reader: SnapshotReader, target: ObjectTarget, signal: AbortSignal) {
    this.#target = target;
    this.#signal = signal;
    this.#read = contentReader(reader);
  }

  async perform(planned: PlannedObject): Promise<void> {
    if (planned.action === 'skip') this.same++;
    else if (planned.action === 'conflict') this.#conflict(planned);
    else await this.#start(planned);
  }

  async finish(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async #start(planned: PlannedObject): Promise<void> {
    const bytes = Math.min(planned.bytes, MOST_BYTES_OF_ONE);
    while (this.#underWay.size > 0 && (this.#underWay.size >= PARALLEL || this.#openBytes + bytes > OPEN_BYTES)) await Promise.race(this.#underWay);
    this.#openBytes += bytes;
    const job = this.#write(planned).then(() => void (this.#openBytes -= bytes));
    this.#underWay.add(job);
    // A job that failed stays: whoever awaits the set next learns of it.
    job.then(() => this.#underWay.delete(job), () => undefined);
  }

  async #write(planned: PlannedObject): Promise<void> {
    const { key, bytes, file, kept, action } = planned;
    const wanted = { key, size: bytes, description: kept ?? {}, tags: kept?.tags ?? {}, read: () => this.#read(file) };
    try {
      const outcome = await this.#target.put(wanted, action === 'create' ? 'absent' : 'any', this.#signal);
      if (outcome === 'exists') return this.#conflict(planned);
      this.written++;
      this.bytes += bytes;
    } catch (error) {
      if (!isHoldfastError(error, 'damaged')) throw error;
      this.damaged.push({ key: display(key), message: error.message });
    }
  }

  #conflict({ key }: PlannedObject): void {
    this.conflictCount++;
    if (this.conflicts.length < MAX_TOLD) this.conflicts.push(display(key));
  }
}

/** For faces: why a report is no success; undefined when it is one. */
export function objectOutcome({ damaged, conflictCount }: ObjectRestoreReport): HoldfastError['code'] | undefined {
  if (damaged.length > 0) return 'damaged';
  return conflictCount > 0 ? 'target-exists' : undefined;
}
