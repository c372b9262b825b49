import { randomBytes } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { byteString, fromText, fsPath, toBytes } from '../../lib/model/byte-string.ts';
import type { ByteString } from '../../lib/model/byte-string.ts';
import { newHexId, newUlid } from '../../lib/model/ids.ts';
import type { BackupId, PackId, PlanId, RunId, WriterId } from '../../lib/model/ids.ts';
import { ByteWriter, ENTRY, FLAG, SnapshotReader, TreeStreamWriter, comparePaths, encodeBody, encodeRef, encodeRefs, names, newRepositoryConfig, openRepository, packIdOf, sealManifest, sha256 } from '../../lib/repository/index.ts';
import type { ChunkRef, EntryBody, FileBody, Manifest, PackClass, PackRef, Repository, TreeRoot } from '../../lib/repository/index.ts';
import { FrameSealer, PackBuilder } from '../../lib/repository/pack-builder.ts';
import type { Store } from '../../lib/stores/store.ts';

const PLAN = '0123456789abcdef0123456789abcdef' as PlanId;
const DEFAULTS = { flags: 0, mode: 0o644, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, mtimeSeconds: 1_700_000_000, mtimeNanoseconds: 123_456_000 };

export interface FixtureSizes {
  readonly frameBytes: number;
  readonly packBytes: number;
  readonly treeChunkBytes: number;
}

interface Stored {
  readonly path: string;
  readonly body: EntryBody | Uint8Array;
}

type Common = Partial<Omit<FileBody, 'type' | 'refs'>>;

/** Builds one real backup with the repository's own functions: packs, tree, refs and manifest, in any store. */
export class FixtureSnapshot {
  readonly repository: Repository;
  readonly sizes: FixtureSizes;
  readonly #base: Stored[] = [];
  #delta: Stored[] | undefined;
  readonly #data: PackLine;
  readonly #meta: PackLine;
  readonly #known = new Map<string, ChunkRef>();
  #bytes = 0;
  #files = 0;
  #directories = 0;

  constructor(store: Store, sizes: Partial<FixtureSizes> = {}) {
    const config = newRepositoryConfig();
    this.repository = openRepository(store, config, { pairs: [{ number: 1, meta: randomBytes(32), data: randomBytes(32) }], chunker: randomBytes(32) });
    this.sizes = { frameBytes: 1 << 20, packBytes: 16 << 20, treeChunkBytes: 64 << 10, ...sizes };
    this.#data = new PackLine(this.repository, 'hot', this.sizes);
    this.#meta = new PackLine(this.repository, 'meta', this.sizes);
  }

  /** `content` as one chunk or as the given chunks; paths as text (UTF-8). */
  async file(path: string, content: string | Uint8Array | readonly Uint8Array[] = '', options: Common & { isListed?: boolean } = {}): Promise<this> {
    const parts = typeof content === 'string' ? [Buffer.from(content)] : content instanceof Uint8Array ? [content] : content;
    const refs: ChunkRef[] = [];
    for (const part of parts) if (part.length > 0) refs.push(await this.#chunk(this.#data, part));
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    const { isListed, ...rest } = options;
    const base = { ...DEFAULTS, size, ctimeSeconds: 0, ctimeNanoseconds: 0, inode: 1n, ...rest, type: ENTRY.file, refs };
    this.#bytes += size;
    this.#files++;
    return this.entry(path, isListed ? { ...base, flags: base.flags | FLAG.listed, refs: await this.#list(refs) } : base);
  }

  directory(path: string, options: Common = {}): this {
    this.#directories++;
    return this.entry(path, { ...DEFAULTS, mode: 0o755, ...options, type: ENTRY.directory });
  }

  symlink(path: string, target: string, options: Common = {}): this {
    return this.entry(path, { ...DEFAULTS, mode: 0o777, ...options, type: ENTRY.symlink, target: fromText(target) });
  }

  special(path: string, type: 'fifo' | 'socket' | 'characterDevice' | 'blockDevice', options: Common & { major?: number; minor?: number } = {}): this {
    const { major = 0, minor = 0, ...rest } = options;
    return this.entry(path, { ...DEFAULTS, ...rest, type: ENTRY[type], major, minor });
  }

  /** Any record, also one that no honest writer would make. A `ByteString` passes through when the path is ASCII. */
  entry(path: string, body: EntryBody | Uint8Array): this {
    return this.record(fromText(path), body);
  }

  record(path: string, body: EntryBody | Uint8Array): this {
    (this.#delta ?? this.#base).push({ path, body });
    return this;
  }

  /** Records that follow go into the delta. */
  inDelta(): this {
    this.#delta = [];
    return this;
  }

  /** Chunks that real contents of a directory tree make: whole files, big ones in pieces of 1 MiB. */
  async tree(root: string): Promise<this> {
    await this.#walk(fromText(root), '' as ByteString);
    return this;
  }

  /** Stores everything and opens the backup. `isSorted: false` keeps the records in the order they were added. */
  async build({ isSorted = true } = {}): Promise<SnapshotReader> {
    const base = await this.#root(this.#base, isSorted);
    const delta = this.#delta ? await this.#root(this.#delta, isSorted) : null;
    await this.#data.close();
    await this.#meta.close();
    const packs = [...this.#data.packs, ...this.#meta.packs];
    const manifest = await this.#commit({ base, delta }, packs);
    return SnapshotReader.open(this.repository, names.snapshot(manifest.plan, manifest.backup));
  }

  /** Stores content of no entry, for records made by hand. */
  chunk(bytes: Uint8Array): Promise<ChunkRef> {
    return this.#chunk(this.#data, bytes);
  }

  get packs(): readonly PackRef[] {
    return this.#data.packs;
  }

  get metaPacks(): readonly PackRef[] {
    return this.#meta.packs;
  }

  async #walk(root: ByteString, path: ByteString): Promise<void> {
    const full = (path === '' ? root : `${root}/${path}`) as ByteString;
    const stat = lstatSync(fsPath(full), { bigint: true });
    if (stat.isSymbolicLink()) return void this.record(path, { ...commonOf(stat), type: ENTRY.symlink, target: byteString(readlinkSync(fsPath(full), 'buffer')) });
    if (stat.isFile()) return this.#realFile(full, path, stat);
    if (!stat.isDirectory()) return;
    this.#directories++;
    this.record(path, { ...commonOf(stat), type: ENTRY.directory });
    const children = readdirSync(fsPath(full), { encoding: 'buffer' }).map(byteString);
    for (const name of children.sort((a, b) => (a < b ? -1 : 1))) await this.#walk(root, (path === '' ? name : `${path}/${name}`) as ByteString);
  }

  async #realFile(full: ByteString, path: ByteString, stat: BigIntStats): Promise<void> {
    const content = readFileSync(fsPath(full));
    const refs: ChunkRef[] = [];
    for (let at = 0; at < content.length; at += 1 << 20) refs.push(await this.#chunk(this.#data, content.subarray(at, at + (1 << 20))));
    this.#bytes += content.length;
    this.#files++;
    this.record(path, { ...commonOf(stat), type: ENTRY.file, size: content.length, ctimeSeconds: 0, ctimeNanoseconds: 0, inode: stat.ino, refs });
  }

  async #chunk(line: PackLine, bytes: Uint8Array): Promise<ChunkRef> {
    const id = sha256(bytes);
    const key = id.toString('latin1');
    const known = this.#known.get(key);
    if (known) return known;
    const ref = { id, pack: Buffer.from(await line.add(id, bytes), 'hex'), length: bytes.length };
    this.#known.set(key, ref);
    return ref;
  }

  async #list(refs: readonly ChunkRef[]): Promise<ChunkRef[]> {
    const writer = new ByteWriter();
    for (const ref of refs) encodeRef(ref, writer);
    return [await this.#chunk(this.#meta, writer.finish())];
  }

  async #root(records: Stored[], isSorted: boolean): Promise<TreeRoot> {
    const entries = isSorted ? records.sort((a, b) => comparePaths(a.path, b.path)) : records;
    const pending: { first: string; bytes: Uint8Array }[] = [];
    const stream = new TreeStreamWriter((chunk) => pending.push(chunk), this.sizes.treeChunkBytes);
    const writer = new ByteWriter();
    for (const { path, body } of entries) {
      writer.reset();
      if (!(body instanceof Uint8Array)) encodeBody(body, writer);
      stream.add(path as ByteString, body instanceof Uint8Array ? body : writer.finish());
    }
    stream.finish();
    const chunks: TreeRoot['chunks'] = [];
    for (const { first, bytes } of pending) {
      const ref = await this.#chunk(this.#meta, bytes);
      chunks.push({ first: toBytes(first as ByteString).toString('base64'), id: Buffer.from(ref.id).toString('hex'), pack: Buffer.from(ref.pack).toString('hex'), length: bytes.length });
    }
    const packs = [...this.#data.ids(), ...this.#meta.ids()];
    return { chunks, packs, records: stream.records, bytes: stream.bytes };
  }

  async #commit(tree: Manifest['tree'], packs: readonly PackRef[]): Promise<Manifest> {
    const { store, config, keys, cipher } = this.repository;
    const backup = newUlid<BackupId>(1_700_000_000_000);
    const run = newUlid<RunId>(1_700_000_000_000);
    const refs = encodeRefs({ format: 1, repository: config.repository, kind: 'refs', plan: PLAN, backup, run, revision: 0, packs: [...packs], replaced: [] });
    await store.put(names.refs(PLAN, backup, 0), refs);
    const zero = { newFiles: 0, changedFiles: 0, unchangedFiles: 0, removedEntries: 0, readBytes: 0, newBytes: 0, storedBytes: 0, durationMilliseconds: 0 };
    const manifest: Manifest = {
      format: 1, backup, plan: PLAN, planName: 'fixture', run, writer: this.#data.writer, host: 'host', type: 'full', source: { type: 'files', description: 'fixture', paths: [] },
      startedAt: '2023-11-14T22:13:20.000Z', finishedAt: '2023-11-14T22:13:20.000Z', checkedAt: 0, sequence: 1, predecessors: [], tree, contentSha256: '',
      refsSha256: sha256(refs).toString('hex'), statistics: { entries: tree.base.records, files: this.#files, directories: this.#directories, bytes: this.#bytes, ...zero }, warnings: [],
    };
    await store.put(names.snapshot(PLAN, backup), sealManifest(keys, manifest, cipher));
    return manifest;
  }
}

/** One open frame and pack of one class; chunk order is the order of `add`. */
class PackLine {
  readonly writer = newHexId<WriterId>();
  readonly packs: PackRef[] = [];
  readonly #repository: Repository;
  readonly #packClass: PackClass;
  readonly #sizes: FixtureSizes;
  readonly #sealer: FrameSealer;
  #builder: PackBuilder | undefined;
  #names: string[] = [];
  #frame: { id: Uint8Array; bytes: Uint8Array }[] = [];
  #frameBytes = 0;

  constructor(repository: Repository, packClass: PackClass, sizes: FixtureSizes) {
    this.#repository = repository;
    this.#packClass = packClass;
    this.#sizes = sizes;
    this.#sealer = new FrameSealer(repository.keys, repository.cipher, packClass === 'meta' ? 'tree' : 'frame', { algorithm: 'zstd', level: 3 });
  }

  /** Id of the pack that holds the chunk. */
  async add(id: Uint8Array, bytes: Uint8Array): Promise<string> {
    if (!this.#builder) this.#open();
    const packId = packIdOf(this.#names.at(-1) as string);
    this.#frame.push({ id, bytes });
    this.#frameBytes += bytes.length;
    if (this.#frameBytes >= this.#sizes.frameBytes) this.#seal();
    if ((this.#builder?.length ?? 0) >= this.#sizes.packBytes) await this.close();
    return packId;
  }

  ids(): string[] {
    return this.#names.map(packIdOf);
  }

  async close(): Promise<void> {
    if (!this.#builder) return;
    if (this.#frame.length > 0) this.#seal();
    const pack = this.#builder.finish(this.#names.at(-1) as string);
    await this.#repository.store.put(pack.name, pack.bytes);
    this.packs.push({ name: pack.name, size: pack.bytes.length, sha256: pack.sha256 });
    this.#builder = undefined;
  }

  #open(): void {
    this.#builder = new PackBuilder(this.#repository.keys, this.#repository.cipher, new Uint8Array(this.#sizes.packBytes + (6 << 20)));
    this.#names.push(names.pack(this.#packClass, this.writer, newHexId<PackId>()));
  }

  #seal(): void {
    const raw = Buffer.concat(this.#frame.map((chunk) => chunk.bytes));
    this.#builder?.append(this.#sealer.seal(raw, this.#frame.map(({ id, bytes }) => ({ id, length: bytes.length }))));
    this.#frame = [];
    this.#frameBytes = 0;
  }
}

function commonOf(stat: BigIntStats) {
  return { flags: 0, mode: Number(stat.mode) & 0o7777, uid: Number(stat.uid), gid: Number(stat.gid), mtimeSeconds: Number(stat.mtimeNs / 1_000_000_000n), mtimeNanoseconds: Number(stat.mtimeNs % 1_000_000_000n) };
}
