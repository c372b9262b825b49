import type { ByteString } from '../model/byte-string.ts';
import { decodeBody } from '../repository/index.ts';
import type { SnapshotEntry, SnapshotReader } from '../repository/index.ts';

/** The entry at `folder` itself, then what lies directly in it; bodies of everything deeper are not decoded. */
export async function* directChildren(reader: SnapshotReader, folder: ByteString): AsyncGenerator<SnapshotEntry> {
  const prefix = folder === '' ? '' : `${folder}/`;
  for await (const records of reader.recordBatches(folder)) {
    for (const { path, body } of records) {
      const isChild = path !== '' && path.startsWith(prefix) && !path.includes('/', prefix.length);
      if (isChild || path === folder) yield { ...decodeBody(body, `entry ${path}`), path };
    }
  }
}
