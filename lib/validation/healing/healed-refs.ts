import { followReplaced, packIdOf } from '../../repository/index.ts';
import type { PackRef, Refs, Replacement } from '../../repository/index.ts';

/** What became of one pack. */
export interface Healed {
  /** Undefined: nobody needs anything of it. */
  readonly by: PackRef | undefined;
  /** Name of the pack that was lost first, and how many chunks of it this backup needs and nobody holds. */
  readonly lost: { readonly name: string; readonly chunks: number };
}

/**
 * The list of packs after healing, or undefined when it names none of the healed ones (any more). `healed`: by id of the
 * pack that was not whole. Replacements lead to their end in one step, however often a pack was healed.
 */
export function healedRefs(refs: Refs, healed: ReadonlyMap<string, Healed>): Refs | undefined {
  const named = refs.packs.filter(({ name }) => healed.has(packIdOf(name)));
  if (named.length === 0) return undefined;
  const packs = new Map(refs.packs.filter((pack) => !named.includes(pack)).map((pack) => [pack.name, pack]));
  for (const { name } of named) {
    const { by } = healed.get(packIdOf(name)) as Healed;
    if (by) packs.set(by.name, by);
  }
  const follow = followReplaced(refs);
  const replaced: Replacement[] = [];
  for (const pair of refs.replaced) {
    const end = follow(pair.old);
    const outcome = healed.get(end);
    if (outcome === undefined) replaced.push(pair.new === end ? pair : { ...pair, new: end });
    else replaced.push(...pairOf(pair.old, outcome));
  }
  for (const { name } of named) replaced.push(...pairOf(packIdOf(name), healed.get(packIdOf(name)) as Healed));
  return { ...refs, packs: [...packs.values()].sort((left, right) => (packIdOf(left.name) < packIdOf(right.name) ? -1 : 1)), replaced };
}

function pairOf(old: string, { by, lost }: Healed): Replacement[] {
  if (!by) return [];
  return [{ old, new: packIdOf(by.name), ...(lost.chunks > 0 && { lost }) }];
}
