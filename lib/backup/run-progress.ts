import type { BackupStatistics } from '../repository/index.ts';

/** What a running backup tells; all figures only ever grow. */
export interface BackupProgress {
  readonly phase: 'scanning' | 'storing' | 'committing' | 'healing' | 'verifying';
  readonly entries: number;
  readonly files: number;
  /** Plain bytes dealt with: read, or known to be unchanged. */
  readonly bytes: number;
  /** Plain bytes in all: of the walk once it has ended, else of the previous backup, else unknown. */
  readonly totalBytes: number | undefined;
  readonly storedBytes: number;
}

/** Counters of one run, in one place because several parts add to them. */
export class RunCounters {
  entries = 0;
  files = 0;
  directories = 0;
  bytes = 0;
  newFiles = 0;
  changedFiles = 0;
  unchangedFiles = 0;
  removedEntries = 0;
  readBytes = 0;
  newBytes = 0;

  /** As plain data, for the record. */
  figures(): Omit<BackupStatistics, 'storedBytes' | 'durationMilliseconds'> {
    const { entries, files, directories, bytes, newFiles, changedFiles, unchangedFiles, removedEntries, readBytes, newBytes } = this;
    return { entries, files, directories, bytes, newFiles, changedFiles, unchangedFiles, removedEntries, readBytes, newBytes };
  }
}
