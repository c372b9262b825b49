import { isHoldfastError } from '../../model/errors.ts';
import { openIndex, packIdOf, readPackDirectory } from '../../repository/index.ts';
import type { DecodedIndex, PackRef, Repository } from '../../repository/index.ts';
import type { ObjectInfo } from '../../stores/store.ts';
import { hex, type Wants } from './needs.ts';
import { kindOf } from './open-frames.ts';

/** Where chunks are said to lie, by name of the pack: what an index or a directory says, proved by nobody yet. */
export type Candidates = ReadonlyMap<string, ReadonlySet<string>>;

/** Every index object that opens, one at a time. */
export async function* openIndexes({ store, keys }: Repository): AsyncGenerator<DecodedIndex & { readonly name: string }> {
  for await (const { name } of store.list('index/')) {
    try {
      yield { name, ...openIndex(keys, name, await store.get(name)) };
    } catch (error) {
      if (!isHoldfastError(error, 'damaged') && !isHoldfastError(error, 'not-found')) throw error;
    }
  }
}

export interface Search {
  /** By id of the pack that is not whole. */
  readonly wanted: ReadonlyMap<string, Wants>;
  /** Packs that may be read: listed, and found damaged by nobody. By id. */
  readonly readable: ReadonlyMap<string, ObjectInfo>;
}

export interface SearchResult {
  readonly candidates: Candidates;
  /** What indexes say that packs hold whose entries cannot all be read, by id of the pack. */
  readonly claims: ReadonlyMap<string, ReadonlySet<string>>;
}

/**
 * Asks every index, of all writers, for the chunks; and the directories of packs that no index names, such as those of a
 * run that was killed. A chunk of a tree is looked for in meta packs only, content in data packs only.
 */
export async function searchCopies(repository: Repository, { wanted, readable }: Search): Promise<SearchResult> {
  const candidates = new Map<string, Set<string>>();
  const claims = new Map([...wanted.keys()].map((id) => [id, new Set<string>()]));
  const ids = new Set([...wanted.values()].flatMap((wants) => [...wants.keys()]));
  const found = (name: string, id: string) => void (candidates.get(name) ?? candidates.set(name, new Set()).get(name))?.add(id);
  const indexed = new Set<string>();
  for await (const index of openIndexes(repository)) {
    for (const { name } of index.packs) indexed.add(packIdOf(name));
    collectClaims(index, claims);
    const packs = index.packs.map((pack) => (isAsIndexed(pack, readable) ? pack.name : undefined));
    for (const id of ids) for (const ordinal of ordinalsOf(index, Buffer.from(id, 'hex'))) if (packs[ordinal] !== undefined) found(packs[ordinal], id);
  }
  if (ids.size > 0) for (const [packId, { name, size }] of readable) {
    if (indexed.has(packId)) continue;
    for (const id of await chunksOf(repository, name, size)) if (ids.has(id)) found(name, id);
  }
  return { candidates, claims };
}

function isAsIndexed({ name, size }: PackRef, readable: Search['readable']): boolean {
  const listed = readable.get(packIdOf(name));
  return listed?.name === name && listed.size === size;
}

function collectClaims({ packs, ids, ordinals }: DecodedIndex, claims: Map<string, Set<string>>): void {
  const asked = packs.map(({ name }) => claims.get(packIdOf(name)));
  if (asked.every((set) => set === undefined)) return;
  for (const [position, ordinal] of ordinals.entries()) asked[ordinal]?.add(hex(ids.subarray(position * 32, position * 32 + 32)));
}

/** Ids ascend: found by halving. One chunk may lie in several packs of one index. */
function ordinalsOf({ ids, ordinals }: DecodedIndex, id: Buffer): number[] {
  const all = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength);
  const at = (position: number) => all.compare(id, 0, 32, position * 32, position * 32 + 32);
  let low = 0;
  let high = ordinals.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(middle) < 0) low = middle + 1;
    else high = middle;
  }
  const found: number[] = [];
  for (let position = low; position < ordinals.length && at(position) === 0; position++) found.push(ordinals[position] as number);
  return found;
}

async function chunksOf({ store, keys }: Repository, name: string, size: number): Promise<string[]> {
  try {
    return (await readPackDirectory(store, keys, name, size)).frames.flatMap(({ chunks }) => chunks.map(({ id }) => hex(id)));
  } catch (error) {
    if (isHoldfastError(error, 'damaged') || isHoldfastError(error, 'not-found')) return [];
    throw error;
  }
}

/** Packs of one kind that are said to hold one of the chunks, those with most of them first. */
export function bestCandidates(candidates: Candidates, ids: ReadonlySet<string>, likePack: string): { readonly name: string; readonly ids: ReadonlySet<string> }[] {
  return [...candidates]
    .filter(([name]) => kindOf(name) === kindOf(likePack))
    .map(([name, held]) => ({ name, ids: new Set([...held].filter((id) => ids.has(id))) }))
    .filter((candidate) => candidate.ids.size > 0)
    .sort((left, right) => right.ids.size - left.ids.size || (left.name < right.name ? -1 : 1));
}
