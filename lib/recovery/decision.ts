import type { BigIntStats } from 'node:fs';
import type { ByteString } from '../model/byte-string.ts';
import { ENTRY, FLAG, isFile } from '../repository/index.ts';
import type { Entry } from '../repository/index.ts';
import { isSameTime, nanosecondsOf } from './times.ts';
import { isUnfinished } from './unfinished.ts';

/** What may happen to something that is already where an entry would go. */
export const OVERWRITE_POLICIES = {
  never: 'what is there stays',
  older: 'replaced when its time is older than that in the backup',
  changed: 'replaced when its type, size, time or mode differs from the backup',
  always: 'replaced',
} as const;
export type OverwritePolicy = keyof typeof OVERWRITE_POLICIES;

export type RestoreAction = 'create' | 'overwrite' | 'skip' | 'conflict' | 'delete-extra';

/** What will be done with one entry, in the words that dry run, report and audit print. */
export interface Decision {
  readonly action: RestoreAction;
  readonly reason: string;
  /** How what is there compares with the backup, when that is why it is skipped. */
  readonly left?: 'same' | 'different';
}

/** One line of a dry run. */
export interface PlannedEntry extends Decision {
  readonly path: ByteString;
  /** Plain bytes of a file, 0 for everything else. */
  readonly bytes: number;
}

/** What stands in the target: `lstat`, and where a link leads. */
export interface Existing {
  readonly stat: BigIntStats;
  readonly linkTarget?: ByteString;
}

export const CREATE: Decision = { action: 'create', reason: 'it is not there' };

const RULES: Readonly<Record<OverwritePolicy, (entry: Entry, existing: Existing) => Decision>> = {
  never: (entry, existing) => leave(difference(entry, existing), 'nothing may be overwritten'),
  older: (entry, existing) => (existing.stat.mtimeNs < nanosecondsOf(entry) && !isSameTime(existing.stat.mtimeNs, nanosecondsOf(entry)) ? overwrite('what is there is older') : leave(difference(entry, existing), 'it is not older')),
  changed: (entry, existing) => {
    const differs = difference(entry, existing);
    return differs === undefined ? leave(undefined, '') : overwrite(`${differs} of what is there differs`);
  },
  always: () => overwrite('everything is to be overwritten'),
};

/** The one place that decides; called by the plan and by the dry run. */
export function decide(entry: Entry, existing: Existing | undefined, policy: OverwritePolicy): Decision {
  const never = neverRestored(entry);
  if (never) return never;
  if (!existing) return CREATE;
  if (isUnfinished(entry, existing.stat)) return overwrite('a restore that was cut off left it unfinished');
  const isFolder = existing.stat.isDirectory();
  if (entry.type === ENTRY.directory) return isFolder ? decideFolder(entry, existing, policy) : conflict(`${kindOf(existing.stat)} stands where a directory is wanted`);
  if (isFolder) return conflict('a directory stands there and is not replaced by something else');
  return RULES[policy](entry, existing);
}

/** Why an entry is passed over whatever is there. */
export function neverRestored(entry: Entry): Decision | undefined {
  if (entry.flags & FLAG.unreadable && isFile(entry)) return skip('its content could not be read when the backup was made');
  return entry.type === ENTRY.socket ? skip('sockets are made by the program that listens on them') : undefined;
}

/** A directory that is there is entered, whatever the policy; the policy says whether its mode and times are set. */
function decideFolder(entry: Entry, existing: Existing, policy: OverwritePolicy): Decision {
  const decision: Decision = policy === 'never' ? skip('the directory is there; what is missing in it is restored') : RULES[policy](entry, existing);
  if (decision.action !== 'skip') return decision;
  // Not by its time, which changes with everything that is made or deleted in it.
  return entry.mode === (Number(existing.stat.mode) & 0o7777) ? { ...decision, left: 'same' } : leave('the mode', 'the directory stays as it is; what is missing in it is restored');
}

function difference(entry: Entry, { stat, linkTarget }: Existing): string | undefined {
  if (TYPE_BITS[entry.type] !== (Number(stat.mode) & 0o170000)) return 'the type';
  if (isFile(entry) && BigInt(entry.size) !== stat.size) return 'the size';
  if (entry.type === ENTRY.symlink) return linkTarget === entry.target ? undefined : 'the target';
  if (!isSameTime(stat.mtimeNs, nanosecondsOf(entry))) return 'the time';
  return entry.mode === (Number(stat.mode) & 0o7777) ? undefined : 'the mode';
}

/** What `st_mode` says of each type. */
export const TYPE_BITS: Readonly<Record<number, number>> = {
  [ENTRY.file]: 0o100000,
  [ENTRY.stream]: 0o100000,
  [ENTRY.directory]: 0o040000,
  [ENTRY.symlink]: 0o120000,
  [ENTRY.fifo]: 0o010000,
  [ENTRY.characterDevice]: 0o020000,
  [ENTRY.blockDevice]: 0o060000,
};

function kindOf(stat: BigIntStats): string {
  return stat.isSymbolicLink() ? 'a symbolic link' : stat.isFile() ? 'a file' : 'a special file';
}

const skip = (reason: string): Decision => ({ action: 'skip', reason });
const leave = (differs: string | undefined, why: string): Decision =>
  differs === undefined ? { action: 'skip', left: 'same', reason: 'it is there already, the same by type, size, time and mode' } : { action: 'skip', left: 'different', reason: `${differs} of what is there differs, and ${why}` };
const overwrite = (reason: string): Decision => ({ action: 'overwrite', reason });
const conflict = (reason: string): Decision => ({ action: 'conflict', reason });
