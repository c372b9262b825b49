import { renameSync, rmSync } from 'node:fs';

/**
 * Makes room for `holdfast catalog rebuild` when the file is damaged: the file and its write-ahead log are kept beside as
 * `<file>.damaged` and `<file>.damaged-wal` (replacing older ones), so that run history can still be looked for. Absent
 * is success. No other process may have the catalog open.
 */
export function discardSqliteCatalog(file: string): void {
  // The shared-memory index is made again from the log; a stale one beside a new file would be read as its own.
  rmSync(`${file}-shm`, { force: true });
  rmSync(`${file}.damaged-wal`, { force: true });
  for (const suffix of ['-wal', '']) moveIfThere(`${file}${suffix}`, `${file}.damaged${suffix}`);
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
