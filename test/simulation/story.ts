import { isHoldfastError } from '../../lib/model/errors.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { listSnapshots, openRepository } from '../../lib/repository/index.ts';
import { removeDeadIndexes } from '../../lib/retention/dead-indexes.ts';
import { planPrune } from '../../lib/retention/prune-plan.ts';
import type { PruneState } from '../../lib/retention/prune-state.ts';
import { keyOf, readPruneState } from '../../lib/retention/prune-state.ts';
import { executePrune } from '../../lib/retention/prune.ts';
import { standingOf } from '../../lib/retention/standing.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import type { ObjectInfo, Store } from '../../lib/stores/store.ts';
import { BackupRun, PLANS } from './backup-run.ts';
import { SeededRandom } from './dice.ts';
import { Oracle } from './oracle.ts';
import { PackShelf } from './pack-shelf.ts';
import type { Actor } from './scheduler.ts';
import { BIRTH, DAY, HOUR, Tale, WRITERS, clientTime, threeOf } from './tale.ts';
import type { Telling, Told } from './tale.ts';

/** Multiples of one another, so that actors often wake at the same time and get into each other's way. */
const FIRST_SLEEPS = [12 * HOUR, 12 * HOUR, 12 * HOUR, 24 * HOUR];
const SLEEPS = [12 * HOUR, 24 * HOUR, 24 * HOUR, 48 * HOUR];

/** What a planted bug changes; the story as it is uses none of it. */
export interface Meddling {
  /** What the writer, or the pruner, holds in place of the store. One per run. */
  readonly writerStore?: (store: Store) => Store;
  readonly prunerStore?: (store: Store) => Store;
  readonly pruneState?: (state: PruneState) => PruneState;
}

export interface Outcome extends Told {
  /** What happened, so that a test can see that the stories are about something. */
  readonly counts: Counts;
}

interface Counts {
  backups: number;
  stale: number;
  voids: number;
  prunes: number;
  deletedPacks: number;
  spared: number;
  removals: number;
}

const CONTENTS = ['one', 'two', 'three', 'four', 'five', 'six'];
const ID = '0123456789abcdef0123456789abcdef';
const BASE = openRepository(new MemoryStore({ now: () => BIRTH }), { format: 1, repository: ID, chunker: {} } as unknown as Repository['config'], {
  pairs: [{ number: 1, meta: new Uint8Array(32).fill(1), data: new Uint8Array(32).fill(2) }],
  chunker: new Uint8Array(32).fill(3),
});

const pasts = new Map<boolean, Story>();

/** One vault, three writers, two pruners, someone who removes backups, someone who reads; weeks of its life. */
export class Story extends Tale<Oracle> {
  protected readonly oracle = new Oracle();
  protected readonly sleeps = { first: FIRST_SLEEPS, later: SLEEPS };
  readonly #meddling: Meddling;
  readonly #packs = new PackShelf(BASE);
  readonly #counts: Counts = { backups: 0, stale: 0, voids: 0, prunes: 0, deletedPacks: 0, spared: 0, removals: 0 };

  constructor(seed: number, meddling: Meddling = {}, telling: Telling = {}) {
    super(seed, telling);
    this.#meddling = meddling;
  }

  async tell(): Promise<Outcome> {
    const [planA, planB] = PLANS;
    await this.#begin(!new SeededRandom(this.seed, 'beginning').isOnceIn(4));
    this.add('writer 1', 2, (actor) => this.#backup(actor, planA, 0, []));
    this.add('writer 2', 2, (actor) => this.#backup(actor, planA, 0, []));
    this.add('writer 3', 1, (actor) => this.#backup(actor, planB, 1, [WRITERS[0]]));
    this.add('pruner 1', 4, (actor) => this.#prune(actor, actor.dice.isOnceIn(3)));
    this.add('pruner 2', 4, (actor) => this.#prune(actor, false));
    this.add('remover', 2, (actor) => this.#remove(actor));
    this.add('reader', this.seed % 2, (actor) => this.#read(actor));
    await this.play();
    await this.#settle();
    this.#counts.voids = [...this.oracle.snapshots.values()].filter((snapshot) => snapshot.isVoid).length;
    return { ...this.told, counts: this.#counts };
  }

  /** Until all garbage must be gone; the other stories end with one run, one prune and one reading. */
  get #isFollowedToTheEnd(): boolean {
    return this.seed % 4 === 0;
  }

  /**
   * Days ago somebody backed up everything; that backup may be gone, its packs are old, and nobody has marked them. It
   * really happened, once in this process; every story begins with what came of it.
   */
  async #begin(isRemoved: boolean): Promise<void> {
    const past = pasts.get(isRemoved) ?? (await this.#makePast(isRemoved));
    pasts.set(isRemoved, past);
    for await (const { name } of past.vault.list('')) await this.vault.put(name, await past.vault.get(name));
    this.oracle.remember(past.oracle);
    this.#packs.remember(past.#packs);
    this.scheduler.now += 3 * DAY;
  }

  async #makePast(isRemoved: boolean): Promise<Story> {
    const past = new Story(0);
    await past.calmly('prehistory', async (actor) => {
      await past.#backup(actor, PLANS[0], 0, [], CONTENTS);
      if (isRemoved) await past.#remove(actor);
    });
    return past;
  }

  async #backup(actor: Actor, plan: (typeof PLANS)[number], writer: 0 | 1, trustedWriters: readonly string[], contents = threeOf(CONTENTS, actor)): Promise<void> {
    const { writerStore = (store: Store) => store } = this.#meddling;
    const repository = { ...BASE, store: writerStore(this.storeFor(actor)) };
    const settings = { plan, writer: { id: WRITERS[writer], host: 'host' }, trustedWriters, contents, clientNow: clientTime(actor, this.scheduler.now), isStream: actor.dice.isOnceIn(5) };
    try {
      const backup = await BackupRun.execute(repository, settings, { dice: actor.dice, oracle: this.oracle, packs: this.#packs });
      this.#counts.backups++;
      this.scheduler.note(actor, `committed ${backup}`);
    } catch (error) {
      // A run that slept too long fails: what it relied on was withdrawn, or deleted while it slept.
      if (!isHoldfastError(error, 'stale') && !isHoldfastError(error, 'not-found')) throw error;
      this.#counts.stale++;
      this.scheduler.note(actor, `gives up: ${error.message}`);
    }
  }

  /** False when it was stopped. */
  async #prune(actor: Actor, hasKey: boolean, maxDurationMs = actor.dice.isOnceIn(4) ? 10 * HOUR : Infinity): Promise<boolean> {
    const { prunerStore = (store: Store) => store, pruneState = (state: PruneState) => state } = this.#meddling;
    const store = prunerStore(this.storeFor(actor));
    const state = pruneState(await readPruneState(store, hasKey ? { ...BASE, store } : undefined));
    const plan = planPrune(state);
    if (plan.blockers.length > 0) {
      // Without a key a void snapshot whose refs expired cannot be told from a damaged backup.
      if (hasKey || !this.oracle.hadVoid) this.oracle.fail(`${actor.name} stops: ${JSON.stringify(plan.blockers)}`);
      return false;
    }
    const budget = { clock: { now: () => this.scheduler.now }, random: actor.dice.bytes, concurrency: 2, maxDurationMs };
    const result = await executePrune(plan, store, budget);
    this.#counts.prunes++;
    this.#counts.deletedPacks += result.deletedPacks;
    this.#counts.spared += result.spared;
    if (hasKey && result.deletedPacks > 0) await removeDeadIndexes({ ...BASE, store }, budget);
    return true;
  }

  async #remove(actor: Actor): Promise<void> {
    if (await this.removeOne(actor, { ...BASE, store: this.storeFor(actor) })) this.#counts.removals++;
  }

  async #read(actor: Actor): Promise<void> {
    const repository = { ...BASE, store: this.storeFor(actor) };
    const snapshots = await listSnapshots(repository.store);
    const sizes = new Map<string, number>();
    for await (const { name, size } of repository.store.list('packs/')) sizes.set(name, size);
    for (const snapshot of snapshots) await this.#judge(actor, repository, snapshot, sizes);
  }

  async #judge(actor: Actor, repository: Repository, snapshot: ObjectInfo, sizes: ReadonlyMap<string, number>): Promise<void> {
    const id = keyOf(snapshot.name).slice(33);
    try {
      const { standing, reason } = await standingOf(repository, snapshot, sizes, actor.dice.bytes);
      const truth = this.oracle.snapshots.get(id);
      if (!truth) return;
      if (truth.isVoid && standing === 'good') this.oracle.fail(`the void backup ${id} is called good`);
      if (!truth.isVoid && standing !== 'good') this.oracle.fail(`the valid backup ${id} is called ${standing}: ${reason}`);
    } catch (error) {
      if (!isHoldfastError(error, 'not-found')) throw error;
    }
  }

  /** Whatever was killed, left or half done: the next runs work, everything valid reads as good, and garbage goes. */
  async #settle(): Promise<void> {
    await this.settle((actor) => this.#afterwards(actor));
    if (this.isOver() || !this.#isFollowedToTheEnd) return;
    const garbage = await this.oracle.findGarbage(this.vault);
    if (garbage.length > 0) this.oracle.fail(`after all prunes these packs stay, which nothing needs: ${garbage.join(', ')}`);
  }

  async #afterwards(actor: Actor): Promise<void> {
    const { backups } = this.#counts;
    if (actor.dice.isOnceIn(2)) await this.#backup(actor, PLANS[0], 0, []);
    else await this.#backup(actor, PLANS[1], 1, [WRITERS[0]]);
    if (this.#counts.backups !== backups + 1) this.oracle.fail('the run afterwards gave up');
    for (const days of this.#isFollowedToTheEnd ? [8, 2, 1] : [8]) {
      await this.scheduler.sleep(actor, days * DAY);
      if (!(await this.#prune(actor, false, Infinity))) await this.#prune(actor, true, Infinity);
    }
    await this.#read(actor);
  }
}
