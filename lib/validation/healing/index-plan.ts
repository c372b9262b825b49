import { isHoldfastError } from '../../model/errors.ts';
import { headProblem, listSnapshots, openIndex, packIdOf, readDamagedPacks, readManifest, readPackDirectory, readRevisions } from '../../repository/index.ts';
import type { PackRef, Repository } from '../../repository/index.ts';
import type { ObjectInfo } from '../../stores/store.ts';
import { throwIfInterrupted } from '../problem.ts';

/** What a repair of indexes decides from. Needs the meta key alone. */
export interface IndexState {
  /** Index objects that are not as they were written, and that no other stands for yet. */
  readonly broken: readonly { readonly name: string; readonly problem: string }[];
  /** Packs that no index names, and what their own directories say. */
  readonly unclaimed: readonly UnclaimedPack[];
}

export interface UnclaimedPack {
  readonly pack: ObjectInfo;
  /** Chunk ids, 32 bytes each; undefined when its directory does not open. */
  readonly ids: Uint8Array | undefined;
  /** As a backup's list has it; undefined when none names the pack: it is read for its digest. */
  readonly known: PackRef | undefined;
}

export interface IndexPlan {
  /** One new object for each writer. */
  readonly objects: readonly PlannedIndex[];
  /** Packs that cannot be indexed. */
  readonly unreadable: readonly { readonly name: string; readonly reason: string }[];
}

export interface PlannedIndex {
  readonly writer: string;
  readonly supersedes: readonly string[];
  readonly packs: readonly UnclaimedPack[];
  readonly chunks: number;
  readonly reason: string;
}

/** Packs are listed before indexes, so that the packs of a run that ends meanwhile are not taken for packs without one. */
export async function readIndexState(repository: Repository, signal?: AbortSignal): Promise<IndexState> {
  const { store } = repository;
  const packs = await Array.fromAsync(store.list('packs/'));
  const { broken, claimed } = await readIndexes(repository);
  const recorded = await readDamagedPacks(store);
  const known = await knownPacks(repository);
  const unclaimed: UnclaimedPack[] = [];
  for (const pack of packs) {
    throwIfInterrupted(signal);
    if (claimed.has(pack.name) || recorded.has(packIdOf(pack.name))) continue;
    const ref = known.get(pack.name);
    unclaimed.push({ pack, ids: await idsOf(repository, pack), known: ref?.size === pack.size ? ref : undefined });
  }
  return { broken, unclaimed };
}

async function readIndexes({ store, keys }: Repository): Promise<{ broken: IndexState['broken']; claimed: Set<string> }> {
  const broken: { name: string; problem: string }[] = [];
  const claimed = new Set<string>();
  const superseded = new Set<string>();
  for await (const { name } of store.list('index/')) {
    try {
      const stored = await store.get(name);
      const index = openIndex(keys, name, stored);
      // It opens all the same; verify calls it damaged, and sends people here.
      const odd = headProblem(stored);
      if (odd !== undefined) {
        broken.push({ name, problem: odd });
        continue;
      }
      for (const pack of index.packs) claimed.add(pack.name);
      for (const old of index.supersedes) superseded.add(old);
    } catch (error) {
      if (!isHoldfastError(error, 'damaged') && !isHoldfastError(error, 'not-found')) throw error;
      if (error.code === 'damaged') broken.push({ name, problem: error.message });
    }
  }
  return { broken: broken.filter(({ name }) => !superseded.has(name)), claimed };
}

/** Digests that need not be learnt by reading packs: those in lists that their manifests vouch for. */
async function knownPacks(repository: Repository): Promise<Map<string, PackRef>> {
  const known = new Map<string, PackRef>();
  for (const { name } of await listSnapshots(repository.store)) {
    try {
      const { newest } = await readRevisions(repository, (await readManifest(repository, name)).manifest);
      for (const pack of newest?.packs ?? []) known.set(pack.name, pack);
    } catch (error) {
      if (!isHoldfastError(error, 'damaged') && !isHoldfastError(error, 'not-found')) throw error;
    }
  }
  return known;
}

async function idsOf({ store, keys }: Repository, { name, size }: ObjectInfo): Promise<Uint8Array | undefined> {
  try {
    return Buffer.concat((await readPackDirectory(store, keys, name, size)).frames.flatMap(({ chunks }) => chunks.map(({ id }) => id)));
  } catch (error) {
    if (isHoldfastError(error, 'damaged') || isHoldfastError(error, 'not-found')) return undefined;
    throw error;
  }
}

/** 34 bytes each: an index object stays below what every store takes. */
const CLAIMS_PER_OBJECT = 1 << 20;

/** Pure. Each writer gets its own objects: that is where its next run looks. */
export function planIndexes({ broken, unclaimed }: IndexState): IndexPlan {
  const readable = unclaimed.filter(({ ids }) => ids !== undefined);
  const writers = new Set([...broken.map(({ name }) => name.split('/')[1] as string), ...readable.map(({ pack }) => writerOf(pack))]);
  return {
    objects: [...writers].sort().flatMap((writer) => objectsOf(writer, broken.filter(({ name }) => name.startsWith(`index/${writer}/`)).map(({ name }) => name), readable.filter(({ pack }) => writerOf(pack) === writer))),
    unreadable: unclaimed.filter(({ ids }) => ids === undefined).map(({ pack }) => ({ name: pack.name, reason: 'its directory does not open: `holdfast verify --level full` says what is lost with it' })),
  };
}

function objectsOf(writer: string, supersedes: readonly string[], packs: readonly UnclaimedPack[]): PlannedIndex[] {
  const parts: UnclaimedPack[][] = [[]];
  let claims = 0;
  for (const pack of packs) {
    claims += chunksOf(pack);
    if (claims > CLAIMS_PER_OBJECT && (parts.at(-1)?.length ?? 0) > 0) {
      parts.push([]);
      claims = chunksOf(pack);
    }
    parts.at(-1)?.push(pack);
  }
  // The last part stands for what is broken: a kill before it leaves that broken, and only this.
  return parts.map((members, index) => {
    const replaced = index === parts.length - 1 ? supersedes : [];
    const reasons = [...(members.length > 0 ? [`${members.length === 1 ? '1 pack that no index names' : `${members.length} packs that no index names`}`] : []), ...(replaced.length > 0 ? [`in place of ${replaced.length === 1 ? '1 index that does not open' : `${replaced.length} indexes that do not open`}`] : [])];
    return { writer, supersedes: replaced, packs: members, chunks: members.reduce((sum, pack) => sum + chunksOf(pack), 0), reason: reasons.join(', ') };
  });
}

function writerOf({ name }: ObjectInfo): string {
  return name.split('/')[2] as string;
}

function chunksOf({ ids }: UnclaimedPack): number {
  return (ids?.length ?? 0) / 32;
}
