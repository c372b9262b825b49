import { display } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import { ByteWriter, ENTRY, comparePaths, encodeBody } from '../repository/index.ts';
import type { ManifestEvidence, ManifestPart } from '../repository/index.ts';
import { attributesAt } from '../sources/attributes.ts';
import { inPart } from '../sources/set.ts';
import type { SingleSource, SourcePart, SourceSet } from '../sources/source.ts';
import type { BackupRun, PassRun } from './backup-run.ts';
import { PartRun } from './part-run.ts';
import { sourceRecord } from './source-record.ts';
import type { ProvedStreams } from './stream-pass.ts';
import type { MergedRecord, TreeWriter } from './tree-builder.ts';
import { refuseTooSmall } from './too-small.ts';
import { TreeSpool } from './tree-spool.ts';

export interface SinglePass {
  perform(run: PassRun, source: SingleSource): Promise<ProvedStreams>;
  /** Whether an entry with the empty path comes of it. */
  isRooted(source: SingleSource): boolean;
}

export interface ProvedSet extends ProvedStreams {
  readonly parts: readonly ManifestPart[];
}

/**
 * One pass over a set: its parts one after another, as they are written down, while what writes to them stands still. The
 * first part that fails fails the whole run, and nothing is committed. Whatever happens, what was halted is set going again;
 * what could not be is a complaint of the run.
 */
export async function performSetPass(run: BackupRun, set: SourceSet, pass: SinglePass): Promise<ProvedSet> {
  const { standstill } = set;
  if (standstill === undefined) return new SetPass(run, set, pass).perform();
  try {
    const suspect = await standstill.begin(run.signal);
    for (const message of suspect) run.warnings.push({ code: 'source-suspect', message });
    return await new SetPass(run, set, pass).perform();
  } finally {
    run.complaints.push(...(await standstill.end()));
  }
}

/** Parts are read in one order and written in another, that of the tree. */
class SetPass {
  readonly #run: BackupRun;
  readonly #pass: SinglePass;
  readonly #parts: readonly SourcePart[];
  /** Folders in the order of the tree; what was read too early waits. */
  readonly #folders: readonly ByteString[];
  readonly #spools = new Map<ByteString, TreeSpool>();
  #written = 0;
  readonly #strangers: AsyncGenerator<MergedRecord>;
  #stranger: MergedRecord | undefined;

  constructor(run: BackupRun, { parts }: SourceSet, pass: SinglePass) {
    this.#run = run;
    this.#pass = pass;
    this.#parts = parts;
    this.#folders = parts.map(({ name }) => name).sort(comparePaths);
    this.#strangers = this.#findStrangers();
  }

  async perform(): Promise<ProvedSet> {
    const parts: ManifestPart[] = [];
    const evidence: ManifestEvidence[] = [];
    for (const part of this.#parts) {
      const { proved, record } = await inPart(part.name, () => this.#read(part));
      parts.push(record);
      // Of a list of objects it is about all of them, and names the source in the place of an entry.
      evidence.push(...proved.evidence.map((one) => ({ ...one, entry: one.entry === part.source.description ? display(part.name) : `${display(part.name)}/${one.entry}` })));
    }
    await this.#removeStrangers(undefined);
    return { evidence, facts: factsOfAll(parts), parts };
  }

  async #read({ name, source }: SourcePart): Promise<{ readonly proved: ProvedStreams; readonly record: ManifestPart }> {
    const startedAt = this.#run.now();
    const { entries, files, bytes } = this.#run.counters;
    const isRooted = this.#pass.isRooted(source);
    const isNext = this.#folders[this.#written] === name;
    const builder = isNext ? this.#run.builder : this.#spoolOf(name);
    if (isNext) await this.#removeStrangers(name);
    if (!isRooted) await this.#writeFolder(name, builder);
    const run = new PartRun(this.#run, { folder: name, isRooted, builder });
    const proved = await this.#pass.perform(run, source);
    this.#run.signal.throwIfAborted();
    refuseTooSmall(this.#run.counters.bytes - bytes, source);
    for (const warning of run.warnings) this.#run.warnings.push({ ...warning, path: [display(name), ...(warning.path ? [warning.path] : [])].join('/') });
    if (isNext) await this.#writeNext();
    const { counters } = this.#run;
    const record: ManifestPart = {
      name: display(name), source: sourceRecord(source), isRooted,
      startedAt: new Date(startedAt).toISOString(), finishedAt: new Date(this.#run.now()).toISOString(),
      entries: counters.entries - entries, files: counters.files - files, bytes: counters.bytes - bytes,
      ...(Object.keys(proved.facts).length > 0 && { facts: proved.facts }),
    };
    return { proved, record };
  }

  #spoolOf(name: ByteString): TreeSpool {
    const spool = new TreeSpool();
    this.#spools.set(name, spool);
    return spool;
  }

  /** The part at the head is written: those that waited behind it follow. */
  async #writeNext(): Promise<void> {
    for (;;) {
      const name = this.#folders[++this.#written];
      const spool = name === undefined ? undefined : this.#spools.get(name);
      if (name === undefined || spool === undefined) return;
      await this.#removeStrangers(name);
      await spool.replay(this.#run.builder);
      this.#spools.delete(name);
    }
  }

  /** The folder of a part that has none of its own; what an earlier backup says of it stays, so that nothing seems changed. */
  async #writeFolder(name: ByteString, writer: TreeWriter): Promise<void> {
    this.#run.counters.entries++;
    this.#run.counters.directories++;
    const previous = await this.#previousOf(name);
    await (previous?.body[0] === ENTRY.directory ? writer.keep(previous) : writer.put(name, folderBody(this.#run.now())));
  }

  async #previousOf(name: ByteString): Promise<MergedRecord | undefined> {
    for await (const records of this.#run.previous?.recordBatches(name) ?? []) {
      for (const record of records) {
        if (record.path === name) return record;
        if (comparePaths(record.path, name) > 0) return undefined;
      }
    }
    return undefined;
  }

  /** Entries of parts that are no more, and of what the plan kept before it had parts. */
  async *#findStrangers(): AsyncGenerator<MergedRecord> {
    const { previous } = this.#run;
    const known = new Set<string>(this.#folders);
    if (previous === undefined || previous.manifest.parts?.every(({ name }) => known.has(name))) return;
    for await (const records of previous.recordBatches()) for (const record of records) if (!known.has(topOf(record.path))) yield record;
  }

  /** Those before a folder, or all that are left. */
  async #removeStrangers(before: ByteString | undefined): Promise<void> {
    for (;;) {
      this.#stranger ??= (await this.#strangers.next()).value as MergedRecord | undefined;
      if (this.#stranger === undefined || (before !== undefined && comparePaths(this.#stranger.path, before) > 0)) return;
      this.#run.counters.removedEntries++;
      await this.#run.builder.remove(this.#stranger);
      this.#stranger = undefined;
    }
  }
}

/** What one part alone says stands for the whole, too: who keeps WAL looks for a base backup there. */
function factsOfAll(parts: readonly ManifestPart[]): ProvedStreams['facts'] {
  const all = parts.flatMap(({ facts = {} }) => Object.entries(facts));
  return Object.fromEntries(all.filter(([name]) => all.filter(([other]) => other === name).length === 1));
}

function topOf(path: ByteString): string {
  const slash = path.indexOf('/');
  return slash < 0 ? path : path.slice(0, slash);
}

function folderBody(now: number): Uint8Array {
  const writer = new ByteWriter(64);
  encodeBody({ type: ENTRY.directory, flags: 0, ...attributesAt(now), mode: 0o700 }, writer);
  return writer.finish();
}
