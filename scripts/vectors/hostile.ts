import { constants, zstdCompressSync } from 'node:zlib';
import { fromText } from '../../lib/model/byte-string.ts';
import { newHexId, newUlid } from '../../lib/model/ids.ts';
import type { BackupId, PackId, PlanId, RunId, WriterId } from '../../lib/model/ids.ts';
import { ByteWriter, CIPHERS, ENTRY, FORMAT_VERSION, FrameSealer, TreeStreamWriter, associatedData, encodeBody, encodeDirectory, FLAG, encodeRefs, names, packHeader, packIdOf, SEAL_OVERHEAD_BYTES, sealInto, sealManifest, sha256, signRefs } from '../../lib/repository/index.ts';
import type { ChunkRef, EntryBody, FrameInfo, Manifest, PackClass, Refs, Repository, TreeRoot } from '../../lib/repository/index.ts';

/**
 * Backups that no honest writer makes, sealed with the right keys: by a stolen writer, or in a vault that someone hands
 * over. A reader must refuse them before it touches anything.
 */
export interface Hostile {
  readonly says: string;
  readonly code?: 'damaged' | 'unsupported-version' | 'wrong-key';
  build(forger: Forger): void;
}

/** Path and record; bytes stand for a record that no encoder makes. */
export type TreeRow = readonly [string, EntryBody | Uint8Array];

interface ManifestLie {
  /** Format version, in the head and in what the seal binds. */
  readonly version?: number;
  readonly announced?: number;
}

export const COMMON = { flags: 0, mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 1_700_000_000, mtimeNanoseconds: 0 };
export const ROOT: TreeRow = ['', { ...COMMON, mode: 0o755, type: ENTRY.directory }];

export const HOSTILE_CASES: Readonly<Record<string, Hostile>> = {
  'a path that climbs out': { says: 'not a path inside a backup', build: (forger) => forger.files('../evil') },
  'a path that climbs out further down': { says: 'not a path inside a backup', build: (forger) => forger.files('folder/../../evil') },
  'an absolute path': { says: 'not a path inside a backup', build: (forger) => forger.files('/etc/evil') },
  'a path with NUL': { says: 'not a path inside a backup', build: (forger) => forger.files('nice\0evil') },
  'a name of 256 bytes': { says: 'not a path inside a backup', build: (forger) => forger.files('n'.repeat(256)) },
  'paths that do not ascend': { says: 'do not ascend', build: (forger) => forger.files('b', 'a') },
  'a path twice': { says: 'do not ascend', build: (forger) => forger.files('a', 'a') },
  'tree chunks that do not ascend': { says: 'its chunks do not ascend', build: (forger) => forger.files('b', 'a').treeChunks(1) },
  'a tree chunk that begins elsewhere': { says: 'does not begin where the manifest says', build: (forger) => forger.files('a', 'b').treeChunks(1, () => 'b') },
  'an entry type that nobody knows': { says: 'entry type 99', build: (forger) => forger.tree([ROOT, ['x', Uint8Array.of(99, 0, 0, 0, 0, 0, 0)]]) },
  'a file with more chunks than its record holds': { says: 'announced', build: (forger) => forger.tree([ROOT, ['x', endlessFile()]]) },
  'chunk lengths that do not sum to the frame': { says: 'its chunks', build: (forger) => forger.files('x').directory((frame) => ({ ...frame, chunks: frame.chunks.map((chunk) => ({ ...chunk, length: chunk.length + 1 })) })) },
  'frames that do not end at the directory': { says: 'its directory begins at', build: (forger) => forger.files('x').directory((frame) => ({ ...frame, sealedLength: frame.sealedLength - 1 })) },
  'a frame with another tag': { says: 'not the frame that its directory describes', build: (forger) => forger.files('x').directory((frame) => ({ ...frame, tag: new Uint8Array(16) })) },
  'a frame that decodes to more than its length': { says: 'decode', build: (forger) => forger.files('x').directory((frame) => shorter(frame)) },
  'a frame packed by nobody knows what': { says: 'codec 77', build: (forger) => forger.files('x').directory((frame) => ({ ...frame, codec: 77 })) },
  'a chunk that is not what its id says': { says: 'digest', build: (forger) => forger.files('x').content(Buffer.from('other bytes!')) },
  'a pack that only says that it is of a newer format': { says: 'sealed otherwise', build: (forger) => forger.files('x').bytes((pack) => pack.fill(2, pack.length - 12, pack.length - 11)) },
  'a snapshot of a newer format': { says: 'format version 2', code: 'unsupported-version', build: (forger) => forger.files('x').manifest({ version: 2 }) },
  'a manifest that unfolds to a gigabyte': { says: 'announces 1073741824 bytes', build: (forger) => forger.files('x').manifest({ announced: 1 << 30 }) },
  'a manifest that unfolds to more than it says': { says: 'does not decode to the 1000 bytes', build: (forger) => forger.files('x').manifest({ announced: 1000 }) },
};

/** The objects of one forged backup, by name. */
export function hostileObjects(repository: Repository, build: Hostile['build']): Map<string, Uint8Array> {
  const forger = new Forger(repository);
  build(forger);
  return forger.finish();
}

export class Forger {
  readonly #repository: Repository;
  readonly #writer = newHexId<WriterId>();
  readonly #plan = newHexId<PlanId>();
  readonly #backup = newUlid<BackupId>(1_700_000_000_000);
  readonly #objects = new Map<string, Uint8Array>();
  readonly #packs: { name: string; size: number; sha256: string }[] = [];
  #paths: readonly string[] = [];
  #tree: readonly TreeRow[] = [];
  #frame: (frame: FrameInfo) => FrameInfo = (frame) => frame;
  #pack: (pack: Buffer) => void = () => undefined;
  #stored: Uint8Array | undefined;
  #treeChunkBytes: number | undefined;
  #first: (first: string) => string = (first) => first;
  #lie: ManifestLie | undefined;
  #delta: readonly TreeRow[] | undefined;
  #list: ((list: Buffer) => Uint8Array) | undefined;
  #refs: (refs: Refs) => Refs = (refs) => refs;
  #later: ((refs: Refs) => Refs) | undefined;

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  /** Files of twelve bytes under these paths, in this order. */
  files(...paths: string[]): this {
    this.#paths = paths;
    return this;
  }

  tree(records: readonly TreeRow[]): this {
    this.#tree = records;
    return this;
  }

  /** Cuts the tree after so many bytes; `lie` is told the first path of each chunk and answers what the manifest says. */
  treeChunks(bytes: number, lie: (first: string) => string = (first) => first): this {
    this.#treeChunkBytes = bytes;
    this.#first = lie;
    return this;
  }

  /** Lies in the directory of the data pack. */
  directory(lie: (frame: FrameInfo) => FrameInfo): this {
    this.#frame = lie;
    return this;
  }

  /** Seals these bytes under the id of others. */
  content(bytes: Uint8Array): this {
    this.#stored = bytes;
    return this;
  }

  bytes(change: (pack: Buffer) => void): this {
    this.#pack = change;
    return this;
  }

  /** Another body in the manifest's place: 16 MiB of zeroes in a few hundred bytes. */
  manifest(lie: ManifestLie): this {
    this.#lie = lie;
    return this;
  }

  /** A second stream over the first. */
  delta(...records: readonly TreeRow[]): this {
    this.#delta = records;
    return this;
  }

  /** Puts the chunks of every file into a list chunk of its own, which `change` spoils. */
  listed(change: (list: Buffer) => Uint8Array): this {
    this.#list = change;
    return this;
  }

  /** Lies in revision 0 of the refs, which the manifest binds. */
  refs(lie: (refs: Refs) => Refs): this {
    this.#refs = lie;
    return this;
  }

  /** A revision 1 of the refs, signed like a genuine one. */
  later(lie: (refs: Refs) => Refs): this {
    this.#later = lie;
    return this;
  }

  finish(): Map<string, Uint8Array> {
    const content = Buffer.from('twelve bytes');
    const chunk = this.#chunk('hot', sha256(content), this.#stored ?? content, this.#frame, this.#pack);
    const dataPack = Buffer.from(chunk.pack).toString('hex');
    const file = { ...COMMON, type: ENTRY.file, size: content.length, ctimeSeconds: 0, ctimeNanoseconds: 0, inode: 1n, ...this.#chunksOf(chunk) } as const;
    const records = this.#tree.length > 0 ? this.#tree : [ROOT, ...this.#paths.map((path) => [path, file] as const)];
    this.#commit({ base: this.#root(records, dataPack), delta: this.#delta ? this.#root(this.#delta, dataPack) : null }, records.length);
    return this.#objects;
  }

  #chunksOf(chunk: ChunkRef): { readonly refs: readonly ChunkRef[]; readonly flags?: number } {
    if (!this.#list) return { refs: [chunk] };
    const list = this.#list(new ByteWriter().bytes(chunk.id).bytes(chunk.pack).varint(chunk.length).finish() as Buffer);
    return { flags: FLAG.listed, refs: [this.#chunk('meta', sha256(list), list)] };
  }

  #root(records: readonly TreeRow[], dataPack: string): TreeRoot {
    const chunks: TreeRoot['chunks'] = [];
    const stream = new TreeStreamWriter(({ first, bytes }) => {
      const { id, pack, length } = this.#chunk('meta', sha256(bytes), bytes);
      chunks.push({ first: Buffer.from(this.#first(first), 'latin1').toString('base64'), id: Buffer.from(id).toString('hex'), pack: Buffer.from(pack).toString('hex'), length });
    }, this.#treeChunkBytes);
    for (const [path, body] of records) stream.add(fromText(path), body instanceof Uint8Array ? body : encoded(body));
    stream.finish();
    return { chunks, packs: [dataPack, ...chunks.map(({ pack }) => pack)], records: stream.records, bytes: stream.bytes };
  }

  /** One chunk in one frame in one pack. */
  #chunk(packClass: PackClass, id: Uint8Array, bytes: Uint8Array, lie: (frame: FrameInfo) => FrameInfo = (frame) => frame, change: (pack: Buffer) => void = () => undefined): ChunkRef {
    const { keys, cipher } = this.#repository;
    const name = names.pack(packClass, this.#writer, newHexId<PackId>());
    const { parts, info } = new FrameSealer(keys, cipher, packClass === 'meta' ? 'tree' : 'frame', { algorithm: 'zstd', level: 3 }).seal(bytes, [{ id, length: bytes.length }]);
    const header = packHeader(cipher, keys.current);
    const pack = Buffer.concat([header, ...parts, encodeDirectory(keys, name, [lie({ ...info, offset: header.length })], cipher)]);
    change(pack);
    this.#objects.set(name, pack);
    this.#packs.push({ name, size: pack.length, sha256: sha256(pack).toString('hex') });
    return { id, pack: Buffer.from(packIdOf(name), 'hex'), length: bytes.length };
  }

  #commit(tree: Manifest['tree'], entries: number): void {
    const { config, keys, cipher } = this.#repository;
    const run = newUlid<RunId>(1_700_000_000_000);
    const common = { format: FORMAT_VERSION, plan: this.#plan, backup: this.#backup, run };
    const honest: Refs = { ...common, repository: config.repository, kind: 'refs', revision: 0, packs: this.#packs, replaced: [] };
    const refs = encodeRefs(this.#refs(honest));
    this.#objects.set(names.refs(this.#plan, this.#backup, 0), refs);
    const second = names.refs(this.#plan, this.#backup, 1);
    if (this.#later) this.#objects.set(second, encodeRefs(signRefs(keys, second, this.#later({ ...honest, revision: 1 }))));
    const zero = { newFiles: 0, changedFiles: 0, unchangedFiles: 0, removedEntries: 0, readBytes: 0, newBytes: 0, storedBytes: 0, durationMilliseconds: 0 };
    const at = '2023-11-14T22:13:20.000Z';
    const manifest: Manifest = {
      ...common, planName: 'hostile', writer: this.#writer, host: 'vectors', type: 'full', source: { type: 'files', description: 'hostile', paths: [] },
      startedAt: at, finishedAt: at, checkedAt: 0, sequence: 1, predecessors: [], tree, contentSha256: '', refsSha256: sha256(refs).toString('hex'),
      statistics: { entries, files: entries, directories: 1, bytes: 0, ...zero }, warnings: [],
    };
    const name = names.snapshot(this.#plan, this.#backup);
    this.#objects.set(name, this.#lie === undefined ? sealManifest(keys, manifest, cipher) : this.#sealLie(name, this.#lie));
  }

  #sealLie(name: string, { version = FORMAT_VERSION, announced = 16 << 20 }: ManifestLie): Uint8Array {
    const { keys, cipher } = this.#repository;
    const packed = zstdCompressSync(Buffer.alloc(16 << 20), { params: { [constants.ZSTD_c_compressionLevel]: 19 } });
    const body = new ByteWriter().u8(1).varint(announced).bytes(packed).finish();
    const aad = associatedData({ repository: keys.repository, cipher, keyNumber: keys.current, kind: 'snapshot', name });
    aad[8] = version;
    const head = Buffer.from([...Buffer.from('HFOB'), version, CIPHERS[cipher], 0, 0, 0, 0, 0, keys.current]);
    const unit = Buffer.alloc(body.length + SEAL_OVERHEAD_BYTES);
    sealInto(unit, body, { subkey: keys.subkey('snapshot'), digest: sha256(body), aad, cipher });
    return Buffer.concat([head, unit]);
  }
}

function encoded(body: EntryBody): Uint8Array {
  const writer = new ByteWriter();
  encodeBody(body, writer);
  return writer.finish();
}

/** A record that announces 2^40 chunks. */
function endlessFile(): Uint8Array {
  const file = { ...COMMON, type: ENTRY.file, size: 1, ctimeSeconds: 0, ctimeNanoseconds: 0, inode: 1n, refs: [] } as const;
  const writer = new ByteWriter().bytes(encoded(file));
  return writer.truncate(writer.length - 1).varint(2 ** 40).finish();
}

function shorter(frame: FrameInfo): FrameInfo {
  return { ...frame, rawLength: frame.rawLength - 1, chunks: frame.chunks.map((chunk) => ({ ...chunk, length: chunk.length - 1 })) };
}
