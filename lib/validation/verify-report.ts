import type { ByteString } from '../model/byte-string.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { VerdictLevel } from '../repository/index.ts';
import type { Amount, CoverageState } from './coverage-clock.ts';

/** `structure`: everything but the contents of data packs; `sample`: and a rotating part of the packs; `full`: and all packs. */
export type VerifyLevel = Exclude<VerdictLevel, 'commit'>;

export type ObjectKind = 'config' | 'key-slot' | 'snapshot' | 'refs' | 'pack' | 'index' | 'partial' | 'verdict' | 'coverage' | 'damage-record' | 'mark' | 'removal' | 'kit' | 'wal';

/** What a damaged object takes from one backup. */
export interface TouchedBackup {
  /** Name of the snapshot. */
  readonly snapshot: string;
  /** Entries whose content is lost or unproven, in all; `examples` are the first of them. */
  readonly entries: number;
  readonly examples: readonly ByteString[];
  /** Parts of the tree that cannot be read: what lies from `from` up to (not with) `to` is unknown. */
  readonly ranges: readonly PathRange[];
}

export interface PathRange {
  readonly from: ByteString;
  readonly to: ByteString | undefined;
}

/** One object of the vault that is not what was written there. */
export interface DamagedObject {
  readonly name: string;
  readonly kind: ObjectKind;
  /** What was seen: the first few of `problemCount`. */
  readonly problems: readonly string[];
  readonly problemCount: number;
  /** In words, for people. */
  readonly lost: string;
  /** What could heal it, in words; of packs with which something is lost. */
  readonly outlook?: string;
  readonly touched: readonly TouchedBackup[];
}

export interface VerifiedBackup {
  /** Name of the snapshot. */
  readonly snapshot: string;
  readonly backup: string;
  /** Undefined when the manifest does not open. */
  readonly planName: string | undefined;
  readonly sequence: number | undefined;
  /** `void`: stored too late to be trusted (format §12); its packs may be gone, and that is no damage. */
  readonly result: 'good' | 'corrupted' | 'void';
  /** Names of the damaged objects that touch it. */
  readonly damaged: readonly string[];
}

/** What people should know and what is no damage. */
export interface VerifyNote {
  readonly code: 'freshness-unproven' | 'rolled-back' | 'unfinished-run' | 'orphan-packs' | 'not-indexed' | 'unusual-config' | 'stray-object' | 'recovered-pack' | 'damaged-before' | 'key-slot' | 'orphan-ruling' | 'not-recorded' | 'vault-full';
  readonly message: string;
}

export interface VerifyReport {
  /** `coverage`: whole packs that nobody read for long, by the coverage clock. */
  readonly level: VerifyLevel | 'coverage';
  readonly backups: readonly VerifiedBackup[];
  readonly damage: readonly DamagedObject[];
  readonly notes: readonly VerifyNote[];
  readonly packs: {
    readonly listed: number;
    /** Named by the backups that were verified. */
    readonly needed: number;
    /** Read in full. */
    readonly read: number;
    /** Of those: named by no list of packs that could be read. A writer may build on them. */
    readonly unneeded: number;
    readonly readBytes: number;
  };
  /** Which part of the rotation was read; only with level `sample`. */
  readonly sample: { readonly part: number; readonly parts: number } | undefined;
  /** Only with level `coverage`. */
  readonly coverage?: CoverageReport;
  readonly durationMilliseconds: number;
}

/** What a run of the coverage clock did, and how it stands afterwards. */
export interface CoverageReport extends CoverageState {
  readonly withinDays: number;
  readonly overdue: Amount;
  /** What it should read this time; what it read is in `packs` of the report. */
  readonly due: Amount;
  /** Too old when the run began. */
  readonly overdueBefore: Amount;
  /** The time it may take was over before all that was due was read. */
  readonly isCutShort: boolean;
  /** Days between runs, as they came so far. */
  readonly everyDays: number;
  /** At this pace everything is read in so many days; only when the run was cut short. */
  readonly daysAtThisPace: number | undefined;
  /** False: nothing could be written into the vault, so the next run begins at the same packs. */
  readonly isRecorded: boolean;
}

/** `damaged` (exit code 12) when anything is not what was written; undefined when all is well. */
export function outcomeOf(report: Pick<VerifyReport, 'damage'>): ErrorCode | undefined {
  return report.damage.length > 0 ? 'damaged' : undefined;
}
