import type { ByteString } from '../model/byte-string.ts';
import { ByteReader, ENTRY, FLAG, decodeBody, decodeRef } from '../repository/index.ts';
import type { ChunkReader, ChunkRef, FileBody, TreeRecord } from '../repository/index.ts';
import type { Context } from './context.ts';
import type { PackSurvey, SurveyedPack } from './pack-survey.ts';
import { problemOf } from './problem.ts';
import type { Subject } from './subject.ts';
import { latin1 } from './subject.ts';

/** An entry that is not whole, and the object that is to blame. */
export interface Fault {
  readonly path: ByteString;
  /** Name of the damaged object. */
  readonly object: string;
  /** Undefined when the object was told as damaged before: a lost pack is not told again for each of its entries. */
  readonly problem: string | undefined;
}

/** What one tree chunk's records need and lack. */
export interface Scan {
  readonly faults: Fault[];
  /** By the 16 bytes of the id that stands in records. */
  readonly packs: Map<string, SurveyedPack>;
}

/** Decodes records and looks for every (chunk, pack) pair in that pack's directory. */
export class EntryCheck {
  readonly #context: Context;
  readonly #survey: PackSurvey;
  readonly #reader: ChunkReader;

  /** `reader` fetches list chunks. */
  constructor(context: Context, survey: PackSurvey, reader: ChunkReader) {
    this.#context = context;
    this.#survey = survey;
    this.#reader = reader;
  }

  /** `owner`: the object that holds the records. */
  async check(subject: Subject, records: readonly TreeRecord[], owner: string, isDelta: boolean): Promise<Scan> {
    const scan = new PackScan();
    for (const { path, body } of records) {
      if (body.length === 1 && body[0] === ENTRY.tombstone && isDelta) continue;
      try {
        const listed = this.#checkRecord(subject, path, body, scan);
        // Only files with list chunks: waiting for every record would cost more than the check.
        if (listed) await listed;
      } catch (error) {
        scan.faults.push({ path, object: owner, problem: problemOf(error, this.#context) });
      }
    }
    return scan;
  }

  /** The object to blame for a pair that is not there: the pack that was lost before, where another one stands for it. */
  blamed(subject: Subject, rawPack: string, pack: SurveyedPack, problem: string): { readonly object: string; readonly problem: string } {
    const lost = pack.isLost || problem === LOST ? undefined : subject.lostPacks.get(rawPack);
    return lost === undefined ? { object: pack.ref.name, problem } : { object: lost, problem: `it was lost, and ${pack.ref.name}, which stands for it, lacks what was not found again` };
  }

  /** `undefined` when the pair is where it should be; `LOST` when it is in damage that was told before. */
  pairProblem(pack: SurveyedPack, id: Uint8Array, length: number): string | undefined {
    if (pack.isLost) return LOST;
    const { chunks } = this.#survey;
    const position = chunks.find(pack.ordinal, id);
    if (position < 0) return 'its directory lacks a chunk that entries name';
    if (chunks.lengthAt(position) !== length) return `its directory says ${chunks.lengthAt(position)} bytes of a chunk that entries name with ${length}`;
    return chunks.isDamagedAt(position) ? LOST : undefined;
  }

  #checkRecord(subject: Subject, path: ByteString, body: Uint8Array, scan: PackScan): Promise<void> | undefined {
    const entry = decodeBody(body, 'an entry');
    if (entry.type !== ENTRY.file && entry.type !== ENTRY.stream) return undefined;
    if (entry.flags & FLAG.listed) return this.#checkListed(subject, path, entry, scan);
    this.#checkContent(subject, path, entry, entry.refs, scan);
    return undefined;
  }

  async #checkListed(subject: Subject, path: ByteString, file: FileBody, scan: PackScan): Promise<void> {
    if (!this.#checkRefs(subject, path, file.refs, scan)) return;
    this.#checkContent(subject, path, file, await this.#readLists(subject, file.refs), scan);
  }

  #checkContent(subject: Subject, path: ByteString, file: FileBody, refs: readonly ChunkRef[], scan: PackScan): void {
    if (!this.#checkRefs(subject, path, refs, scan)) return;
    let length = 0;
    for (const ref of refs) length += ref.length;
    if (length === file.size || file.flags & FLAG.unreadable) return;
    scan.faults.push({ path, object: subject.snapshot, problem: `an entry says ${file.size} bytes, its chunks hold ${length}` });
  }

  #checkRefs(subject: Subject, path: ByteString, refs: readonly ChunkRef[], scan: PackScan): boolean {
    let isWhole = true;
    for (const ref of refs) {
      const pack = scan.packOf(ref.pack, subject.packs);
      const problem = pack ? this.pairProblem(pack, ref.id, ref.length) : `it does not name the pack ${Buffer.from(ref.pack).toString('hex')}, which entries need`;
      if (problem === undefined) continue;
      isWhole = false;
      const { object, problem: told } = pack ? this.blamed(subject, latin1(ref.pack), pack, problem) : { object: subject.refsName, problem };
      // An entry that needs ten chunks of one lost pack is one entry.
      const last = scan.faults.at(-1);
      if (last?.path !== path || last.object !== object) scan.faults.push({ path, object, problem: told === LOST ? undefined : told });
    }
    return isWhole;
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
}

export const LOST = 'lost';

class PackScan implements Scan {
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

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  for (let index = 0; index < 16; index++) if (left[index] !== right[index]) return false;
  return true;
}
