/**
 * Names and units of every metric (M5): the emitter writes them, dashboards and alarms of the stack name them, and
 * neither can invent one. Published from runs alone: an idle stack publishes none and pays for none.
 */
export const METRIC_NAMESPACE = 'Holdfast';

export const METRICS = {
  /** 1 or 0 for each run; its average is the success rate. */
  BackupSucceeded: { unit: 'Count' },
  BackupDuration: { unit: 'Seconds' },
  /** Plain bytes of all entries. */
  BackupBytes: { unit: 'Bytes' },
  /** What the run added to the store, compressed and sealed. */
  AddedBytes: { unit: 'Bytes' },
  /** New plain bytes over the bytes they became in the store. */
  CompressionRatio: { unit: 'None' },
  /** Plain bytes of the backup over those that were new. */
  DeduplicationRatio: { unit: 'None' },
  Throughput: { unit: 'Bytes/Second' },
  /** From the moment it was due until it began. */
  StartDelay: { unit: 'Seconds' },
  RestoreSucceeded: { unit: 'Count' },
  RestoreDuration: { unit: 'Seconds' },
  /** Backups found damaged by a verification; its sum over those verified is the corruption rate. */
  CorruptBackups: { unit: 'Count' },
  VerifiedBackups: { unit: 'Count' },
  ComplianceViolations: { unit: 'Count' },
} as const satisfies Record<string, { readonly unit: MetricUnit }>;

export type MetricName = keyof typeof METRICS;
/** As CloudWatch spells them. */
export type MetricUnit = 'Count' | 'Seconds' | 'Bytes' | 'Bytes/Second' | 'None';

/** The dimension of every metric, so that two stacks in one account do not mix; the second one where a plan is known. */
export const STACK_DIMENSION = 'Stack';
export const PLAN_DIMENSION = 'Plan';
