import { findPredecessor } from '../../../lib/backup/predecessor.ts';
import type { Predecessor } from '../../../lib/backup/predecessor.ts';
import { fromText } from '../../../lib/model/byte-string.ts';
import { newHexId, newUlid } from '../../../lib/model/ids.ts';
import type { BackupId, PackId, RunId } from '../../../lib/model/ids.ts';
import { BackupSession, ByteWriter, ENTRY, FrameSealer, PackBuilder, PacksWithdrawn, TreeStreamWriter, decodeBody, encodeBody, isFile, names, packIdOf, sha256 } from '../../../lib/repository/index.ts';
import type { ChunkRef, EntryBody, ManifestDraft, Repository, SessionOptions, TreeRoot } from '../../../lib/repository/index.ts';
import type { SeededRandom } from '../dice.ts';
import { idOf } from '../pack-shelf.ts';
import type { PackShelf } from '../pack-shelf.ts';
import type { LifeOracle } from './life-oracle.ts';

export interface LifeSettings extends Omit<SessionOptions, 'run' | 'random'> {
  /** Files of the source: each holds its own name. */
  readonly contents: readonly string[];
  readonly clientNow: number;
}

export interface LifeTools {
  readonly dice: SeededRandom;
  readonly oracle: LifeOracle;
  readonly packs: PackShelf;
}

const COMMON = { flags: 0, mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 1_700_000_000, mtimeNanoseconds: 0 };
const MAX_ATTEMPTS = 3;

/**
 * One run of a plan with the product's session, predecessor and formats, and a real tree: what is damaged can be named,
 * healed and read back, entry by entry.
 */
export class LifeRun {
  readonly #repository: Repository;
  readonly #settings: LifeSettings;
  readonly #tools: LifeTools;
  readonly #session: BackupSession;
  readonly #places = new Map<string, ChunkRef>();

  private constructor(repository: Repository, settings: LifeSettings, tools: LifeTools, session: BackupSession) {
    this.#repository = repository;
    this.#settings = settings;
    this.#tools = tools;
    this.#session = session;
  }

  static async execute(repository: Repository, settings: LifeSettings, tools: LifeTools): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      try {
        const run = newUlid<RunId>(settings.clientNow, tools.dice.bytes);
        const knownDamage = tools.oracle.recordedDamage();
        const session = await BackupSession.open(repository, { ...settings, run, random: tools.dice.bytes });
        return await new LifeRun(repository, settings, tools, session).#execute(knownDamage);
      } catch (error) {
        if (!(error instanceof PacksWithdrawn) || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  async #execute(knownDamage: ReadonlySet<string>): Promise<string> {
    const predecessor = await findPredecessor(this.#repository, this.#session);
    if (predecessor.reader) for await (const records of predecessor.reader.recordBatches()) for (const record of records) this.#takeOver(record.path, record.body);
    await this.#storeMissing();
    const root = await this.#storeTree(predecessor);
    const backup = newUlid<BackupId>(this.#settings.clientNow, this.#tools.dice.bytes);
    const packs = new Set(root.packs);
    this.#tools.oracle.declareRun(backup, { knownDamage, tree: root.chunks[0]?.id ?? '', ...this.#draftOf(root) });
    await this.#session.commit(this.#draft(backup, predecessor, root), packs);
    return backup;
  }

  #takeOver(path: string, bytes: Uint8Array): void {
    const body = decodeBody(bytes, path);
    const [ref] = isFile(body) ? body.refs : [];
    if (ref && this.#settings.contents.includes(path) && this.#session.isUsable(hex(ref.pack))) this.#places.set(path, ref);
  }

  async #storeMissing(): Promise<void> {
    const missing = () => this.#settings.contents.filter((content) => !this.#places.has(content));
    if (missing().length === 0) return;
    const known = new Map<string, string>();
    await this.#session.visitKnownChunks((pack, ids) => {
      for (let at = 0; at < ids.length; at += 32) known.set(hex(ids.subarray(at, at + 32)), pack);
    });
    for (const content of missing()) {
      const pack = known.get(idOf(content).toString('hex'));
      if (pack !== undefined) this.#place(content, pack);
    }
    const fresh = missing();
    const cut = this.#tools.dice.pick(fresh.length + 1);
    for (const group of [fresh.slice(0, cut), fresh.slice(cut)]) await this.#storePack(group);
    if (fresh.length > 0 && this.#tools.dice.isOnceIn(4)) await this.#session.checkpoint();
  }

  #place(content: string, pack: string): void {
    this.#places.set(content, { id: idOf(content), pack: Buffer.from(pack, 'hex'), length: content.length });
  }

  async #storePack(contents: readonly string[]): Promise<void> {
    if (contents.length === 0) return;
    const { name, bytes, sha256: digest, ids } = this.#tools.packs.take('hot', this.#settings.writer.id, contents);
    this.#tools.oracle.declarePack(packIdOf(name), new Set(contents));
    for (const content of contents) this.#place(content, packIdOf(name));
    await this.#session.storePack(name, bytes, digest, ids);
  }

  /** Nothing changed: the tree is the predecessor's, byte for byte. */
  async #storeTree({ reader }: Predecessor): Promise<TreeRoot> {
    const { bytes, records } = encodeTree(this.#places);
    const id = sha256(bytes);
    const before = reader?.manifest.tree.base.chunks[0];
    const isSame = before !== undefined && before.id === id.toString('hex') && this.#session.isUsable(before.pack);
    const pack = isSame ? before.pack : await this.#storeTreePack(id, bytes);
    const packs = [...new Set([...this.#places.values()].map((ref) => hex(ref.pack))), pack];
    return { chunks: [{ first: '', id: id.toString('hex'), pack, length: bytes.length }], packs, records, bytes: bytes.length };
  }

  async #storeTreePack(id: Buffer, bytes: Uint8Array): Promise<string> {
    const { keys, cipher } = this.#repository;
    const random = this.#tools.dice.bytes;
    const name = names.pack('meta', this.#settings.writer.id, newHexId<PackId>(random));
    const builder = new PackBuilder(keys, cipher, new Uint8Array(8192));
    builder.append(new FrameSealer(keys, cipher, 'tree', { algorithm: 'none', level: 0 }, random).seal(bytes, [{ id, length: bytes.length }]));
    const pack = builder.finish(name, random);
    this.#tools.oracle.declarePack(packIdOf(name), new Set([id.toString('hex')]));
    await this.#session.storePack(name, Buffer.from(pack.bytes), pack.sha256, id);
    return packIdOf(name);
  }

  #draftOf(root: TreeRoot): { places: ReadonlyMap<string, string>; packs: ReadonlySet<string> } {
    const places = new Map([...this.#places].map(([content, ref]) => [content, hex(ref.pack)]));
    const [tree] = root.chunks;
    return { places: tree ? places.set(tree.id, tree.pack) : places, packs: new Set(root.packs) };
  }

  #draft(backup: string, { sequence, predecessors }: Predecessor, base: TreeRoot): ManifestDraft {
    const at = new Date(this.#settings.clientNow).toISOString();
    const files = this.#places.size;
    const none = { newFiles: 0, changedFiles: 0, unchangedFiles: 0, removedEntries: 0, readBytes: 0, newBytes: 0, storedBytes: 0, durationMilliseconds: 0 };
    return {
      backup, planName: 'simulated', type: 'incremental', source: { type: 'files', description: 'contents', paths: [] }, startedAt: at, finishedAt: at, sequence, predecessors,
      contentSha256: '', tree: { base, delta: null }, warnings: [], statistics: { entries: files + 1, files, directories: 1, bytes: [...this.#places.keys()].join('').length, ...none },
    };
  }
}

function encodeTree(places: ReadonlyMap<string, ChunkRef>): { bytes: Uint8Array; records: number } {
  const chunks: Uint8Array[] = [];
  const stream = new TreeStreamWriter(({ bytes }) => chunks.push(bytes));
  const entries: [string, EntryBody][] = [['', { ...COMMON, mode: 0o755, type: ENTRY.directory }]];
  for (const [path, ref] of [...places].sort(([a], [b]) => (a < b ? -1 : 1))) {
    entries.push([path, { ...COMMON, type: ENTRY.file, size: ref.length, ctimeSeconds: 0, ctimeNanoseconds: 0, inode: 1n, refs: [ref] }]);
  }
  for (const [path, body] of entries) {
    const writer = new ByteWriter(256);
    encodeBody(body, writer);
    stream.add(fromText(path), writer.finish());
  }
  stream.finish();
  return { bytes: Buffer.concat(chunks), records: stream.records };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
