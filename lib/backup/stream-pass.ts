import { ByteWriter, ENTRY, FLAG, comparePaths, encodeFileWithRefs } from '../repository/index.ts';
import { display } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import type { SourceStream, StreamSource } from '../sources/source.ts';
import type { BackupRun } from './backup-run.ts';
import { PreviousCursor } from './previous-cursor.ts';

interface StreamEntry {
  readonly path: ByteString;
  readonly body: Uint8Array;
  readonly packs: readonly string[];
}

/**
 * One pass over a source of streams. A stream becomes an entry only after its producer proved that it ended well: the
 * first that does not fails the whole run, and nothing is committed (design, "A dump is committed only when").
 */
export async function performStreamPass(run: BackupRun, source: StreamSource): Promise<string[]> {
  const entries: StreamEntry[] = [];
  const evidence: string[] = [];
  for await (const stream of source.streams(run.signal)) entries.push(await readStream(run, stream, evidence));
  entries.sort((left, right) => comparePaths(left.path, right.path));
  const cursor = new PreviousCursor(run.previous);
  const gone: Parameters<typeof run.builder.remove>[0][] = [];
  for (const { path, body, packs } of entries) {
    await cursor.load(path);
    const previous = cursor.seek(path, (record) => gone.push(record));
    for (const record of gone.splice(0)) await run.builder.remove(record);
    if (previous && Buffer.compare(previous.body, body) === 0) await run.builder.keep(previous);
    else await run.builder.put(path, body, packs);
  }
  await cursor.drain((record) => gone.push(record));
  for (const record of gone) await run.builder.remove(record);
  return evidence;
}

async function readStream(run: BackupRun, stream: SourceStream, evidence: string[]): Promise<StreamEntry> {
  const opened = await stream.open();
  // A reader blocked in a read of a silent producer returns only when the producer is ended.
  const onAbort = () => void opened.close();
  run.signal.addEventListener('abort', onAbort, { once: true });
  try {
    run.totalBytes = opened.size ?? stream.sizeHint ?? run.totalBytes;
    const { bytes, tail, sha256, list, packs } = await run.readStream(opened.fd, 'streams');
    const proof = await opened.finish({ bytes, tail });
    evidence.push(...proof.evidence);
    for (const message of proof.warnings ?? []) run.warnings.push({ code: 'source-suspect', path: display(stream.name), message });
    run.counters.entries++;
    run.counters.files++;
    run.counters.newFiles++;
    const writer = new ByteWriter(list.refs.length + 256);
    const flags = FLAG.digest | (list.isListed ? FLAG.listed : 0);
    encodeFileWithRefs({ type: ENTRY.stream, flags, ...stream.attributes, size: bytes, sha256, ctimeSeconds: 0, ctimeNanoseconds: 0, inode: 0n }, list.count, list.refs, writer);
    return { path: stream.name, body: writer.finish(), packs };
  } finally {
    run.signal.removeEventListener('abort', onAbort);
    await opened.close();
  }
}
