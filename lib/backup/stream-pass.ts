import { ByteWriter, ENTRY, FLAG, comparePaths, encodeBody, encodeFileWithRefs } from '../repository/index.ts';
import { display } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import type { ManifestEvidence } from '../repository/index.ts';
import { attributesAt } from '../sources/attributes.ts';
import type { SourceStream, StreamProof, StreamSource } from '../sources/source.ts';
import type { PassRun } from './backup-run.ts';
import { PreviousCursor } from './previous-cursor.ts';

export interface StreamEntry {
  readonly path: ByteString;
  readonly body: Uint8Array;
  readonly packs: readonly string[];
}

/** Why the streams are believed to be whole, and what they say about themselves. */
export interface ProvedStreams {
  readonly evidence: readonly ManifestEvidence[];
  readonly facts: NonNullable<StreamProof['facts']>;
}

export interface Gathered {
  readonly evidence: ManifestEvidence[];
  readonly facts: Record<string, string | number | boolean>;
}

/**
 * One pass over a source of streams. A stream becomes an entry only after its producer proved that it ended well: the
 * first that does not fails the whole run, and nothing is committed (design, "A dump is committed only when").
 */
export async function performStreamPass(run: PassRun, source: StreamSource): Promise<ProvedStreams> {
  const entries: StreamEntry[] = [];
  const proved: Gathered = { evidence: [], facts: {} };
  for await (const stream of source.streams(run.signal)) entries.push(await readStream(run, stream, proved));
  await writeStreams(run, entries);
  return proved;
}

/** The whole new tree: what is not among these entries is gone. */
export async function writeStreams(run: PassRun, entries: StreamEntry[]): Promise<void> {
  addFolders(entries, run);
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
}

/** What the producer of an entry proved, among what the others did. */
export function takeProof(run: PassRun, name: ByteString, { proof, proved }: { readonly proof: StreamProof; readonly proved: Gathered }): void {
  const { evidence, tables, versions, facts, warnings = [] } = proof;
  if (evidence.length > 0 || tables !== undefined) proved.evidence.push({ entry: display(name), facts: [...evidence], ...(tables && { tables: [...tables] }), ...(versions && { versions }) });
  Object.assign(proved.facts, facts);
  for (const message of warnings) run.warnings.push({ code: 'source-suspect', path: display(name), message });
  run.counters.entries++;
  run.counters.files++;
  run.counters.newFiles++;
}

async function readStream(run: PassRun, stream: SourceStream, proved: Gathered): Promise<StreamEntry> {
  const opened = await stream.open();
  // A reader blocked in a read of a silent producer returns only when the producer is ended.
  const onAbort = () => void opened.close();
  run.signal.addEventListener('abort', onAbort, { once: true });
  try {
    run.totalBytes = opened.size ?? stream.sizeHint ?? run.totalBytes;
    const { bytes, tail, sha256, list, packs, inspected } = await run.readStream({ fd: opened.fd, sizes: 'streams', inspection: opened.inspection });
    takeProof(run, stream.name, { proof: await opened.finish({ bytes, tail, inspected }), proved });
    const writer = new ByteWriter(list.refs.length + 256);
    const flags = FLAG.digest | (list.isListed ? FLAG.listed : 0);
    encodeFileWithRefs({ type: ENTRY.stream, flags, ...stream.attributes, size: bytes, sha256, ctimeSeconds: 0, ctimeNanoseconds: 0, inode: 0n }, list.count, list.refs, writer);
    return { path: stream.name, body: writer.finish(), packs };
  } finally {
    run.signal.removeEventListener('abort', onAbort);
    await opened.close();
  }
}

/** Readers find the folder of an entry as an entry, too. */
function addFolders(entries: StreamEntry[], run: PassRun): void {
  const folders = new Set(entries.flatMap(({ path }) => foldersOf(path)));
  const { uid, gid, mtimeSeconds, mtimeNanoseconds } = attributesAt(run.now());
  for (const path of folders) {
    const writer = new ByteWriter(64);
    encodeBody({ type: ENTRY.directory, flags: 0, mode: 0o700, uid, gid, mtimeSeconds, mtimeNanoseconds }, writer);
    entries.push({ path, body: writer.finish(), packs: [] });
    run.counters.entries++;
    run.counters.directories++;
  }
}

function foldersOf(path: ByteString): ByteString[] {
  const components = path.split('/').slice(0, -1);
  return components.map((_, index) => components.slice(0, index + 1).join('/') as ByteString);
}
