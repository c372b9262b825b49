import type { ByteString } from '../../model/byte-string.ts';
import type { SnapshotEntry, SnapshotReader } from '../../repository/index.ts';
import { archiveParts } from './archive-parts.ts';
import { readParts } from './content-windows.ts';

/**
 * Reads and proves everything that would be exported, and writes nothing: which entries are damaged, and why. A header in an
 * archive stands before its content, so what is to be left out must be known before the first byte is written.
 */
export async function findLosses(reader: SnapshotReader, batches: AsyncIterable<readonly SnapshotEntry[]>, options: { readonly keepsHoles: boolean; readonly signal: AbortSignal; readonly onRead: (bytes: number) => void }): Promise<Map<ByteString, string>> {
  const lost = new Map<ByteString, string>();
  const lose = (path: ByteString, { message }: Error) => void (lost.has(path) || lost.set(path, message));
  // Each name of a hard-linked file is looked at: without the first, the second would carry the content.
  const parts = archiveParts(reader, batches, { except: new Set(), keepsHoles: options.keepsHoles, keepsLinks: false, onLeftOut: () => undefined, onLost: lose });
  for await (const window of readParts(reader, parts, options.signal)) {
    for (const { wanted, content } of window) {
      if (content instanceof Uint8Array) options.onRead(wanted === undefined ? 0 : content.length);
      else if (wanted !== undefined) lose(wanted.path, content);
    }
  }
  return lost;
}
