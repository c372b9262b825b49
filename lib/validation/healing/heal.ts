import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { newUlid } from '../../model/ids.ts';
import { encodeRefs, judgeMarks, names, packIdOf, readMarks, readRevisions, recordDamage, sealIndex, signRefs } from '../../repository/index.ts';
import type { FinishedPack, PackRef, Refs, Repository } from '../../repository/index.ts';
import { throwIfInterrupted } from '../problem.ts';
import { buildHealedPack } from './healed-pack.ts';
import { healedRefs } from './healed-refs.ts';
import type { Healed } from './healed-refs.ts';
import { lostFor } from './healing-plan.ts';
import type { HealingPlan, HealingStep, PlannedList } from './healing-plan.ts';

export interface HealingOptions {
  readonly random?: (size: number) => Uint8Array;
  readonly signal?: AbortSignal;
  /** After each pack. */
  readonly onProgress?: (progress: HealingProgress) => void;
}

export interface HealingProgress {
  readonly phase: 'healing';
  readonly packs: number;
  readonly totalPacks: number;
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface HealingResult {
  /** Packs that something else stands for now, or that nobody needs. */
  readonly packs: number;
  readonly storedBytes: number;
  /** Snapshots that got a new list of packs. */
  readonly backups: readonly string[];
  /** Chunks that stay lost in packs that were healed as far as they could be. */
  readonly lostChunks: number;
}

/**
 * Carries out a plan, once, in the order that makes a crash harmless (format §10): packs, index, a look at what prune
 * condemned, lists of packs, and one more look, because nothing tells a reader that a list was stored too late. Nothing
 * is overwritten or deleted; killed anywhere, everything reads as before, and the next healing goes on with what is
 * there. Fails as `stale` when prune condemned what it built on, `interrupted`, and as the store does.
 */
export async function executeHealing(plan: HealingPlan, repository: Repository, options: HealingOptions = {}): Promise<HealingResult> {
  const stored = await storePacks(plan, repository, options);
  await storeIndexes(repository, stored.packs, options);
  for (const step of plan.steps) if (step.lost > 0) await recordDamage(repository.store, step.wound.lostName, `${step.lost} of its chunks are lost; what was found again stands in another pack`);
  const lists = new HealedLists(repository, stored.outcomes);
  await lists.look();
  for (const planned of plan.revisions) {
    throwIfInterrupted(options.signal);
    await lists.write(planned);
  }
  await lists.lookAgain();
  return { packs: plan.steps.length, storedBytes: stored.packs.reduce((sum, { bytes }) => sum + bytes, 0), backups: lists.written, lostChunks: plan.steps.reduce((sum, { lost }) => sum + lost, 0) };
}

interface Outcome {
  readonly step: HealingStep;
  readonly by: PackRef | undefined;
}

interface StoredPack {
  readonly ref: PackRef;
  readonly ids: Uint8Array;
  readonly bytes: number;
}

async function storePacks({ steps }: HealingPlan, repository: Repository, options: HealingOptions): Promise<{ outcomes: Map<string, Outcome>; packs: StoredPack[] }> {
  const outcomes = new Map<string, Outcome>();
  const packs: StoredPack[] = [];
  const totalBytes = steps.reduce((sum, { wound }) => sum + wound.pack.size, 0);
  let bytes = 0;
  for (const step of steps) {
    throwIfInterrupted(options.signal);
    const pack = step.how === 'copy' ? await storePack(repository, await buildHealedPack(repository, step.wound, options.random)) : undefined;
    if (pack) packs.push(pack);
    outcomes.set(packIdOf(step.pack), { step, by: pack?.ref ?? step.wound.standIn });
    bytes += step.wound.pack.size;
    options.onProgress?.({ phase: 'healing', packs: outcomes.size, totalPacks: steps.length, bytes, totalBytes });
  }
  return { outcomes, packs };
}

async function storePack({ store }: Repository, { name, bytes, sha256, frames }: FinishedPack): Promise<StoredPack> {
  await store.put(name, bytes);
  return { ref: { name, size: bytes.length, sha256 }, ids: Buffer.concat(frames.flatMap(({ chunks }) => chunks.map(({ id }) => id))), bytes: bytes.length };
}

/** One index object for each writer under whose name packs were stored: that is where its next run looks. */
async function storeIndexes({ store, keys, cipher }: Repository, packs: readonly StoredPack[], { random }: HealingOptions): Promise<void> {
  if (packs.length === 0) return;
  const run = newUlid(await store.now(), random);
  for (const [writer, members] of Map.groupBy(packs, ({ ref }) => ref.name.split('/')[2] as string)) {
    const name = names.index(writer, run, 0);
    await store.put(name, sealIndex(keys, name, { supersedes: [], packs: members.map(({ ref, ids }) => ({ ...ref, keyNumber: keys.current, ids })) }, cipher, random));
  }
}

/** More often somebody else wrote the same list first, each time: that is no race any more. */
const MAX_TRIES = 8;

class HealedLists {
  readonly #repository: Repository;
  readonly #outcomes: ReadonlyMap<string, Outcome>;
  /** What stood before each list that was written. */
  readonly #before: { readonly planned: PlannedList; readonly refs: Refs }[] = [];

  constructor(repository: Repository, outcomes: ReadonlyMap<string, Outcome>) {
    this.#repository = repository;
    this.#outcomes = outcomes;
  }

  get written(): string[] {
    return this.#before.map(({ planned }) => planned.snapshot);
  }

  /** A pack that nobody names yet lives 48 h; one that is older may have been condemned since it was chosen. */
  async look(): Promise<void> {
    const endangered = await this.#endangered();
    if (endangered.length > 0) throw stale(endangered);
  }

  /**
   * A list that was stored so late that prune had decided in between is taken back. With no older mark than 22 h now, any
   * ruling to come lists these lists first (format §12).
   */
  async lookAgain(): Promise<void> {
    if (this.#before.length === 0) return;
    const endangered = await this.#endangered();
    if (endangered.length === 0) return;
    for (const { planned, refs } of this.#before) await this.#put(planned, () => refs);
    throw stale(endangered);
  }

  /** Nothing is written when somebody else has healed this backup meanwhile. */
  async write(planned: PlannedList): Promise<void> {
    const healed = new Map([...this.#outcomes].map(([id, { step, by }]): [string, Healed] => [id, { by, lost: { name: step.wound.lostName, chunks: lostFor(planned.backup, step) } }]));
    const before = await this.#put(planned, (refs, isDue) => healedRefs(refs, healed) ?? (isDue ? refs : undefined));
    if (before) this.#before.push({ planned, refs: before });
  }

  /** Answers what stood before; undefined when `change` found nothing to do. */
  async #put({ backup }: PlannedList, change: (refs: Refs, isDue: boolean) => Refs | undefined): Promise<Refs | undefined> {
    const { store, keys } = this.#repository;
    const { manifest } = backup;
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const { newest, greatest } = await readRevisions(this.#repository, manifest);
      const before = newest ?? backup.refs;
      const next = change(before, newest === undefined || greatest > newest.revision);
      if (!next) return undefined;
      const revision = Math.max(greatest, 0) + 1;
      const name = names.refs(manifest.plan, manifest.backup, revision);
      const { mac: _old, ...rest } = next;
      try {
        await store.put(name, encodeRefs(signRefs(keys, name, { ...rest, revision })));
        return before;
      } catch (error) {
        if (!isHoldfastError(error, 'already-exists')) throw error;
      }
    }
    throw new HoldfastError('busy', `The list of packs of backup ${manifest.backup} was written by somebody else ${MAX_TRIES} times in a row.`, { nextStep: 'Run it again when nobody else repairs this vault.' });
  }

  async #endangered(): Promise<string[]> {
    const { store } = this.#repository;
    const judged = judgeMarks(await readMarks(store), 'second');
    const listed = new Set<string>();
    for await (const { name } of store.list('packs/')) listed.add(packIdOf(name));
    const used = new Set([...this.#outcomes.values()].flatMap(({ by }) => (by ? [packIdOf(by.name)] : [])));
    return [...used].filter((id) => judged.get(id) === 'reread' || !listed.has(id));
  }
}

function stale(packs: readonly string[]): HoldfastError {
  return new HoldfastError('stale', `Prune condemned ${packs.length === 1 ? `the pack ${packs[0]}` : `${packs.length} packs`} that healing built on. Every backup reads as before.`, { nextStep: 'Run it again: it looks anew.' });
}
