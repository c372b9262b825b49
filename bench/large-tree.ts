import { MetaPacks } from '../lib/backup/meta-packs.ts';
import { PreviousCursor } from '../lib/backup/previous-cursor.ts';
import { TreeBuilder } from '../lib/backup/tree-builder.ts';
import type { BuiltTree } from '../lib/backup/tree-builder.ts';
import type { ByteString } from '../lib/model/byte-string.ts';
import { systemClock } from '../lib/model/clock.ts';
import { invariant } from '../lib/model/errors.ts';
import { newHexId, newUlid } from '../lib/model/ids.ts';
import type { PlanId, RepositoryId, RunId, WriterId } from '../lib/model/ids.ts';
import { BackupSession, ByteWriter, ENTRY, FORMAT_VERSION, SnapshotReader, CHUNKER_SIZES, encodeBody, openRepository } from '../lib/repository/index.ts';
import type { FileBody, Manifest, Refs, Repository } from '../lib/repository/index.ts';
import { MemoryStore } from '../lib/stores/memory-store.ts';

/**
 * The entry tree of very many files on the memory store, without the files: written first, then met again unchanged as
 * an incremental run meets it, then with every thousandth entry changed. Shows that what a run keeps in memory grows by
 * the sparse index alone (about 10 bytes an entry), and with a delta by its entries.
 * usage: node --expose-gc --no-warnings bench/large-tree.ts [ENTRIES, 10000000]. Exit code 1 when it grows by more.
 */
const entries = Number(process.argv[2] ?? 10_000_000);
const FILES_IN_FOLDER = 1000;
const ALLOWED_BYTES_AN_ENTRY = 24;
const BASE_BYTES = 160 << 20;

const keys = { pairs: [{ number: 1, meta: new Uint8Array(32).fill(1), data: new Uint8Array(32).fill(2) }], chunker: new Uint8Array(32).fill(3) };
const store = new MemoryStore(systemClock);
const repository: Repository = openRepository(store, { format: FORMAT_VERSION, repository: newHexId<RepositoryId>(), chunker: CHUNKER_SIZES }, keys);
const writer = { id: newHexId<WriterId>(), host: 'bench' };
const plan = newHexId<PlanId>();
const id = Buffer.alloc(32);
const pack = Buffer.alloc(16, 7);
const body = new ByteWriter(256);

const first = await write('first', undefined, () => false);
await write('unchanged', first, () => false);
await write('1 in 1000 changed', first, (number) => number % 1000 === 0);

async function write(step: string, previous: SnapshotReader | undefined, isChanged: (number: number) => boolean): Promise<SnapshotReader> {
  const startedAt = performance.now();
  const session = await BackupSession.open(repository, { plan, run: newUlid<RunId>(Date.now()), writer });
  const meta = new MetaPacks(session);
  const builder = new TreeBuilder(previous, meta);
  const cursor = new PreviousCursor(previous);
  const peak = { bytes: 0 };
  for (let number = 0; number < entries; number++) {
    const path = `folder-${String(Math.floor(number / FILES_IN_FOLDER)).padStart(7, '0')}/file-${String(number).padStart(10, '0')}.txt` as ByteString;
    if (!cursor.isReady(path)) await cursor.load(path);
    const record = cursor.seek(path, () => invariant(false, `${path}: a record before it is nowhere`));
    invariant((record !== undefined) === (previous !== undefined), `${path} is not in the tree of the run before`);
    const slow = record && !isChanged(number) ? builder.keep(record) : builder.put(path, encoded(number, isChanged(number)));
    if (slow) await slow;
    if (number % 250_000 === 0) await look(peak);
  }
  const tree = await builder.finish();
  await meta.finish();
  await look(peak);
  report(step, tree, peak.bytes, performance.now() - startedAt);
  return new SnapshotReader(repository, { backup: 'bench', plan, tree } as unknown as Manifest, { packs: await storedPacks(), replaced: [] } as unknown as Refs);
}

/** Like a small file: one chunk, with an id of its own. */
function encoded(number: number, isChanged: boolean): Uint8Array {
  id.writeUInt32BE(Math.imul(number, 2_654_435_761) >>> 0, 0);
  id.writeUInt32BE(number, 28);
  const file: FileBody = { type: ENTRY.file, flags: 0, mode: 0o644, uid: 1000, gid: 1000, mtimeSeconds: 1_700_000_000 + Number(isChanged), mtimeNanoseconds: number % 1_000_000_000, size: 100, ctimeSeconds: 1_700_000_000, ctimeNanoseconds: 1, inode: BigInt(number), refs: [{ id, pack, length: 100 }] };
  body.reset();
  encodeBody(file, body);
  return body.view();
}

/** What is held beside the store, which here lies in the same memory. */
async function look(peak: { bytes: number }): Promise<void> {
  await new Promise((done) => void setImmediate(done));
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  const stored = (await storedPacks()).reduce((sum, { size }) => sum + size, 0);
  peak.bytes = Math.max(peak.bytes, heapUsed + external - stored);
}

function storedPacks(): Promise<{ name: string; size: number; sha256: string }[]> {
  return Array.fromAsync(store.list('packs/'), ({ name, size }) => ({ name, size, sha256: '' }));
}

function report(step: string, { base, delta }: BuiltTree, peakBytes: number, milliseconds: number): void {
  const allowed = BASE_BYTES + entries * ALLOWED_BYTES_AN_ENTRY;
  console.log(`${entries} entries, ${step}: ${(milliseconds / 1000).toFixed(1)} s, base ${base.records} records in ${base.chunks.length} chunks, delta ${delta?.records ?? 0}, held beside the store at most ${Math.round(peakBytes / 2 ** 20)} MiB, allowed ${Math.round(allowed / 2 ** 20)}`);
  if (peakBytes > allowed) process.exitCode = 1;
}
