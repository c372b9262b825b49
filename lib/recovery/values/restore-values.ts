import { display } from '../../model/byte-string.ts';
import { isHoldfastError } from '../../model/errors.ts';
import type { HoldfastError } from '../../model/errors.ts';
import { ENTRY, FLAG, isSnapshotFile } from '../../repository/index.ts';
import type { SnapshotFile, SnapshotReader } from '../../repository/index.ts';
import { keptValueOf } from '../../sources/configs/kept-value.ts';
import type { ValueFacts } from '../../sources/configs/named-values.ts';
import type { OverwritePolicy } from '../decision.ts';
import { readContent } from '../read-content.ts';
import { selectEntries } from '../selection.ts';
import type { ExistingValue, ValueTarget } from './value-target.ts';

export type ValueAction = 'create' | 'overwrite' | 'undelete' | 'skip' | 'conflict';

/** What becomes of one parameter or secret, and why; never its value. */
export interface PlannedValue {
  readonly action: ValueAction;
  /** There. */
  readonly name: string;
  readonly reason: string;
  readonly file: SnapshotFile;
  readonly facts: ValueFacts;
}

export interface ValueRestoreRequest {
  /** Over paths in the backup; none selects everything. */
  readonly patterns: readonly string[];
  readonly overwrite: OverwritePolicy;
  readonly signal: AbortSignal;
}

export interface ValueRestorePlan {
  readonly backup: string;
  readonly target: string;
  readonly values: readonly PlannedValue[];
  /** Selected entries that the target does not take: files, the other kind, secrets that a service owns. */
  readonly leftOut: number;
  /** Values that cannot be read from the vault. */
  readonly damaged: readonly { readonly name: string; readonly message: string }[];
}

export interface ValueRestoreReport {
  readonly backup: string;
  readonly target: string;
  /** Written, and found there as they were sent. */
  readonly written: number;
  readonly same: number;
  readonly conflicts: readonly string[];
  readonly damaged: ValueRestorePlan['damaged'];
  readonly leftOut: number;
  /** Names whose rotation was on and is not switched on by a restore. */
  readonly withoutRotation: readonly string[];
}

/** Looks at the target and decides about every selected value. Writes nothing. */
export async function planValueRestore(reader: SnapshotReader, target: ValueTarget, { patterns, overwrite, signal }: ValueRestoreRequest): Promise<ValueRestorePlan> {
  const selection = selectEntries(patterns);
  const values: PlannedValue[] = [];
  const damaged: { name: string; message: string }[] = [];
  let leftOut = 0;
  for await (const entry of reader.entries(selection.below)) {
    signal.throwIfAborted();
    if (entry.type === ENTRY.directory || !selection.matches(entry.path)) continue;
    try {
      const kept = isSnapshotFile(entry) ? keptValueOf(entry.xattrs ?? []) : undefined;
      if (!kept || !isSnapshotFile(entry) || kept.kind !== target.kind || kept.facts.ownedBy !== undefined || (entry.flags & FLAG.unreadable) !== 0) {
        leftOut++;
        continue;
      }
      const name = target.nameOf(kept.name);
      const wanted = { content: await contentOf(reader, entry), type: kept.facts.type, modified: kept.modified };
      values.push({ ...decide(wanted, await target.find(name, signal), overwrite), name, file: entry, facts: kept.facts });
    } catch (error) {
      if (!isHoldfastError(error, 'damaged')) throw error;
      damaged.push({ name: display(entry.path), message: error.message });
    }
  }
  return { backup: reader.manifest.backup, target: target.description, values, leftOut, damaged };
}

/** Writes what the plan says. What came there meanwhile is not overwritten; an error of the target ends the restore, and what was written stays. */
export async function executeValueRestore(reader: SnapshotReader, target: ValueTarget, plan: ValueRestorePlan, { signal, onProgress }: ValueRestoreOptions): Promise<ValueRestoreReport> {
  const conflicts = plan.values.filter(({ action }) => action === 'conflict').map(({ name }) => name);
  const withoutRotation: string[] = [];
  let written = 0;
  for (const { action, name, file, facts } of plan.values) {
    if (action === 'skip' || action === 'conflict') continue;
    signal.throwIfAborted();
    const outcome = await target.write({ name, content: await contentOf(reader, file), facts }, action, signal);
    if (outcome === 'exists') {
      conflicts.push(name);
      continue;
    }
    written++;
    if (facts.rotation?.isEnabled) withoutRotation.push(name);
    onProgress?.({ files: written, bytes: 0, totalBytes: 0 });
  }
  const { backup, target: where, damaged, leftOut } = plan;
  return { backup, target: where, written, same: plan.values.filter(({ action }) => action === 'skip').length, conflicts, damaged, leftOut, withoutRotation };
}

export interface ValueRestoreOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: { readonly files: number; readonly bytes: number; readonly totalBytes: number }) => void) | undefined;
}

/** For faces: why a report is no success; undefined when it is one. */
export function valueOutcome({ damaged, conflicts }: ValueRestoreReport): HoldfastError['code'] | undefined {
  if (damaged.length > 0) return 'damaged';
  return conflicts.length > 0 ? 'target-exists' : undefined;
}

/** Of a secret that was made and never given a value. */
const NO_VALUE = 'none';

export type Decision = Pick<PlannedValue, 'action' | 'reason'>;

/** What becomes of one value, by what is there. */
export function decide(wanted: ExistingValue & { readonly content: Uint8Array }, existing: ExistingValue | undefined, overwrite: OverwritePolicy): Decision {
  if (!existing) return { action: 'create', reason: 'nothing has that name' };
  if (!existing.content) return { action: 'undelete', reason: 'it waits for its deletion, which is taken back; a value that differs becomes a new version' };
  if (wanted.type === NO_VALUE && existing.type !== NO_VALUE) return { action: 'conflict', reason: 'it had no value when it was kept and has one now, which no restore takes away' };
  return RULES[overwrite](existing.type === wanted.type && Buffer.compare(existing.content, wanted.content) === 0, existing.modified < wanted.modified);
}

const SAME: Decision = { action: 'skip', reason: 'the same type and value are there' };
const RULES: Readonly<Record<OverwritePolicy, (isSame: boolean, isOlder: boolean) => Decision>> = {
  never: (isSame) => (isSame ? SAME : { action: 'conflict', reason: 'another value is there, and nothing may be overwritten' }),
  older: (isSame, isOlder) => (isSame ? SAME : isOlder ? { action: 'overwrite', reason: 'what is there is older' } : { action: 'conflict', reason: 'another value is there, and it is not older' }),
  changed: (isSame) => (isSame ? SAME : { action: 'overwrite', reason: 'another value is there' }),
  always: () => ({ action: 'overwrite', reason: 'everything is to be overwritten' }),
};

/** Values have at most 64 KiB. */
async function contentOf(reader: SnapshotReader, file: SnapshotFile): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of readContent(reader, file)) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}
