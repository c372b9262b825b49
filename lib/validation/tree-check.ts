import { byteString } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import { ChunkReader, comparePaths, readTreeChunk } from '../repository/index.ts';
import type { Manifest, Refs, TreeRecord, TreeRoot } from '../repository/index.ts';
import type { Context } from './context.ts';
import { EntryCheck, LOST } from './entry-check.ts';
import type { Fault } from './entry-check.ts';
import type { OpenedBackup } from './open-backups.ts';
import type { PackSurvey, SurveyedPack } from './pack-survey.ts';
import { problemOf, throwIfInterrupted } from './problem.ts';
import { idBytes, subjectOf } from './subject.ts';
import type { Subject } from './subject.ts';

type TreeChunkRef = TreeRoot['chunks'][number];

/** A tree chunk whose records all decoded. */
interface ReadChunk {
  readonly first: ByteString;
  readonly last: ByteString;
  readonly records: number;
  /** Packs that its records need, by the 16 bytes of the id that stands in them. */
  readonly packs: ReadonlyMap<string, SurveyedPack>;
}

export async function checkTrees(context: Context, judged: readonly OpenedBackup[], survey: PackSurvey): Promise<void> {
  const check = new TreeCheck(context, survey);
  for (const { snapshot, manifest, refs } of judged) if (manifest && refs) await check.check(snapshot.name, manifest, refs);
}

/**
 * Decodes entry trees: every tree chunk, every record, in order, and every (chunk, pack) pair. Tree chunks that backups
 * share, and that were found whole, are decoded once.
 */
export class TreeCheck {
  readonly #context: Context;
  readonly #whole = new Map<string, ReadChunk>();
  readonly #reader: ChunkReader;
  readonly #entries: EntryCheck;
  readonly #survey: PackSurvey;

  constructor(context: Context, survey: PackSurvey) {
    this.#context = context;
    this.#survey = survey;
    this.#reader = new ChunkReader(context.repository.store, context.repository.keys, 'tree', async (name) => survey.packs.get(name)?.ref.size ?? 0);
    this.#entries = new EntryCheck(context, survey, this.#reader);
  }

  async check(snapshot: string, manifest: Manifest, refs: Refs): Promise<void> {
    const subject = subjectOf(snapshot, manifest, refs, this.#survey);
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
      const read = await this.#checkChunk(subject, chunk, root.chunks[index + 1], isDelta);
      if (!read) {
        isWhole = false;
        continue;
      }
      records += read.records;
      if (previous !== undefined && comparePaths(previous, read.first) >= 0) this.#treeDamage(subject, chunk, 'its paths do not ascend from those of the tree chunk before it');
      previous = read.last;
    }
    const last = root.chunks.at(-1);
    if (isWhole && last && records !== root.records) this.#treeDamage(subject, last, `the tree holds ${records} records, its manifest says ${root.records}`);
  }

  async #checkChunk(subject: Subject, chunk: TreeChunkRef, next: TreeChunkRef | undefined, isDelta: boolean): Promise<ReadChunk | undefined> {
    const key = `${chunk.pack} ${chunk.id} ${isDelta}`;
    const known = this.#whole.get(key);
    if (known && isWholeFor(known, subject, chunk)) return known;
    const records = await this.#readChunk(subject, chunk, next && pathOf(next));
    if (!records) return undefined;
    const [first] = records;
    const last = records.at(-1);
    if (!first || !last || first.path !== pathOf(chunk)) {
      this.#treeDamage(subject, chunk, 'it does not begin with the path that its manifest names');
      return undefined;
    }
    const { faults, packs } = await this.#entries.check(subject, records, ownerOf(subject, chunk), isDelta);
    if (faults.length > 0) await this.#tellFaults(subject, faults, isDelta);
    const read = { first: first.path, last: last.path, records: records.length, packs };
    if (faults.length === 0) this.#whole.set(key, read);
    return read;
  }

  /** Undefined when it cannot be read: then its range of paths is told. */
  async #readChunk(subject: Subject, chunk: TreeChunkRef, to: ByteString | undefined): Promise<TreeRecord[] | undefined> {
    const owner = ownerOf(subject, chunk);
    const pack = subject.packs.get(idBytes(chunk.pack));
    const id = Buffer.from(chunk.id, 'hex');
    const problem = pack ? this.#entries.pairProblem(pack, id, chunk.length) : `it does not name the pack ${chunk.pack}, which holds a part of the entry tree`;
    try {
      if (problem === undefined) return [...readTreeChunk((await this.#reader.read(owner, id)) as Uint8Array, `tree of ${subject.manifest.backup}`)];
      const { object, problem: told } = pack ? this.#entries.blamed(subject, idBytes(chunk.pack), pack, problem) : { object: owner, problem };
      if (told !== LOST) this.#damage(object, told);
      this.#context.findings.touchRange(object, subject.snapshot, { from: pathOf(chunk), to });
    } catch (error) {
      this.#context.findings.damage(owner, 'pack', problemOf(error, this.#context), 'content');
      this.#context.findings.touchRange(owner, subject.snapshot, { from: pathOf(chunk), to });
    }
    return undefined;
  }

  /** A record of the base that the delta replaces is no part of the backup. */
  async #tellFaults(subject: Subject, faults: readonly Fault[], isDelta: boolean): Promise<void> {
    const replaced = isDelta ? undefined : await this.#deltaPaths(subject);
    for (const { path, object, problem } of faults) {
      if (replaced?.has(path)) continue;
      if (problem !== undefined) this.#damage(object, problem);
      this.#context.findings.touchEntry(object, subject.snapshot, path);
    }
  }

  async #deltaPaths(subject: Subject): Promise<Set<string>> {
    const paths = new Set<string>();
    for (const chunk of subject.manifest.tree.delta?.chunks ?? []) {
      const pack = subject.packs.get(idBytes(chunk.pack));
      const id = Buffer.from(chunk.id, 'hex');
      if (!pack || this.#entries.pairProblem(pack, id, chunk.length) !== undefined) continue;
      try {
        for (const { path } of readTreeChunk((await this.#reader.read(pack.ref.name, id)) as Uint8Array, 'delta')) paths.add(path);
      } catch (error) {
        // What cannot be read was told when the delta itself was checked; only other errors pass.
        problemOf(error, this.#context);
      }
    }
    return paths;
  }

  #treeDamage(subject: Subject, chunk: TreeChunkRef, problem: string): void {
    const owner = ownerOf(subject, chunk);
    this.#damage(owner, problem);
    this.#context.findings.touchRange(owner, subject.snapshot, { from: pathOf(chunk), to: undefined });
  }

  #damage(object: string, problem: string): void {
    const kind = object.startsWith('packs/') ? 'pack' : object.startsWith('refs/') ? 'refs' : 'snapshot';
    this.#context.findings.damage(object, kind, problem);
  }
}

/** The same chunk in another backup: its refs must lead to the same packs. */
function isWholeFor(known: ReadChunk, subject: Subject, chunk: TreeChunkRef): boolean {
  if (known.first !== pathOf(chunk) || !subject.packs.has(idBytes(chunk.pack))) return false;
  for (const [id, pack] of known.packs) if (subject.packs.get(id) !== pack) return false;
  return true;
}

/** The object to blame for a tree chunk: its pack, or the refs that do not name that. */
function ownerOf(subject: Subject, chunk: TreeChunkRef): string {
  return subject.packs.get(idBytes(chunk.pack))?.ref.name ?? subject.refsName;
}

function pathOf(chunk: TreeChunkRef): ByteString {
  return byteString(Buffer.from(chunk.first, 'base64'));
}
