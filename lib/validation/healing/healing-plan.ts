import type { ByteString } from '../../model/byte-string.ts';
import { packIdOf } from '../../repository/index.ts';
import type { HealingState, Wound } from './healing-state.ts';
import { recordOf } from './healing-state.ts';
import type { Wants } from './needs.ts';
import { kindOf } from './open-frames.ts';
import type { WoundedBackup } from './wounded-backups.ts';

/** Everything that one healing will do, each step with its reason in words; a dry run prints it. */
export interface HealingPlan {
  readonly steps: readonly HealingStep[];
  /** Backups that get a new list of packs. */
  readonly revisions: readonly PlannedList[];
  /** Notes about packs that are whole: taken back by whoever may delete. */
  readonly cleared: readonly { readonly name: string; readonly reason: string }[];
  /** Packs that stay as they are. */
  readonly unhealed: readonly UnhealedPack[];
  /** True: trees are healed by this plan, and what can be healed after that is known when it is made again. */
  readonly isFirstOfTwo: boolean;
}

export interface HealingStep {
  readonly pack: string;
  /** `copy`: into a new pack; `stand-in`: a pack that is there already holds it all; `drop`: nobody needs anything of it. */
  readonly how: 'copy' | 'stand-in' | 'drop';
  readonly reason: string;
  /** Chunks that entries need: in all, and those that are not found anywhere. */
  readonly chunks: number;
  readonly lost: number;
  /** Entries that need a lost chunk, some of them. */
  readonly examples: readonly ByteString[];
  readonly wound: Wound;
}

export interface PlannedList {
  readonly snapshot: string;
  readonly reason: string;
  readonly backup: WoundedBackup;
}

export interface UnhealedPack {
  readonly pack: string;
  readonly reason: string;
  readonly nextStep: string;
  readonly lost: number;
  readonly examples: readonly ByteString[];
  readonly backups: readonly string[];
}

const EXAMPLES = 20;

/** Pure: what is shown is what is done. */
export function planHealing({ wounds, backups }: HealingState): HealingPlan {
  const decided = wounds.map((wound) => ({ wound, step: stepFor(wound) }));
  const isFirstOfTwo = decided.some(({ wound, step }) => step && kindOf(wound.pack.name) === 'tree') && wounds.some(({ isGuess }) => isGuess);
  // What a tree that is healed now will say is better than all that an index says.
  const steps = decided.flatMap(({ wound, step }) => (step && !(isFirstOfTwo && wound.isGuess && kindOf(wound.pack.name) === 'frame') ? [step] : []));
  const healed = new Set(steps.map(({ pack }) => packIdOf(pack)));
  const revisions = backups.flatMap((backup): PlannedList[] => {
    const count = [...backup.wounds].filter((id) => healed.has(id)).length;
    if (count === 0 && backup.listProblem === undefined) return [];
    const reason = [...(backup.listProblem === undefined ? [] : [backup.listProblem]), ...(count > 0 ? [`${count === 1 ? '1 pack that it names is' : `${count} packs that it names are`} replaced`] : [])].join('; ');
    return [{ snapshot: backup.snapshot, reason, backup }];
  });
  return {
    steps,
    revisions,
    cleared: wounds.filter((wound) => wound.isWhole && wound.isRecorded && wound.seen === 'damaged').map((wound) => ({ name: recordOf(wound), reason: `${wound.pack.name} was read again and is whole` })),
    unhealed: wounds.flatMap((wound) => (healed.has(packIdOf(wound.pack.name)) || (wound.isWhole && wound.seen === 'damaged') ? [] : [unhealed(wound, backups)])),
    isFirstOfTwo,
  };
}

/** Undefined when nothing would be gained. */
function stepFor(wound: Wound): HealingStep | undefined {
  const { pack, wanted, own, found, rebuilt, standIn, obstacle, isGuess } = wound;
  if (obstacle !== undefined || (wound.isWhole && wound.seen === 'damaged')) return undefined;
  const lost = lostOf(wound);
  const step = { pack: pack.name, chunks: wanted.size, lost: standIn ? 0 : lost.length, examples: standIn ? [] : examplesOf(wanted, lost), wound };
  if (wanted.size === 0) return isGuess ? undefined : { ...step, how: 'drop', reason: `${seenWords(wound)}, and no entry needs anything of it` };
  if (standIn) return { ...step, how: 'stand-in', reason: `${seenWords(wound)}; ${standIn.name} holds all ${wanted.size} chunks that entries need` };
  // Incomplete with nothing found: it holds what there is already.
  if (found.size + rebuilt.size === 0 && (lost.length > 0 || wound.seen === 'incomplete')) return lost.length > 0 ? undefined : { ...step, how: 'copy', reason: `${seenWords(wound)}, and nothing that entries need is missing any more` };
  const parts = [...(own.size > 0 ? [`${own.size} chunks are whole in it`] : []), ...(found.size > 0 ? [`${found.size} were found in ${new Set(found.values()).size} other packs`] : []), ...(rebuilt.size > 0 ? [`${rebuilt.size} parts of entry trees were written again from those of other backups`] : []), ...(lost.length > 0 ? [`${lost.length} are lost`] : [])];
  return { ...step, how: 'copy', reason: `${seenWords(wound)}; ${parts.join(', ')}` };
}

function lostOf(wound: Wound): string[] {
  return [...wound.wanted.keys()].filter((id) => isLost(wound, id));
}

function isLost({ own, found, rebuilt }: Wound, id: string): boolean {
  return !own.has(id) && !found.has(id) && !rebuilt.has(id);
}

function examplesOf(wanted: Wants, lost: readonly string[]): ByteString[] {
  return [...new Set(lost.flatMap((id) => wanted.get(id)?.path ?? []))].slice(0, EXAMPLES);
}

function seenWords({ seen }: Wound): string {
  return { missing: 'it is missing', damaged: 'it is damaged', incomplete: 'it stands for a lost pack and lacks chunks' }[seen];
}

function unhealed(wound: Wound, backups: readonly WoundedBackup[]): UnhealedPack {
  const lost = wound.obstacle === undefined ? lostOf(wound) : [];
  const named = backups.filter(({ wounds }) => wounds.has(packIdOf(wound.pack.name))).map(({ snapshot }) => snapshot);
  const about = { pack: wound.pack.name, lost: lost.length, examples: examplesOf(wound.wanted, lost), backups: named };
  if (wound.obstacle !== undefined) return { ...about, reason: `${seenWords(wound)}; ${wound.obstacle}`, nextStep: 'Run it again with that key.' };
  if (lost.length === 0) return { ...about, reason: `${seenWords(wound)}, and the entry trees that name it cannot all be read`, nextStep: 'Run it again when the trees are healed.' };
  return {
    ...about,
    reason: `${seenWords(wound)}, and ${lost.length === 1 ? 'a chunk' : `${lost.length} chunks`} that entries need ${lost.length === 1 ? 'is' : 'are'} in no other pack`,
    nextStep: kindOf(wound.pack.name) === 'tree'
      ? `Put the object back from a copy of the vault. Without one, what it held of these entry trees is lost; \`holdfast verify --level full\` names it, and a new backup of the source does not need it.`
      : 'If the source still has these files, back it up: that stores them anew and heals. Or put the object back from a copy of the vault. `holdfast verify --level full` names every entry that is lost.',
  };
}

/** Chunks that this backup needs of a healed pack and that are lost. */
export function lostFor({ needs }: WoundedBackup, { wound, lost }: HealingStep): number {
  if (lost === 0) return 0;
  if (!needs.isWhole) return lost;
  const own = needs.byPack.get(packIdOf(wound.pack.name)) ?? new Map();
  return [...own.keys()].filter((id) => isLost(wound, id)).length;
}
