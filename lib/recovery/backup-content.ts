import { fromText } from '../model/byte-string.ts';
import { isSnapshotFile } from '../repository/index.ts';
import type { SnapshotReader } from '../repository/index.ts';
import type { BackupContent } from '../sources/database-loader.ts';
import { readContent } from './read-content.ts';

/** A backup as loaders of databases see it. */
export function backupContent(reader: SnapshotReader): BackupContent {
  return {
    backup: reader.manifest.backup,
    evidenceOf: (entry) => reader.manifest.evidence?.find((one) => one.entry === entry),
    files: async function* (below) {
      for await (const entry of reader.entries(fromText(below))) {
        if (isSnapshotFile(entry)) yield { path: entry.path, bytes: entry.size, read: () => readContent(reader, entry) };
      }
    },
  };
}
