import type { ByteString } from '../model/byte-string.ts';
import { display } from '../model/byte-string.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { TreeDamage } from '../repository/index.ts';
import type { PlannedEntry } from './decision.ts';
import type { Refusal } from './file-task.ts';

export interface RefusedEntry extends Refusal {
  readonly path: ByteString;
  /** The directory that something bars; it is why. */
  readonly below?: ByteString;
}

/** Skipped entries with one reason. */
export interface SkippedGroup {
  readonly reason: string;
  readonly left: 'same' | 'different' | undefined;
  readonly paths: readonly ByteString[];
}

/** What a restore did, entry by entry where something was not restored. */
export interface RestoreReport {
  readonly backup: string;
  readonly target: string;
  /** Entries that now stand in the target as in the backup. */
  readonly restored: { entries: number; files: number; bytes: number };
  /** By the plan: what was there stays. Directories are entered; they are listed when their mode differs. */
  readonly skipped: readonly PlannedEntry[];
  /** Could not be restored: content lost, something in the way, or the system refused. Nothing stands under these names but what was there before. */
  readonly refused: readonly RefusedEntry[];
  /** Ranges of paths whose records cannot be read: what lay there is unknown. */
  readonly treeDamage: readonly TreeDamage[];
  readonly deleted: readonly ByteString[];
  /** Unfinished files of an earlier restore, under temporary names, that were removed. */
  readonly leftovers: number;
  readonly warnings: readonly string[];
  readonly durationMilliseconds: number;
}

export interface RestoreProgress {
  readonly files: number;
  readonly totalFiles: number;
  readonly bytes: number;
  readonly totalBytes: number;
  /** Undefined in the first second. */
  readonly etaSeconds: number | undefined;
}

/** The most serious thing that happened, for exit codes; undefined when everything that was planned is there. */
export function outcomeOf(report: RestoreReport): ErrorCode | undefined {
  const kinds = new Set(report.refused.map((entry) => entry.kind));
  if (kinds.has('damaged') || report.treeDamage.length > 0) return 'damaged';
  if (kinds.has('failed')) return 'permission';
  if (kinds.has('conflict') || report.skipped.some(({ left }) => left === 'different')) return 'target-exists';
  return undefined;
}

/** Why what was there stays, a group for each reason, those that differ from the backup first. */
export function skippedGroups(report: Pick<RestoreReport, 'skipped'>): SkippedGroup[] {
  const groups = new Map<string, SkippedGroup & { paths: ByteString[] }>();
  for (const { reason, left, path } of report.skipped) {
    const known = groups.get(reason);
    if (known) known.paths.push(path);
    else groups.set(reason, { reason, left, paths: [path] });
  }
  return [...groups.values()].sort((a, b) => Number(b.left === 'different') - Number(a.left === 'different'));
}

/** Collects while a restore runs. */
export class ReportBuilder {
  readonly restored = { entries: 0, files: 0, bytes: 0 };
  readonly refused: RefusedEntry[] = [];
  readonly skipped: PlannedEntry[] = [];
  readonly treeDamage: TreeDamage[] = [];
  readonly deleted: ByteString[] = [];
  leftovers = 0;
  readonly #warnings = new Map<string, { count: number; example: ByteString }>();

  refuse(path: ByteString, refusal: Refusal, below?: ByteString): void {
    this.refused.push({ path, ...refusal, ...(below === undefined ? {} : { below }) });
  }

  /** Each text once, with the number of entries it is true of. */
  warn(text: string, path: ByteString): void {
    const known = this.#warnings.get(text);
    if (known) known.count++;
    else this.#warnings.set(text, { count: 1, example: path });
  }

  get warnings(): string[] {
    return [...this.#warnings].map(([text, { count, example }]) => `${text}: ${display(example) || '.'}${count > 1 ? ` and ${count - 1} more` : ''}`);
  }
}
