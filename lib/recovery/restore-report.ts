import type { ByteString } from '../model/byte-string.ts';
import { display } from '../model/byte-string.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { TreeDamage } from '../repository/index.ts';
import type { PlannedEntry } from './decision.ts';
import type { Refusal } from './file-task.ts';

export interface RefusedEntry extends Refusal {
  readonly path: ByteString;
}

/** What a restore did, entry by entry where something was not restored. */
export interface RestoreReport {
  readonly backup: string;
  readonly target: string;
  /** Entries that now stand in the target as in the backup. */
  readonly restored: { entries: number; files: number; bytes: number };
  /** By the plan: what was there stays. Directories are not listed: they are entered. */
  readonly skipped: readonly PlannedEntry[];
  /** Could not be restored: content lost, something in the way, or the system refused. Nothing stands under these names but what was there before. */
  readonly refused: readonly RefusedEntry[];
  /** Ranges of paths whose records cannot be read: what lay there is unknown. */
  readonly treeDamage: readonly TreeDamage[];
  readonly deleted: readonly ByteString[];
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
  if (kinds.has('conflict')) return 'target-exists';
  return undefined;
}

/** Collects while a restore runs. */
export class ReportBuilder {
  readonly restored = { entries: 0, files: 0, bytes: 0 };
  readonly refused: RefusedEntry[] = [];
  readonly skipped: PlannedEntry[] = [];
  readonly treeDamage: TreeDamage[] = [];
  readonly deleted: ByteString[] = [];
  readonly #warnings = new Map<string, { count: number; example: ByteString }>();

  refuse(path: ByteString, refusal: Refusal): void {
    this.refused.push({ path, ...refusal });
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
