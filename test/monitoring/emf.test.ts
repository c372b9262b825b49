import { backupMetrics, restoreMetrics, writeMetrics } from '../../lib/monitoring/emf.ts';
import type { MetricValues } from '../../lib/monitoring/emf.ts';
import { METRICS } from '../../lib/monitoring/metrics.ts';
import type { BackupRecord } from '../../lib/catalog/records.ts';

const backup = { bytes: 10_000, addedBytes: 500, statistics: { newBytes: 2000 } } as unknown as BackupRecord;
const run = { state: 'completed', queuedAt: 0, startedAt: 4000, finishedAt: 14_000 } as const;

function linesOf(values: MetricValues, planName?: string): unknown[] {
  const lines: string[] = [];
  writeMetrics(values, { stackName: 'prod', at: 7, ...(planName !== undefined && { planName }) }, (line) => lines.push(line));
  return lines.map((line) => JSON.parse(line));
}

describe('metrics of runs (M5)', () => {
  it('are one line of the embedded metric format, for the stack and for the plan', () => {
    expect(linesOf({ BackupSucceeded: 1, BackupDuration: 10 }, 'shop')).toEqual([{
      _aws: { Timestamp: 7, CloudWatchMetrics: [{ Namespace: 'Holdfast', Dimensions: [['Stack'], ['Stack', 'Plan']], Metrics: [{ Name: 'BackupSucceeded', Unit: 'Count' }, { Name: 'BackupDuration', Unit: 'Seconds' }] }] },
      Stack: 'prod', Plan: 'shop', BackupSucceeded: 1, BackupDuration: 10,
    }]);
    expect(linesOf({ RestoreSucceeded: 1 })).toMatchObject([{ _aws: { CloudWatchMetrics: [{ Dimensions: [['Stack']] }] } }]);
  });

  it('say how a good run went', () => {
    expect(backupMetrics(run, backup)).toEqual({ BackupSucceeded: 1, StartDelay: 4, BackupDuration: 10, BackupBytes: 10_000, AddedBytes: 500, DeduplicationRatio: 5, CompressionRatio: 4, Throughput: 1000 });
  });

  it('count a failed run as a failure and a cancelled one not at all', () => {
    expect(backupMetrics({ ...run, state: 'failed' })).toEqual({ BackupSucceeded: 0, StartDelay: 4, BackupDuration: 10 });
    expect(backupMetrics({ ...run, state: 'cancelled' })).toEqual({});
    expect(linesOf({})).toEqual([]);
  });

  it('leave out what is no number: a run of no time, a backup that added nothing', () => {
    const instant = backupMetrics({ ...run, finishedAt: 4000 }, { ...backup, addedBytes: 0 });
    expect(linesOf(instant)).toMatchObject([expect.not.objectContaining({ Throughput: expect.anything(), CompressionRatio: expect.anything() })]);
    expect(JSON.stringify(linesOf(instant))).not.toContain('Throughput');
  });

  it('say how a restore went', () => {
    expect(restoreMetrics({ state: 'failed', startedAt: 0, finishedAt: 3000 })).toEqual({ RestoreSucceeded: 0, RestoreDuration: 3 });
    expect(restoreMetrics({ state: 'running', startedAt: 0 })).toEqual({});
  });

  it('have names and units that CloudWatch takes', () => {
    for (const [name, { unit }] of Object.entries(METRICS)) {
      expect(name).toMatch(/^[A-Za-z]{1,255}$/);
      expect(['Count', 'Seconds', 'Bytes', 'Bytes/Second', 'None']).toContain(unit);
    }
  });
});
