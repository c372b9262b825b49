import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * The system identifier of the cluster whose data directory is one of `folders`: the first eight bytes of its control file
 * (catalog/pg_control.h), in the byte order of this machine's server. Undefined: none of them is a data directory.
 */
export async function systemIdIn(folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const handle = await open(join(folder, 'global', 'pg_control'), 'r').catch(() => undefined);
    if (handle === undefined) continue;
    try {
      const bytes = Buffer.alloc(8);
      const { bytesRead } = await handle.read(bytes, 0, 8, 0);
      if (bytesRead === 8) return bytes.readBigUInt64LE(0).toString();
    } finally {
      await handle.close();
    }
  }
  return undefined;
}

/** PostgreSQL runs archive_command and restore_command in its data directory, with paths like `pg_wal/…`. */
export function dataFolders(workingFolder: string, path: string): readonly string[] {
  return [workingFolder, dirname(dirname(path))];
}
