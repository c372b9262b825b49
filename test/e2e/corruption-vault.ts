import { createHash } from 'node:crypto';
import { linkSync, lstatSync, mkdirSync, openSync, closeSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { runBackup } from '../../lib/backup/run-backup.ts';
import { createKeyFile } from '../../lib/keyring/key-file.ts';
import type { KeyWrapper } from '../../lib/keyring/key-slot.ts';
import { createSlots, writeSlots } from '../../lib/keyring/slots.ts';
import { byteString, fromText } from '../../lib/model/byte-string.ts';
import type { ByteString } from '../../lib/model/byte-string.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { isHoldfastError } from '../../lib/model/errors.ts';
import { newHexId, newUlid } from '../../lib/model/ids.ts';
import type { PackId, PlanId, WriterId } from '../../lib/model/ids.ts';
import { ChunkReader, SnapshotReader, encodeMark, encodeRefs, encodeRuling, isSnapshotFile, listSnapshots, names, newRepositoryConfig, openRepository, recordDamage, rulingNameOf, writeConfig } from '../../lib/repository/index.ts';
import type { PackRef, Repository, RepositoryConfig, VaultKeys } from '../../lib/repository/index.ts';
import { executeRemove } from '../../lib/retention/remove.ts';
import { DEFAULT_TREE_OPTIONS, filesSource } from '../../lib/sources/files.ts';
import type { Source, StreamSource } from '../../lib/sources/source.ts';
import { openDirectoryStore } from '../../lib/stores/directory-store.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import type { Store } from '../../lib/stores/store.ts';
import { verify } from '../../lib/validation/verify.ts';

export const FILES_PLAN = 'f'.repeat(32) as PlanId;
export const DUMP_PLAN = 'd'.repeat(32) as PlanId;
const WRITER = { id: 'ab'.repeat(16) as WriterId, host: 'here' };
const SIZES = { min: 4096, avg: 8192, max: 16384 };

/** A small vault in which every kind of object occurs, and what its backups hold. */
export interface WholeVault {
  readonly folder: string;
  readonly filesFolder: string;
  readonly objects: ReadonlyMap<string, Uint8Array>;
  readonly config: RepositoryConfig;
  readonly keys: VaultKeys;
  readonly keyFiles: readonly KeyWrapper[];
  /** By name of the snapshot: SHA-256 of every file. */
  readonly contents: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/**
 * Two plans: a tree whose first backup was removed, whose second is a base and whose third a delta; and a stream long
 * enough for list chunks. Besides: an unfinished run's list, marks and rulings of prune, a note of a damaged pack,
 * verdicts.
 */
export async function buildVault(root: string): Promise<WholeVault> {
  const folder = join(root, 'vault');
  const store = openDirectoryStore(folder);
  const config = { ...newRepositoryConfig(), chunker: { files: SIZES, streams: SIZES } };
  const keyFiles = [await createKeyFile(join(root, 'first.key')), await createKeyFile(join(root, 'second.key'))];
  const { keys, slots } = await createSlots(config.repository, keyFiles);
  await writeSlots(store, slots);
  await writeConfig(store, config);
  const repository = openRepository(store, config, keys);
  const filesFolder = join(root, 'files');
  const contents = new Map<string, ReadonlyMap<string, string>>();
  makeTree(filesFolder);
  const removed = await backUpFiles(repository, filesFolder);
  writeFileSync(join(filesFolder, 'letters/a.txt'), 'changed before the second backup');
  contents.set(await backUpFiles(repository, filesFolder, 'full'), digests(filesFolder));
  writeFileSync(join(filesFolder, 'letters/b.txt'), 'changed before the third backup');
  contents.set(await backUpFiles(repository, filesFolder), digests(filesFolder));
  await executeRemove({ removals: [{ plan: FILES_PLAN, backup: removed.split('/')[2] as string, reason: 'asked for' }], affected: [], warnings: [], refusals: [] }, repository, { who: 'somebody', why: 'a test' });
  const dump = join(root, 'dump.sql');
  writeFileSync(dump, rows());
  contents.set(await backUp(repository, { id: DUMP_PLAN, name: 'dump' }, dumpSource(dump)), new Map([['dump.sql', digest(readFileSync(dump))]]));
  await addFacts(repository);
  await verify(repository, { level: 'full', clock: systemClock });
  return { folder, filesFolder, objects: await objectsOf(store), config, keys, keyFiles, contents };
}

export async function backUpFiles(repository: Repository, folder: string, type: 'full' | 'incremental' = 'incremental'): Promise<string> {
  return backUp(repository, { id: FILES_PLAN, name: 'files' }, filesSource([fromText(folder)], { ...DEFAULT_TREE_OPTIONS, isKeepingXattrs: false }), type);
}

/** Answers the name of the snapshot. */
async function backUp(repository: Repository, plan: { id: PlanId; name: string }, source: Source, type: 'full' | 'incremental' = 'incremental'): Promise<string> {
  const request = { repository, writer: WRITER, plan, source, type, packClass: 'hot', compression: { algorithm: 'zstd', level: 3 }, threads: 1 } as const;
  const startThread = (settings: unknown) => new Worker(join(__dirname, '../../lib/engine/worker.ts'), { workerData: settings });
  const { manifest } = await runBackup(request, { clock: systemClock, startThread, signal: new AbortController().signal });
  return names.snapshot(manifest.plan, manifest.backup);
}

/** The vault, in memory, with one thing changed. */
export async function changed(vault: WholeVault, change: (objects: Map<string, Uint8Array>) => void): Promise<Store> {
  const objects = new Map(vault.objects);
  change(objects);
  const store = new MemoryStore(systemClock);
  for (const [name, bytes] of objects) await store.put(name, bytes);
  return store;
}

export function opened(vault: WholeVault, store: Store): Repository {
  return openRepository(store, vault.config, vault.keys);
}

export interface ReadBack {
  readonly equal: readonly string[];
  /** Path and reason; a reason is always a named error. */
  readonly refused: ReadonlyMap<string, string>;
  /** Read without complaint, and not what was backed up: must stay empty, whatever happens. */
  readonly wrong: readonly string[];
}

/** Reads every file of one backup the way `restore` does, through all checks, and compares. */
export async function readBack(repository: Repository, snapshot: string, wanted: ReadonlyMap<string, string>): Promise<ReadBack> {
  const equal: string[] = [];
  const wrong: string[] = [];
  const refused = new Map<string, string>();
  try {
    const reader = await SnapshotReader.open(repository, snapshot);
    const sizes = new Map(reader.refs.packs.map(({ name, size }) => [name, size]));
    const chunks = new ChunkReader(repository.store, repository.keys, 'frame', async (name) => sizes.get(name) ?? 0);
    for await (const entry of readableEntries(reader)) {
      if (!isSnapshotFile(entry)) continue;
      const { path } = entry;
      await refusing(refused, path, async () => {
        const hash = createHash('sha256');
        for (const chunk of await reader.chunksOf(entry)) hash.update((await chunks.read(reader.pack(chunk.packId).name, chunk.id)) ?? 'the pack lacks it');
        (hash.digest('hex') === wanted.get(path) ? equal : wrong).push(path);
      });
    }
  } catch (error) {
    for (const path of wanted.keys()) refused.set(path, wordsOf(error));
  }
  for (const path of wanted.keys()) if (!equal.includes(path) && !wrong.includes(path) && !refused.has(path)) refused.set(path, 'its part of the tree cannot be read');
  return { equal, refused, wrong };
}

async function* readableEntries(reader: SnapshotReader) {
  const { decodeBody } = await import('../../lib/repository/index.ts');
  for await (const records of reader.recordBatches('' as ByteString, () => {})) for (const { path, body } of records) yield { ...decodeBody(body, path), path };
}

async function refusing(refused: Map<string, string>, path: string, read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (error) {
    refused.set(path, wordsOf(error));
  }
}

function wordsOf(error: unknown): string {
  if (isHoldfastError(error, 'damaged') || isHoldfastError(error, 'not-found')) return error.message;
  throw error;
}

export async function objectsOf(store: Store): Promise<Map<string, Uint8Array>> {
  const objects = new Map<string, Uint8Array>();
  for await (const { name } of store.list('')) objects.set(name, await store.get(name));
  return objects;
}

/** Packs that a backup needs, as its refs in the whole vault say. */
export function packsOf(vault: WholeVault, snapshot: string): readonly PackRef[] {
  const refs = vault.objects.get(`${snapshot.replace('snapshots/', 'refs/')}.0`) as Uint8Array;
  return (JSON.parse(Buffer.from(refs).toString()) as { packs: PackRef[] }).packs;
}

function makeTree(root: string): void {
  mkdirSync(join(root, 'letters'), { recursive: true });
  for (const name of ['a', 'b', 'c', 'd']) writeFileSync(join(root, `letters/${name}.txt`), `the letter ${name}\n`.repeat(40));
  writeFileSync(join(root, 'letters/empty'), '');
  writeFileSync(Buffer.concat([Buffer.from(`${root}/not utf-8 `), Buffer.from([0xff, 0x0a])]), 'a name of bytes');
  writeFileSync(join(root, 'large.bin'), noise(150_000));
  linkSync(join(root, 'large.bin'), join(root, 'large-again.bin'));
  symlinkSync('large.bin', join(root, 'link'));
}

/** The same in every run: what a test finds, the next run finds too. */
function noise(length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, index) => createHash('sha256').update(`block ${index}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

/** Enough rows for more chunks than a record holds. */
function rows(): string {
  return Array.from({ length: 90_000 }, (_, index) => `INSERT INTO orders VALUES (${index}, 'customer ${(index * 7919) % 90_001}', 'paid');\n`).join('');
}

function dumpSource(file: string): StreamSource {
  const stream = {
    name: fromText('dump.sql'),
    attributes: { mode: 0o600, uid: 0, gid: 0, mtimeSeconds: 0, mtimeNanoseconds: 0 },
    open: async () => {
      const fd = openSync(file, 'r');
      return { fd, finish: async ({ bytes }: { bytes: number }) => ({ bytes, evidence: [] }), close: async () => closeSync(fd) };
    },
  };
  return { shape: 'streams', type: 'stdin', description: 'a dump', check: async () => {}, async *streams() { yield stream; } };
}

function digests(root: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of ['', 'letters/']) {
    for (const name of readdirSync(`${root}/${folder}`, { encoding: 'buffer' })) {
      const path = Buffer.concat([Buffer.from(`${root}/${folder}`), name]);
      if (lstatSync(path).isFile()) found.set(folder + byteString(name), digest(readFileSync(path)));
    }
  }
  return found;
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What a vault holds besides backups. */
async function addFacts(repository: Repository): Promise<void> {
  const { store, config } = repository;
  const snapshots = await listSnapshots(store);
  const [first] = snapshots;
  const refs = JSON.parse(Buffer.from(await store.get(`${(first?.name ?? '').replace('snapshots/', 'refs/')}.0`)).toString()) as { packs: PackRef[] };
  const [index] = await Array.fromAsync(store.list('index/'));
  const run = newUlid(Date.now());
  await store.put(names.partial(FILES_PLAN, run, 0), encodeRefs({ format: 1, repository: config.repository, kind: 'partial', plan: FILES_PLAN, backup: '', run, revision: 0, packs: refs.packs.slice(0, 1), index: [index?.name ?? ''], replaced: [] }));
  for (const ruling of ['spared', 'doomed'] as const) {
    const pack = newHexId<PackId>();
    const mark = names.condemned(pack, newUlid(Date.now()));
    await store.put(mark, encodeMark(names.pack('hot', WRITER.id, pack)));
    await store.put(rulingNameOf(mark), encodeRuling(ruling));
    await recordDamage(store, names.pack('hot', WRITER.id, newHexId<PackId>()), 'seen long ago');
  }
}
