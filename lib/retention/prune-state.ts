import { isHoldfastError } from '../model/errors.ts';
import { isHexId } from '../model/ids.ts';
import type { Manifest, Marks, Refs, Repository } from '../repository/index.ts';
import { decodeRefs, isSigned, isVoid, packIdOf, readManifest, readMarks, readVerdicts, revisionOf, sha256 } from '../repository/index.ts';
import type { ObjectInfo, Store } from '../stores/store.ts';
import { recordedCommit } from './void.ts';

/** What prune reads; `planPrune` decides from nothing else. A backup's key is `<plan>/<backup id>`. */
export interface PruneState {
  /** The store's time, read before anything below was listed: rulings depend on that order (format §12). */
  readonly now: number;
  readonly marks: Marks;
  readonly snapshots: readonly SnapshotState[];
  readonly refs: readonly RefsState[];
  readonly partials: readonly PartialState[];
  /** Keys of removed backups. */
  readonly removed: ReadonlySet<string>;
  /** Notes about damaged packs (format §9). */
  readonly damage: readonly DamageState[];
  readonly packs: readonly ObjectInfo[];
}

export interface SnapshotState {
  readonly key: string;
  readonly name: string;
  /** `unknown`: nobody had the meta key, or the manifest does not open. */
  readonly standing: 'in-time' | 'void' | 'unknown';
}

export interface RefsState {
  readonly key: string;
  /** All revisions, newest first. */
  readonly names: readonly string[];
  readonly newestStoredAt: number;
  readonly packIds: readonly string[];
  /** Packs that were lost, and that were replaced without all that this backup needs of them. */
  readonly lostIds: readonly string[];
  /** True when the manifest, opened with the meta key, vouches for this list. */
  readonly isProven: boolean;
  /** Why the list cannot be used. */
  readonly problem?: string;
}

export interface PartialState {
  readonly name: string;
  readonly storedAt: number;
  readonly packIds: readonly string[];
}

export interface DamageState {
  readonly name: string;
  readonly packId: string;
}

type ReadingStore = Pick<Store, 'get' | 'list' | 'now'>;

interface Listed {
  readonly refs: ReadonlyMap<string, readonly ObjectInfo[]>;
  readonly manifests: ReadonlyMap<string, Manifest>;
}

/**
 * Reads a vault for prune. No key is needed; with `repository` (meta key) manifests are opened too: then a void snapshot
 * does not stop prune, and damaged lists of packs are told from lost packs.
 *
 * The order is the proof's: time, marks, snapshots, refs (a writer stores refs before its snapshot), partials, packs
 * (stored before anything names them; notes of damage before the packs that they are about), removals (recorded before snapshot, refs and packs go).
 */
export async function readPruneState(store: ReadingStore, repository?: Repository): Promise<PruneState> {
  const marks = await readMarks(store);
  const listed = await Array.fromAsync(store.list('snapshots/'));
  const manifests = repository ? await openManifests(repository, listed) : new Map<string, Manifest>();
  const snapshots: SnapshotState[] = [];
  for (const object of listed) snapshots.push(await stateOf(object, manifests.get(keyOf(object.name)), repository));
  const refs = await readAllRefs(store, manifests, repository);
  const partials = await readPartials(store);
  const damage = (await Array.fromAsync(store.list('damaged/'))).map(({ name }) => ({ name, packId: packIdOf(name) }));
  // What only lies beside packs has a name that no mark can carry, or that would be taken for a pack's: it is left alone.
  const packs = (await Array.fromAsync(store.list('packs/'))).filter(({ name }) => isHexId(packIdOf(name)));
  const removed = new Set((await Array.fromAsync(store.list('removed/'))).map((object) => keyOf(object.name)));
  return { now: marks.at, marks, snapshots, refs, partials, removed, damage, packs };
}

/** `refs/<plan>/<backup>.3` → `<plan>/<backup>` */
export function keyOf(name: string): string {
  return name.slice(name.indexOf('/') + 1).replace(/\.\d+$/, '');
}

async function openManifests(repository: Repository, snapshots: readonly ObjectInfo[]): Promise<Map<string, Manifest>> {
  const manifests = new Map<string, Manifest>();
  for (const { name } of snapshots) {
    const found = await unlessGone(readManifest(repository, name), ['damaged', 'wrong-key']);
    if (found) manifests.set(keyOf(name), found.manifest);
  }
  return manifests;
}

async function stateOf(object: ObjectInfo, manifest: Manifest | undefined, repository: Repository | undefined): Promise<SnapshotState> {
  const key = keyOf(object.name);
  if (!manifest || !repository) return { key, name: object.name, standing: 'unknown' };
  const isLate = isVoid(manifest.checkedAt, object.storedAt);
  // A copy of a vault carries later times; what was recorded where it was first written counts there.
  const standing = isLate && recordedCommit(await readVerdicts(repository, manifest.backup)) !== 'in-time' ? 'void' : 'in-time';
  return { key, name: object.name, standing };
}

async function readAllRefs(store: ReadingStore, manifests: Listed['manifests'], repository: Repository | undefined): Promise<RefsState[]> {
  const groups = Map.groupBy(await Array.fromAsync(store.list('refs/')), (object) => keyOf(object.name));
  const ids = new Interned();
  const states: RefsState[] = [];
  for (const [key, objects] of groups) {
    // What is no revision is read by nobody: it goes with the backup, and must not stop prune until then.
    const revisions = objects.filter(({ name }) => revisionOf(name) !== undefined).sort((a, b) => (revisionOf(b.name) as number) - (revisionOf(a.name) as number));
    const manifest = manifests.get(key);
    const found = manifest && repository ? await provenRefs(repository, manifest, revisions) : await readableRefs(store, revisions);
    const newestStoredAt = Math.max(...objects.map((object) => object.storedAt));
    states.push({ key, names: objects.map((object) => object.name), newestStoredAt, ...found, packIds: ids.all(found.packIds), lostIds: ids.all(found.lostIds) });
  }
  return states;
}

type Found = Pick<RefsState, 'packIds' | 'lostIds' | 'isProven' | 'problem'>;

/**
 * The greatest genuine revision (format §8). One above it that is not genuine was a healing's list: what it named may be
 * all that is left, so nothing is decided before somebody has written it again.
 */
async function provenRefs(repository: Repository, manifest: Manifest, objects: readonly ObjectInfo[]): Promise<Found> {
  let above: string | undefined;
  for (const { name } of objects) {
    const stored = await unlessGone(repository.store.get(name));
    const refs = stored && (await unlessGone(decode(stored, name), ['damaged']));
    const isGenuine = stored && refs && (revisionOf(name) === 0 ? sha256(stored).toString('hex') === manifest.refsSha256 : isSigned(repository.keys, name, refs));
    if (isGenuine) return { packIds: idsOf(refs), lostIds: lostIdsOf(refs), isProven: true, ...(above !== undefined && { problem: `its list of packs ${above} is not genuine` }) };
    above ??= name;
  }
  return { packIds: [], lostIds: [], isProven: false, problem: 'no revision of its list of packs is the one that its manifest names' };
}

/** Without the key no revision can be told from a forged one: whatever any of them names is kept. */
async function readableRefs(store: ReadingStore, objects: readonly ObjectInfo[]): Promise<Found> {
  const packIds: string[] = [];
  const lostIds: string[] = [];
  for (const { name } of objects) {
    const stored = await unlessGone(store.get(name));
    const refs = stored && (await unlessGone(decode(stored, name), ['damaged']));
    if (stored && !refs) return { packIds, lostIds, isProven: false, problem: `${name} cannot be read` };
    if (refs) packIds.push(...idsOf(refs));
    if (refs) lostIds.push(...lostIdsOf(refs));
  }
  return { packIds, lostIds, isProven: false };
}

/** A partial that cannot be read protects nothing: its run looks at `condemned/` again before it commits. */
async function readPartials(store: ReadingStore): Promise<PartialState[]> {
  const partials: PartialState[] = [];
  for (const { name, storedAt } of await Array.fromAsync(store.list('partial/'))) {
    const stored = await unlessGone(store.get(name));
    const refs = stored && (await unlessGone(decode(stored, name), ['damaged']));
    partials.push({ name, storedAt, packIds: refs ? idsOf(refs) : [] });
  }
  return partials;
}

async function decode(stored: Uint8Array, name: string): Promise<Refs> {
  return decodeRefs(stored, name);
}

function idsOf(refs: Refs): string[] {
  return refs.packs.map((pack) => packIdOf(pack.name));
}

function lostIdsOf({ replaced }: Refs): string[] {
  return replaced.flatMap(({ lost }) => (lost ? [packIdOf(lost.name)] : []));
}

/** Undefined for what was removed since it was listed, and for the other codes given. */
async function unlessGone<T>(reading: Promise<T>, also: readonly string[] = []): Promise<T | undefined> {
  return reading.catch((cause: unknown) => {
    if (isHoldfastError(cause) && (cause.code === 'not-found' || also.includes(cause.code))) return undefined;
    throw cause;
  });
}

/** Thousands of backups name the same packs: each id is kept once. */
class Interned {
  readonly #known = new Map<string, string>();

  all(texts: readonly string[]): string[] {
    return texts.map((text) => {
      const known = this.#known.get(text);
      if (known !== undefined) return known;
      this.#known.set(text, text);
      return text;
    });
  }
}
