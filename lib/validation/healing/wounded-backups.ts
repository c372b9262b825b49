import { isHoldfastError } from '../../model/errors.ts';
import { FORMAT_VERSION, SnapshotReader, followReplaced, listSnapshots, names, packIdOf, readManifest, readRevisions, readVerdicts, sha256 } from '../../repository/index.ts';
import type { Manifest, PackRef, Refs, Repository } from '../../repository/index.ts';
import { commitStanding } from '../../retention/void.ts';
import type { ObjectInfo } from '../../stores/store.ts';
import { inParallel } from '../in-parallel.ts';
import { throwIfInterrupted } from '../problem.ts';
import { openIndexes } from './copy-search.ts';
import { readNeeds } from './needs.ts';
import type { Needs } from './needs.ts';

/** A backup whose list of packs names packs that are not whole, or is itself not the newest that stands. */
export interface WoundedBackup {
  /** Name of the snapshot. */
  readonly snapshot: string;
  readonly manifest: Manifest;
  /** The newest genuine list, or one made again from the manifest. */
  readonly refs: Refs;
  /** The greatest number that a revision has, genuine or not. */
  readonly greatest: number;
  /** Why its list must be written anew though it names only whole packs. */
  readonly listProblem: string | undefined;
  /** Ids of packs that are not whole, as `refs` name them. */
  readonly wounds: ReadonlySet<string>;
  readonly needs: Needs;
}

/** What the vault holds, as far as healing asks. */
export interface PackLook {
  /** All packs that are listed, by id. */
  readonly listed: ReadonlyMap<string, ObjectInfo>;
  /** Ids of packs that somebody recorded as damaged. */
  readonly recorded: ReadonlySet<string>;
  readonly signal: AbortSignal | undefined;
}

const AT_ONCE = 8;

type Opened = Omit<WoundedBackup, 'needs'>;

/**
 * Backups that healing has to look at. Void and removed ones are passed over, and those whose manifest does not open:
 * without it nothing says what they need, which is for verify to tell.
 */
export async function findWounded(repository: Repository, look: PackLook): Promise<WoundedBackup[]> {
  const snapshots = await listSnapshots(repository.store);
  const lists = new Map<string, Refs>();
  const opened = new Map<string, Opened | Manifest>();
  await inParallel(snapshots, AT_ONCE, async (snapshot) => {
    throwIfInterrupted(look.signal);
    const one = await openOne(repository, look, snapshot, lists);
    if (one) opened.set(snapshot.name, one);
  });
  const removed = new Set<string>();
  for await (const { name } of repository.store.list('removed/')) removed.add(name.replace('removed/', 'snapshots/'));
  const wounded: WoundedBackup[] = [];
  const known = new NeedsOfTrees(repository);
  for (const { name } of snapshots) {
    const one = opened.get(name);
    if (!one || removed.has(name)) continue;
    throwIfInterrupted(look.signal);
    const backup = 'refs' in one ? one : await madeAgain(repository, look, name, one, lists);
    wounded.push({ ...backup, needs: await known.of(backup) });
  }
  return wounded;
}

/** The manifest alone when no list of packs stands; undefined when there is nothing to do. */
async function openOne(repository: Repository, look: PackLook, snapshot: ObjectInfo, lists: Map<string, Refs>): Promise<Opened | Manifest | undefined> {
  const manifest = await unlessUnopened(readManifest(repository, snapshot.name).then((read) => read.manifest));
  if (!manifest) return undefined;
  const { newest, greatest } = await readRevisions(repository, manifest);
  if (newest) lists.set(snapshot.name, newest);
  const wounds = newest && woundsOf(newest, look);
  const listProblem = newest && greatest > newest.revision ? `the list refs/${manifest.plan}/${manifest.backup}.${greatest} is not genuine` : undefined;
  if (newest && wounds?.size === 0 && listProblem === undefined) return undefined;
  if (commitStanding(snapshot, manifest, await readVerdicts(repository, manifest.backup)) === 'void') return undefined;
  return newest && wounds ? { snapshot: snapshot.name, manifest, refs: newest, greatest, listProblem, wounds } : manifest;
}

function woundsOf(refs: Refs, { listed, recorded }: PackLook): Set<string> {
  const follow = followReplaced(refs);
  const isWhole = ({ name, size }: PackRef) => {
    const object = listed.get(packIdOf(name));
    return object?.name === name && object.size === size && !recorded.has(packIdOf(name));
  };
  return new Set([...refs.packs.filter((pack) => !isWhole(pack)).map(({ name }) => packIdOf(name)), ...refs.replaced.filter(({ lost }) => lost !== undefined).map(({ old }) => follow(old))]);
}

/** The manifest says which packs its tree and entries need, by id; names, sizes and digests stand elsewhere, or are read. */
async function madeAgain(repository: Repository, look: PackLook, snapshot: string, manifest: Manifest, lists: ReadonlyMap<string, Refs>): Promise<Opened> {
  const { base, delta } = manifest.tree;
  const known = await knownPacks(repository, lists);
  const packs: PackRef[] = [];
  for (const id of [...new Set([...base.packs, ...(delta?.packs ?? []), ...base.chunks.map(({ pack }) => pack), ...(delta?.chunks ?? []).map(({ pack }) => pack)])].sort()) packs.push(known.get(id) ?? (await readRef(repository, look, manifest, id)));
  const refs: Refs = { format: FORMAT_VERSION, repository: repository.config.repository, kind: 'refs', plan: manifest.plan, backup: manifest.backup, run: manifest.run, revision: 0, packs, replaced: [] };
  const { greatest } = await readRevisions(repository, manifest);
  // Number 0 is never taken anew: its digest stands in the manifest.
  return { snapshot, manifest, refs, greatest: Math.max(greatest, 0), listProblem: 'no list of its packs stands; it is made again from the manifest', wounds: woundsOf(refs, look) };
}

async function knownPacks(repository: Repository, lists: ReadonlyMap<string, Refs>): Promise<Map<string, PackRef>> {
  const known = new Map<string, PackRef>();
  for await (const { packs } of openIndexes(repository)) for (const { name, size, sha256: digest } of packs) known.set(packIdOf(name), { name, size, sha256: digest });
  for (const { packs } of lists.values()) for (const pack of packs) known.set(packIdOf(pack.name), pack);
  return known;
}

/** A pack that nobody describes. One that is not listed either gets a name by which it can be told as missing. */
async function readRef({ store }: Repository, { listed }: PackLook, manifest: Manifest, id: string): Promise<PackRef> {
  const object = listed.get(id);
  if (!object) return { name: names.pack(isOfTree(manifest, id) ? 'meta' : 'hot', manifest.writer, id), size: 0, sha256: sha256(Buffer.alloc(0)).toString('hex') };
  return { name: object.name, size: object.size, sha256: sha256(await store.get(object.name)).toString('hex') };
}

function isOfTree({ tree }: Manifest, id: string): boolean {
  return [...tree.base.chunks, ...(tree.delta?.chunks ?? [])].some(({ pack }) => pack === id);
}

/** Backups between which nothing changed share their tree: it is read once. */
class NeedsOfTrees {
  readonly #repository: Repository;
  readonly #known = new Map<string, Promise<Needs>>();

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  of({ manifest, refs, wounds }: Opened): Promise<Needs> {
    const key = JSON.stringify([digestOf(manifest), [...wounds].sort(), refs.replaced]);
    const known = this.#known.get(key) ?? readNeeds(new SnapshotReader(this.#repository, manifest, refs), wounds);
    this.#known.set(key, known);
    return known;
  }
}

/** Of the tree itself: what a manifest says of its digest nobody has proved, and needs of another tree would lose entries. */
function digestOf({ tree }: Manifest): string {
  return sha256(Buffer.from(JSON.stringify([tree.base.chunks, tree.delta?.chunks]))).toString('hex');
}

async function unlessUnopened<T>(reading: Promise<T>): Promise<T | undefined> {
  return reading.catch((error: unknown) => {
    if (isHoldfastError(error, 'damaged') || isHoldfastError(error, 'not-found')) return undefined;
    throw error;
  });
}
