import { isHoldfastError } from '../../model/errors.ts';
import { frameOpener, judgeMarks, names, packIdOf, readDamagedPacks, readMarks, sha256 } from '../../repository/index.ts';
import type { PackRef, Repository } from '../../repository/index.ts';
import type { ObjectInfo } from '../../stores/store.ts';
import { PackChecker } from '../pack-check.ts';
import { throwIfInterrupted } from '../problem.ts';
import { bestCandidates, searchCopies } from './copy-search.ts';
import type { Candidates } from './copy-search.ts';
import { hex } from './needs.ts';
import type { Want, Wants } from './needs.ts';
import { kindOf, listedChunks, wholeFrames } from './open-frames.ts';
import { rebuildTreeChunks } from './rebuilt-trees.ts';
import { findWounded } from './wounded-backups.ts';
import type { PackLook, WoundedBackup } from './wounded-backups.ts';

/** What healing decides from: everything in it was read and proved, nothing was written. */
export interface HealingState {
  readonly wounds: readonly Wound[];
  readonly backups: readonly WoundedBackup[];
}

/** A pack that backups name and that is not whole, and where its chunks are. */
export interface Wound {
  readonly pack: PackRef;
  /** Name of the pack that was lost first, where this one was made in its place. */
  readonly lostName: string;
  readonly seen: 'missing' | 'damaged' | 'incomplete';
  /** It is there as its refs describe it, to the last byte: only the note about it is wrong. */
  readonly isWhole: boolean;
  readonly isRecorded: boolean;
  /** What entries need of it; all that is known of it, where entry trees cannot all be read. */
  readonly wanted: Wants;
  readonly isGuess: boolean;
  /** Chunks that can still be read in itself. */
  readonly own: ReadonlySet<string>;
  /** Chunk id → name of another pack where it was read and proved. */
  readonly found: ReadonlyMap<string, string>;
  /** Parts of entry trees that no pack holds, written again from the records of other backups; proved by their digests. */
  readonly rebuilt: ReadonlyMap<string, Uint8Array>;
  /** A whole pack that holds everything that is wanted of this one. */
  readonly standIn: PackRef | undefined;
  /** Why nothing can be proved with the key at hand. */
  readonly obstacle: string | undefined;
}

/**
 * Reads what healing needs: lists of packs, the trees of backups that name packs which are not whole, those packs, and
 * packs that hold the same chunks. Cheap where nothing is wrong: a manifest and a list for each backup.
 */
export async function readHealingState(repository: Repository, signal?: AbortSignal): Promise<HealingState> {
  const marks = await readMarks(repository.store);
  const recorded = await readDamagedPacks(repository.store);
  const listed = new Map<string, ObjectInfo>();
  for await (const object of repository.store.list('packs/')) listed.set(packIdOf(object.name), object);
  const look: PackLook = { listed, recorded, signal };
  const backups = await findWounded(repository, look);
  if (backups.every(({ wounds }) => wounds.size === 0)) return { wounds: [], backups };
  const absent = new Set(judgeMarks(marks, 'first').keys());
  return { wounds: await new WoundReader(repository, look, absent).read(backups), backups };
}

type BegunWound = Omit<Wound, 'found' | 'rebuilt' | 'standIn'>;

/** A stored pack is tried as a stand-in so often; more would read much for the rare case. */
const STAND_INS_TRIED = 3;

class WoundReader {
  readonly #repository: Repository;
  readonly #look: PackLook;
  /** Ids of packs that prune may delete soon: read from, never built on. */
  readonly #condemned: ReadonlySet<string>;
  readonly #checker: PackChecker;

  constructor(repository: Repository, look: PackLook, condemned: ReadonlySet<string>) {
    this.#repository = repository;
    this.#look = look;
    this.#condemned = condemned;
    this.#checker = new PackChecker(repository.keys);
  }

  async read(backups: readonly WoundedBackup[]): Promise<Wound[]> {
    const begun: BegunWound[] = [];
    for (const [id, pack] of packsOf(backups)) begun.push(await this.#begin(id, pack, backups));
    const readable = new Map([...this.#look.listed].filter(([id]) => !this.#look.recorded.has(id) && !begun.some(({ pack }) => packIdOf(pack.name) === id)));
    const { candidates } = await searchCopies(this.#repository, { wanted: new Map(begun.map(({ pack, wanted }) => [packIdOf(pack.name), wanted])), readable });
    const wounds: Wound[] = [];
    for (const wound of begun) wounds.push({ ...wound, ...(await this.#findCopies(wound, candidates, backups)) });
    return wounds;
  }

  async #begin(id: string, pack: PackRef, backups: readonly WoundedBackup[]): Promise<BegunWound> {
    throwIfInterrupted(this.#look.signal);
    const named = backups.filter(({ wounds }) => wounds.has(id));
    const bytes = await this.#bytesOf(pack);
    const isWhole = bytes !== undefined && bytes.length === pack.size && sha256(bytes).toString('hex') === pack.sha256;
    const lost = named.flatMap(({ refs }) => refs.replaced).find((pair) => pair.lost && pair.new === id)?.lost;
    const isGuess = named.some(({ needs }) => !needs.isWhole);
    const wanted = new Map(named.flatMap(({ needs }) => [...(needs.byPack.get(id) ?? [])]));
    if (isGuess) for (const [chunk, want] of await this.#everythingKnownOf(id, pack, bytes)) if (!wanted.has(chunk)) wanted.set(chunk, want);
    const { own, obstacle } = this.#ownChunks(pack, bytes, wanted);
    const seen = bytes === undefined ? 'missing' : isWhole && lost ? 'incomplete' : 'damaged';
    return { pack, lostName: lost?.name ?? pack.name, seen, isWhole, isRecorded: this.#look.recorded.has(id), wanted, isGuess, own, obstacle };
  }

  async #bytesOf({ name }: PackRef): Promise<Uint8Array | undefined> {
    if (this.#look.listed.get(packIdOf(name))?.name !== name) return undefined;
    return this.#repository.store.get(name).catch((error: unknown) => {
      if (isHoldfastError(error, 'not-found')) return undefined;
      throw error;
    });
  }

  async #everythingKnownOf(id: string, { name, size }: PackRef, bytes: Uint8Array | undefined): Promise<[string, Want][]> {
    const listed = bytes ? listedChunks(this.#repository, name, { bytes, size }) : [];
    const { claims } = await searchCopies(this.#repository, { wanted: new Map([[id, new Map()]]), readable: new Map() });
    return [...listed.map((chunk) => [hex(chunk.id), { length: chunk.length, path: undefined }] as [string, Want]), ...[...(claims.get(id) ?? [])].map((chunk) => [chunk, { length: 0, path: undefined }] as [string, Want])];
  }

  #ownChunks({ name, size }: PackRef, bytes: Uint8Array | undefined, wanted: Wants): { own: Set<string>; obstacle: string | undefined } {
    const own = new Set<string>();
    const { keys } = this.#repository;
    if (Object.keys(frameOpener(keys, kindOf(name)).subkeys).length === 0) return { own, obstacle: 'the key that was given opens no content, so that nothing in it can be proved; use a key that was added without --meta-only' };
    try {
      for (const { frame } of bytes ? wholeFrames(this.#repository, name, { bytes, size }) : []) for (const { id } of frame.chunks) if (wanted.has(hex(id))) own.add(hex(id));
    } catch (error) {
      if (!isHoldfastError(error, 'wrong-key')) throw error;
      return { own: new Set(), obstacle: error.message };
    }
    return { own, obstacle: undefined };
  }

  async #findCopies(wound: BegunWound, candidates: Candidates, backups: readonly WoundedBackup[]): Promise<Pick<Wound, 'found' | 'rebuilt' | 'standIn'>> {
    const found = new Map<string, string>();
    if (wound.isWhole && wound.seen === 'damaged') return { found, rebuilt: new Map(), standIn: undefined };
    const standIn = wound.obstacle === undefined ? await this.#findStandIn(wound, candidates) : undefined;
    const missing = new Set([...wound.wanted.keys()].filter((id) => !wound.own.has(id)));
    if (wound.obstacle !== undefined || standIn) return { found, rebuilt: new Map(), standIn };
    for (const { name, ids } of bestCandidates(candidates, missing, wound.pack.name)) {
      if (missing.size === 0) break;
      throwIfInterrupted(this.#look.signal);
      for (const id of await this.#proveIn(name, ids)) if (missing.delete(id)) found.set(id, name);
    }
    const packId = packIdOf(wound.pack.name);
    const isTree = kindOf(wound.pack.name) === 'tree' && missing.size > 0;
    return { found, rebuilt: isTree ? await rebuildTreeChunks(this.#repository, backups.filter(({ wounds }) => wounds.has(packId)), packId, missing) : new Map(), standIn };
  }

  async #proveIn(name: string, ids: ReadonlySet<string>): Promise<string[]> {
    try {
      const bytes = await this.#repository.store.get(name);
      const frames = wholeFrames(this.#repository, name, { bytes, size: bytes.length }, ({ chunks }) => chunks.some(({ id }) => ids.has(hex(id))));
      return [...frames].flatMap(({ frame }) => frame.chunks.map(({ id }) => hex(id)));
    } catch (error) {
      if (isHoldfastError(error, 'not-found') || isHoldfastError(error, 'wrong-key')) return [];
      throw error;
    }
  }

  /** Of the same writer: whoever trusts a writer's packs must not come to rely on another's. Proved to the last byte. */
  async #findStandIn({ pack, wanted }: BegunWound, candidates: Candidates): Promise<PackRef | undefined> {
    if (wanted.size === 0) return undefined;
    const all = bestCandidates(candidates, new Set(wanted.keys()), pack.name).filter(({ name, ids }) => ids.size === wanted.size && name.split('/')[2] === pack.name.split('/')[2] && !this.#condemned.has(packIdOf(name)));
    for (const { name } of all.slice(0, STAND_INS_TRIED)) {
      throwIfInterrupted(this.#look.signal);
      const bytes = await this.#bytesOf({ name, size: 0, sha256: '' });
      if (!bytes) continue;
      const ref = { name, size: bytes.length, sha256: sha256(bytes).toString('hex') };
      if (this.#isWhole(ref, bytes)) return ref;
    }
    return undefined;
  }

  #isWhole(ref: PackRef, bytes: Uint8Array): boolean {
    try {
      return this.#checker.check(ref, bytes).problems.length === 0;
    } catch (error) {
      if (isHoldfastError(error, 'wrong-key')) return false;
      throw error;
    }
  }
}

/** Every pack that is not whole, by its id. */
function packsOf(backups: readonly WoundedBackup[]): Map<string, PackRef> {
  const packs = new Map<string, PackRef>();
  for (const { refs, wounds } of backups) for (const pack of refs.packs) if (wounds.has(packIdOf(pack.name))) packs.set(packIdOf(pack.name), pack);
  return packs;
}

export function recordOf(wound: Wound): string {
  return names.damaged(packIdOf(wound.pack.name));
}
