import type { BackupRecord, RestoreRecord, RunRecord } from '../catalog/records.ts';
import type { MetricName } from './metrics.ts';
import { METRIC_NAMESPACE, METRICS, PLAN_DIMENSION, STACK_DIMENSION } from './metrics.ts';

/** Takes one line of the log of a function or task, without its end. */
export type LineWriter = (line: string) => void;

export type MetricValues = { readonly [K in MetricName]?: number };

export interface MetricOrigin {
  readonly stackName: string;
  readonly planName?: string;
  /** When it happened; CloudWatch takes what is less than two weeks old. */
  readonly at: number;
}

/**
 * Writes metrics as one line of the embedded metric format (CloudWatch Logs, "Embedded metric format specification"),
 * counted once for the stack and, where there is a plan, once for the plan. Values that are not finite numbers are left
 * out; without any nothing is written.
 */
export function writeMetrics(values: MetricValues, origin: MetricOrigin, write: LineWriter): void {
  const known = (Object.entries(values) as [MetricName, number | undefined][]).filter(([, value]) => Number.isFinite(value));
  if (known.length === 0) return;
  const hasPlan = origin.planName !== undefined;
  write(JSON.stringify({
    _aws: {
      Timestamp: origin.at,
      CloudWatchMetrics: [{
        Namespace: METRIC_NAMESPACE,
        Dimensions: hasPlan ? [[STACK_DIMENSION], [STACK_DIMENSION, PLAN_DIMENSION]] : [[STACK_DIMENSION]],
        Metrics: known.map(([name]) => ({ Name: name, Unit: METRICS[name].unit })),
      }],
    },
    [STACK_DIMENSION]: origin.stackName,
    ...(hasPlan && { [PLAN_DIMENSION]: origin.planName }),
    ...Object.fromEntries(known),
  }));
}

/** What a run that has ended says of itself; `backup` where it made one. */
export function backupMetrics(run: Pick<RunRecord, 'state' | 'queuedAt' | 'startedAt' | 'finishedAt'>, backup?: BackupRecord): MetricValues {
  if (run.state === 'cancelled') return {};
  const seconds = run.startedAt === undefined || run.finishedAt === undefined ? undefined : (run.finishedAt - run.startedAt) / 1000;
  return {
    BackupSucceeded: run.state === 'completed' || run.state === 'warnings' ? 1 : 0,
    ...(run.startedAt !== undefined && { StartDelay: (run.startedAt - run.queuedAt) / 1000 }),
    ...(seconds !== undefined && { BackupDuration: seconds }),
    ...(backup !== undefined && { ...sizeMetrics(backup), ...(seconds !== undefined && { Throughput: backup.bytes / seconds }) }),
  };
}

export function restoreMetrics(restore: Pick<RestoreRecord, 'state' | 'startedAt' | 'finishedAt'>): MetricValues {
  if (restore.state === 'running' || restore.state === 'cancelled') return {};
  return {
    RestoreSucceeded: restore.state === 'failed' ? 0 : 1,
    ...(restore.finishedAt !== undefined && { RestoreDuration: (restore.finishedAt - restore.startedAt) / 1000 }),
  };
}

/** A backup that added nothing has no ratio of compression, one without new bytes none of deduplication. */
function sizeMetrics({ bytes, addedBytes, statistics }: BackupRecord): MetricValues {
  const newBytes = statistics.newBytes;
  return {
    BackupBytes: bytes,
    AddedBytes: addedBytes,
    ...(newBytes !== undefined && newBytes > 0 && { DeduplicationRatio: bytes / newBytes }),
    ...(newBytes !== undefined && addedBytes > 0 && { CompressionRatio: newBytes / addedBytes }),
  };
}
