import { isHoldfastError } from '../model/errors.ts';
import { newUlid } from '../model/ids.ts';
import type { ObjectInfo } from '../stores/store.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { damaged } from './format.ts';
import { names, packIdOf } from './names.ts';
import type { Repository } from './repository.ts';
import { openObject, sealObject } from './sealed-object.ts';

const MINUTE = 60_000;
const ID_BYTES = 16;
/** What one object holds at most: about 10 MiB, far below the cap of an object. */
const MAX_PACKS = 500_000;
const AT_ONCE = 8;
const LISTINGS = 5;

/** When packs were read in full, as one object says it (format §9). Times are milliseconds of the store, to the minute. */
export interface CoverageNote {
  /** Names of notes that this one holds everything of. */
  readonly supersedes: readonly string[];
  /** When runs of the coverage clock began. */
  readonly runs: readonly number[];
  /** Pack id → when its newest whole read began. */
  readonly readAt: ReadonlyMap<string, number>;
}

/** What all notes of a vault say together. */
export interface Coverage {
  readonly runs: readonly number[];
  readonly readAt: ReadonlyMap<string, number>;
  /** Names of the notes that this was read from. */
  readonly notes: readonly string[];
  /** Names of notes that are there and hold nothing that others do not. */
  readonly superseded: readonly string[];
  /** Names of notes that do not open: what they said counts as not read. */
  readonly damaged: readonly string[];
}

export function sealCoverage({ keys, cipher }: Pick<Repository, 'keys' | 'cipher'>, name: string, note: CoverageNote, random?: (size: number) => Uint8Array): Buffer {
  const ids = [...note.readAt.keys()].sort();
  const writer = new ByteWriter(ids.length * (ID_BYTES + 4) + 4096).varint(note.supersedes.length);
  for (const superseded of note.supersedes) writer.sized(Buffer.from(superseded));
  writer.varint(note.runs.length);
  for (const run of note.runs) writer.varint(Math.floor(run / MINUTE));
  writer.varint(ids.length);
  for (const id of ids) writer.bytes(Buffer.from(id, 'hex'));
  for (const id of ids) writer.varint(Math.floor((note.readAt.get(id) as number) / MINUTE));
  return sealObject(keys, 'coverage', name, writer.view(), cipher, random);
}

export function openCoverage({ keys }: Pick<Repository, 'keys'>, name: string, stored: Uint8Array): CoverageNote {
  const reader = new ByteReader(openObject(keys, 'coverage', name, stored), name);
  const supersedes = Array.from({ length: reader.count(2) }, () => Buffer.from(reader.sized()).toString());
  const runs = Array.from({ length: reader.count(1) }, () => reader.varint() * MINUTE);
  const ids = Array.from({ length: reader.count(ID_BYTES + 1) }, () => Buffer.from(reader.bytes(ID_BYTES)).toString('hex'));
  const readAt = new Map(ids.map((id) => [id, reader.varint() * MINUTE]));
  reader.end();
  if (readAt.size !== ids.length) throw damaged(`${name} names a pack twice`);
  return { supersedes, runs, readAt };
}

/**
 * Joins all notes: of several times the newest counts. No writer's clock is believed: what a note says is never later than
 * the store's time of the note itself, and what lies in the future by `now` (milliseconds, the store's) counts as unread.
 */
export async function readCoverage(repository: Repository, now: number): Promise<Coverage> {
  for (let listing = 1; ; listing++) {
    const read = await readListed(repository, now);
    // A note that went since the listing was put into a newer one before, which the next listing shows.
    if (!read.isGone || listing === LISTINGS) return read;
  }
}

async function readListed(repository: Repository, now: number): Promise<Coverage & { readonly isGone: boolean }> {
  // The newest first: it may spare reading those that it supersedes.
  const listed = (await Array.fromAsync(repository.store.list('coverage/'))).reverse();
  const joined = { readAt: new Map<string, number>(), runs: new Set<number>(), notes: [] as string[], damaged: [] as string[], isGone: false };
  const superseded = new Set<string>();
  for (let at = 0; at < listed.length; at += AT_ONCE) {
    const wanted = listed.slice(at, at + AT_ONCE).filter(({ name }) => !superseded.has(name));
    for (const found of await Promise.all(wanted.map((object) => openOne(repository, object)))) {
      if (found === 'gone') joined.isGone = true;
      else if (found === 'other') continue;
      else if ('damaged' in found) joined.damaged.push(found.damaged);
      else join(joined, superseded, found, now);
    }
  }
  const notes = joined.notes.filter((name) => !superseded.has(name));
  return { ...joined, runs: [...joined.runs].sort((left, right) => left - right), notes, superseded: listed.map(({ name }) => name).filter((name) => superseded.has(name)) };
}

interface OpenedNote extends CoverageNote {
  readonly object: ObjectInfo;
}

/** `other`: sealed with a key that was not given, or by a newer version; what it says is not known here, and it stays. */
async function openOne(repository: Repository, object: ObjectInfo): Promise<OpenedNote | { readonly damaged: string } | 'gone' | 'other'> {
  try {
    return { object, ...openCoverage(repository, object.name, await repository.store.get(object.name)) };
  } catch (error) {
    if (isHoldfastError(error, 'not-found')) return 'gone';
    if (isHoldfastError(error, 'damaged')) return { damaged: object.name };
    if (isHoldfastError(error, 'wrong-key') || isHoldfastError(error, 'unsupported-version')) return 'other';
    throw error;
  }
}

function join(joined: { readonly readAt: Map<string, number>; readonly runs: Set<number>; readonly notes: string[] }, superseded: Set<string>, { object, supersedes, runs, readAt }: OpenedNote, now: number): void {
  joined.notes.push(object.name);
  for (const name of supersedes) superseded.add(name);
  const latest = Math.min(object.storedAt, now + MINUTE);
  for (const run of runs) if (run <= latest) joined.runs.add(run);
  for (const [pack, at] of readAt) {
    const believed = Math.min(at, object.storedAt);
    if (believed <= now + MINUTE && believed > (joined.readAt.get(pack) ?? -1)) joined.readAt.set(pack, believed);
  }
}

/** Stores one note under a fresh name. `at`: the store's time. */
export async function writeCoverage(repository: Repository, note: CoverageNote, at: number): Promise<void> {
  const name = names.coverage(newUlid(at));
  await repository.store.put(name, sealCoverage(repository, name, note));
}

/** `keeps` answers for a pack id and when it was read; what it does not keep is forgotten. */
export type KeptPack = (pack: string, readAt: number) => boolean;

/**
 * Puts all notes into one (very many packs: into a few), so that their number and size stay bounded by the packs there are.
 * A kill in the middle leaves notes that say the same twice. Answers with the names that may be removed now.
 */
export async function foldCoverage(repository: Repository, coverage: Coverage, keeps: KeptPack, at: number): Promise<readonly string[]> {
  const kept = [...coverage.readAt].filter(([pack, readAt]) => keeps(pack, readAt));
  const supersedes = [...coverage.notes, ...coverage.damaged];
  for (; kept.length > MAX_PACKS; ) await writeCoverage(repository, { supersedes: [], runs: [], readAt: new Map(kept.splice(0, MAX_PACKS)) }, at);
  // The last one supersedes: before it is stored nothing is lost.
  await writeCoverage(repository, { supersedes, runs: coverage.runs, readAt: new Map(kept) }, at);
  return [...supersedes, ...coverage.superseded];
}

/** Ids of the packs in a listing, as notes name them. */
export function packIdsOf(objects: readonly Pick<ObjectInfo, 'name'>[]): Set<string> {
  return new Set(objects.map(({ name }) => packIdOf(name)));
}
