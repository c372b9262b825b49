import { byteString } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import { ByteReader, ChunkReader, ENTRY, FLAG, comparePaths, decodeBody, decodeRef, names, packIdOf, readTreeChunk } from '../repository/index.ts';
import type { ChunkRef, FileBody, Manifest, Refs, TreeRecord, TreeRoot } from '../repository/index.ts';
import type { Context } from './context.ts';
import type { PackSurvey, SurveyedPack } from './pack-survey.ts';
import { problemOf, throwIfInterrupted } from './problem.ts';

type TreeChunkRef = TreeRoot['chunks'][number];

/** A tree chunk that was found whole: it need not be read again for other backups that share it. */
interface CleanChunk {
  readonly first: ByteString;
  readonly last: ByteString;
  readonly records: number;
  /** Packs that its records need, by the 16 bytes of the id that stands in them. */
  readonly packs: ReadonlyMap<string, SurveyedPack>;
}

/** One backup while its tree is checked. */
interface Subject {
  readonly snapshot: string;
  readonly manifest: Manifest;
  readonly refsName: string;
  /** By the 16 bytes of the id, replaced ones too. */
  readonly packs: ReadonlyMap<string, SurveyedPack>;
}

/**
 * Decodes entry trees and looks for every (chunk, pack) pair of every entry in that pack's directory. Tree chunks that
 * backups share are decoded once.
 */
export class TreeCheck {
  readonly #context: Context;
  readonly #survey: PackSurvey;
  /** By tree chunk. */
  readonly #clean = new Map<string, CleanChunk>();
  readonly #reader: ChunkReader;

  constructor(context: Context, survey: PackSurvey) {
    this.#context = context;
    this.#survey = survey;
    this.#reader = new ChunkReader(context.repository.store, context.repository.keys, 'tree', async (name) => survey.packs.get(name)?.ref.size ?? 0);
  }

  async check(snapshot: string, manifest: Manifest, refs: Refs): Promise<void> {
    const refsName = names.refs(manifest.plan, manifest.backup, refs.revision);
    const subject: Subject = { snapshot, manifest, refsName, packs: packsOf(refs, this.#survey) };
    const { base, delta } = manifest.tree;
    if (delta) await this.#checkRoot(subject, delta, true);
    await this.#checkRoot(subject, base, false);
  }

  async #checkRoot(subject: Subject, root: TreeRoot, isDelta: boolean): Promise<void> {
    let previous: ByteString | undefined;
    let records = 0;
    let isWhole = true;
    for (const [index, chunk] of root.chunks.entries()) {
      throwIfInterrupted(this.#context.signal);
      const checked = await this.#checkChunk(subject, root, index, isDelta);
      if (!checked) isWhole = false;
      else {
        records += checked.records;
        if (previous !== undefined && comparePaths(previous, checked.first) >= 0) this.#treeDamage(subject, chunk, 'its paths do not ascend from those of the tree chunk before it');
        previous = checked.last;
      }
    }
    const last = root.chunks.at(-1);
    if (isWhole && records !== root.records && last) this.#treeDamage(subject, last, `the tree holds ${records} records, its manifest says ${root.records}`);
  }

  async #checkChunk(subject: Subject, root: TreeRoot, index: number, isDelta: boolean): Promise<CleanChunk | undefined> {
    const chunk = root.chunks[index] as TreeChunkRef;
    const key = `${chunk.pack} ${chunk.id} ${isDelta}`;
    const known = this.#clean.get(key);
    if (known && this.#isCleanFor(known, subject, chunk)) return known;
    const next = root.chunks[index + 1];
    const records = await this.#readChunk(subject, chunk, next && pathOf(next));
    if (!records) return undefined;
    const scan = new ChunkScan();
    for (const record of records) {
      const slow = this.#checkRecord(subject, record, { scan, chunk, isDelta });
      if (slow) await slow;
    }
    const [first] = records;
    const last = records.at(-1);
    if (!first || !last || first.path !== pathOf(chunk)) {
      this.#treeDamage(subject, chunk, 'it does not begin with the path that its manifest names');
      return undefined;
    }
    if (scan.faults.length > 0) await this.#tellFaults(subject, scan.faults, isDelta);
    const clean = { first: first.path, last: last.path, records: records.length, packs: scan.packs };
    if (scan.faults.length === 0) this.#clean.set(key, clean);
    return clean;
  }

  #isCleanFor(known: CleanChunk, subject: Subject, chunk: TreeChunkRef): boolean {
    if (known.first !== pathOf(chunk)) return false;
    if (subject.packs.get(idBytes(chunk.pack)) === undefined) return false;
    for (const [id, pack] of known.packs) if (subject.packs.get(id) !== pack) return false;
    return true;
  }

  /** Undefined when it cannot be read: the range of paths is told. */
  async #readChunk(subject: Subject, chunk: TreeChunkRef, to: ByteString | undefined): Promise<TreeRecord[] | undefined> {
    const { findings } = this.#context;
    const pack = subject.packs.get(idBytes(chunk.pack));
    const object = pack?.ref.name ?? subject.refsName;
    try {
      const problem = pack ? this.#pairProblem(pack, Buffer.from(chunk.id, 'hex'), chunk.length) : `it does not name the pack ${chunk.pack}, which holds a part of the entry tree`;
      if (problem === undefined) return [...readTreeChunk((await this.#reader.read(object, Buffer.from(chunk.id, 'hex'))) as Uint8Array, `tree of ${subject.manifest.backup}`)];
      this.#damage(pack, object, problem);
    } catch (error) {
      findings.damage(object, pack ? 'pack' : 'refs', problemOf(error, this.#context), 'content');
    }
    findings.touchRange(object, subject.snapshot, { from: pathOf(chunk), to });
    return undefined;
  }

  /** A promise only for files with list chunks: waiting for each record would cost more than the check. */
  #checkRecord(subject: Subject, { path, body }: TreeRecord, at: { scan: ChunkScan; chunk: TreeChunkRef; isDelta: boolean }): Promise<void> | undefined {
    if (body.length === 1 && body[0] === ENTRY.tombstone && at.isDelta) return undefined;
    const fail = (error: unknown) => {
      const object = subject.packs.get(idBytes(at.chunk.pack))?.ref.name ?? subject.refsName;
      at.scan.faults.push({ path, object, pack: undefined, problem: problemOf(error, this.#context) });
    };
    try {
      const entry = decodeBody(body, 'an entry');
      if (entry.type !== ENTRY.file && entry.type !== ENTRY.stream) return undefined;
      if (entry.flags & FLAG.listed) return this.#checkListed(subject, path, entry, at.scan).catch(fail);
      this.#checkContent(subject, path, entry, entry.refs, at.scan);
    } catch (error) {
      fail(error);
    }
    return undefined;
  }

  async #checkListed(subject: Subject, path: ByteString, file: FileBody, scan: ChunkScan): Promise<void> {
    if (this.#checkRefs(subject, path, file.refs, scan)) this.#checkContent(subject, path, file, await this.#readLists(subject, file.refs), scan);
  }

  #checkContent(subject: Subject, path: ByteString, file: FileBody, refs: readonly ChunkRef[], scan: ChunkScan): void {
    if (!this.#checkRefs(subject, path, refs, scan)) return;
    let length = 0;
    for (const ref of refs) length += ref.length;
    if (length === file.size || file.flags & FLAG.unreadable) return;
    scan.faults.push({ path, object: subject.snapshot, pack: undefined, problem: `an entry says ${file.size} bytes, its chunks hold ${length}` });
  }

  #checkRefs(subject: Subject, path: ByteString, refs: readonly ChunkRef[], scan: ChunkScan): boolean {
    let isWhole = true;
    for (const ref of refs) {
      const pack = scan.packOf(ref.pack, subject.packs);
      const problem = pack ? this.#pairProblem(pack, ref.id, ref.length) : `it does not name the pack ${Buffer.from(ref.pack).toString('hex')}, which entries need`;
      if (problem === undefined) continue;
      isWhole = false;
      const object = pack?.ref.name ?? subject.refsName;
      // An entry that needs ten chunks of one lost pack is one entry.
      const last = scan.faults.at(-1);
      if (last?.path !== path || last.object !== object) scan.faults.push({ path, object, pack, problem });
    }
    return isWhole;
  }

  #pairProblem(pack: SurveyedPack, id: Uint8Array, length: number): string | undefined {
    if (pack.isLost) return LOST;
    const position = this.#survey.chunks.find(pack.ordinal, id);
    if (position < 0) return 'its directory lacks a chunk that entries name';
    if (this.#survey.chunks.lengthAt(position) !== length) return `its directory says ${this.#survey.chunks.lengthAt(position)} bytes of a chunk that entries name with ${length}`;
    return this.#survey.chunks.isDamagedAt(position) ? LOST : undefined;
  }

  async #readLists(subject: Subject, refs: readonly ChunkRef[]): Promise<ChunkRef[]> {
    const listed: ChunkRef[] = [];
    for (const ref of refs) {
      const pack = subject.packs.get(latin1(ref.pack)) as SurveyedPack;
      const reader = new ByteReader((await this.#reader.read(pack.ref.name, ref.id)) as Uint8Array, `chunk list in ${pack.ref.name}`);
      while (reader.remaining > 0) listed.push(decodeRef(reader));
    }
    return listed;
  }

  /** A record of the base that the delta replaces is no part of the backup. */
  async #tellFaults(subject: Subject, faults: readonly Fault[], isDelta: boolean): Promise<void> {
    const replaced = isDelta ? undefined : await this.#deltaPaths(subject);
    for (const { path, object, pack, problem } of faults) {
      if (replaced?.has(path)) continue;
      this.#damage(pack, object, problem);
      this.#context.findings.touchEntry(object, subject.snapshot, path);
    }
  }

  async #deltaPaths(subject: Subject): Promise<Set<string> | undefined> {
    const { delta } = subject.manifest.tree;
    if (!delta) return undefined;
    const paths = new Set<string>();
    for (const chunk of delta.chunks) {
      const pack = subject.packs.get(idBytes(chunk.pack));
      if (!pack || this.#pairProblem(pack, Buffer.from(chunk.id, 'hex'), chunk.length) !== undefined) continue;
      // What cannot be read was told when the delta itself was checked.
      const bytes = await this.#reader.read(pack.ref.name, Buffer.from(chunk.id, 'hex')).catch((error: unknown) => void problemOf(error, this.#context));
      if (bytes) for (const { path } of readTreeChunk(bytes, 'delta')) paths.add(path);
    }
    return paths;
  }

  #treeDamage(subject: Subject, chunk: TreeChunkRef, problem: string): void {
    const object = subject.packs.get(idBytes(chunk.pack))?.ref.name ?? subject.refsName;
    this.#context.findings.damage(object, object === subject.refsName ? 'refs' : 'pack', problem);
    this.#context.findings.touchRange(object, subject.snapshot, { from: pathOf(chunk), to: undefined });
  }

  /** What was said about a lost pack or a damaged chunk when it was found is not said again for each entry. */
  #damage(pack: SurveyedPack | undefined, object: string, problem: string): void {
    if (problem === LOST) return;
    const kind = pack || object.startsWith('packs/') ? 'pack' : object.startsWith('refs/') ? 'refs' : 'snapshot';
    this.#context.findings.damage(object, kind, problem);
  }
}

const LOST = 'lost';

interface Fault {
  readonly path: ByteString;
  /** Name of the damaged object. */
  readonly object: string;
  readonly pack: SurveyedPack | undefined;
  readonly problem: string;
}

/** Gathers what the records of one tree chunk need. */
class ChunkScan {
  readonly faults: Fault[] = [];
  readonly packs = new Map<string, SurveyedPack>();
  #lastBytes: Uint8Array = new Uint8Array(0);
  #last: SurveyedPack | undefined;

  /** Neighbours mostly lie in one pack, so the pack before is asked first. */
  packOf(bytes: Uint8Array, known: ReadonlyMap<string, SurveyedPack>): SurveyedPack | undefined {
    if (this.#last && isSame(bytes, this.#lastBytes)) return this.#last;
    const id = latin1(bytes);
    const pack = known.get(id);
    if (pack) this.packs.set(id, pack);
    this.#last = pack;
    this.#lastBytes = bytes;
    return pack;
  }
}

function packsOf(refs: Refs, survey: PackSurvey): Map<string, SurveyedPack> {
  const packs = new Map<string, SurveyedPack>();
  for (const { name } of refs.packs) packs.set(idBytes(packIdOf(name)), survey.packs.get(name) as SurveyedPack);
  const replaced = new Map(refs.replaced.map((pair) => [pair.old, pair.new]));
  for (const { old } of refs.replaced) {
    let id = old;
    for (let hops = 0; hops < 64 && replaced.has(id); hops++) id = replaced.get(id) as string;
    const pack = packs.get(idBytes(id));
    if (pack) packs.set(idBytes(old), pack);
  }
  return packs;
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  for (let index = 0; index < 16; index++) if (left[index] !== right[index]) return false;
  return true;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).latin1Slice();
}

function idBytes(hex: string): string {
  return Buffer.from(hex, 'hex').latin1Slice();
}

function pathOf(chunk: TreeChunkRef): ByteString {
  return byteString(Buffer.from(chunk.first, 'base64'));
}
