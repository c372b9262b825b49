import { HoldfastError } from '../../lib/model/errors.ts';
import type { WriterId } from '../../lib/model/ids.ts';
import { listSnapshots } from '../../lib/repository/index.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { planRemove } from '../../lib/retention/remove-plan.ts';
import { executeRemove, findUnfinishedRemovals } from '../../lib/retention/remove.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import type { Store } from '../../lib/stores/store.ts';
import type { Oracle } from './oracle.ts';
import { Actor, Scheduler } from './scheduler.ts';
import type { Event } from './scheduler.ts';
import { SteppedStore } from './stepped-store.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const BIRTH = 1_700_000_000_000;
export const WRITERS = ['1'.repeat(32), '2'.repeat(32)] as unknown as readonly [WriterId, WriterId];
const MAX_EVENTS = 1500;

export interface Telling {
  /** Instead of chance. */
  readonly replay?: readonly Event[];
  readonly isKeepingTrace?: boolean;
}

/** What became of a tale. */
export interface Told {
  readonly failure: string | undefined;
  readonly events: readonly Event[];
  readonly trace: readonly string[];
}

/** The stage of a simulated history: one vault, actors that are paused and killed anywhere, an oracle that judges. */
export abstract class Tale<Judge extends Oracle> {
  protected readonly seed: number;
  protected readonly scheduler: Scheduler;
  protected readonly vault: MemoryStore;
  protected abstract readonly oracle: Judge;
  /** How long actors sleep before their first round, and before each other. */
  protected abstract readonly sleeps: { readonly first: readonly number[]; readonly later: readonly number[] };
  readonly #replay: readonly Event[] | undefined;

  constructor(seed: number, { replay, isKeepingTrace = false }: Telling) {
    this.seed = seed;
    this.#replay = replay;
    this.scheduler = new Scheduler(seed, BIRTH, isKeepingTrace);
    this.vault = new MemoryStore({ now: () => this.scheduler.now });
  }

  protected readonly isOver = () => this.oracle.failure !== undefined;

  protected get told(): Told {
    return { failure: this.oracle.failure, events: this.scheduler.events, trace: this.scheduler.trace };
  }

  protected add(name: string, rounds: number, round: (actor: Actor) => Promise<unknown>): void {
    let left = rounds;
    const program = async (actor: Actor) => {
      while (left > 0) {
        await this.scheduler.sleep(actor, actor.dice.from(left === rounds ? this.sleeps.first : this.sleeps.later));
        left--;
        await this.#guard(name, () => round(actor));
      }
    };
    this.scheduler.start(new Actor(name, this.seed, program));
  }

  /** Everyone who was added, until all is done or something is wrong. */
  protected async play(): Promise<void> {
    if (this.#replay) await this.scheduler.replay(this.#replay, this.isOver);
    else await this.scheduler.improvise(MAX_EVENTS, this.isOver);
  }

  /** One actor, undisturbed, to its end. */
  protected async calmly(name: string, work: (actor: Actor) => Promise<void>): Promise<void> {
    let isDone = false;
    const program = async (actor: Actor) => {
      await this.#guard(name, () => work(actor));
      isDone = true;
    };
    this.scheduler.start(new Actor(name, this.seed, program));
    await this.scheduler.calmly(this.isOver);
    if (!isDone) this.oracle.fail(`${name} did not come to an end`);
  }

  /** Whoever was killed, left or half done is gone; what is left must work and be whole. */
  protected async settle(afterwards: (actor: Actor) => Promise<void>): Promise<void> {
    if (this.isOver()) return;
    this.scheduler.endAll();
    this.scheduler.now += HOUR;
    await this.calmly('afterwards', afterwards);
  }

  /** `vault`: what stands in its place, where the disk is bad. */
  protected storeFor(actor: Actor, vault: Store = this.vault): Store {
    return new SteppedStore(vault, { scheduler: this.scheduler, oracle: this.oracle }, actor);
  }

  /** Removes one backup, or goes on with a removal that was cut short. False when there is neither. */
  protected async removeOne(actor: Actor, repository: Repository): Promise<boolean> {
    const unfinished = await findUnfinishedRemovals(repository.store);
    const snapshots = await listSnapshots(repository.store);
    const candidates = snapshots.map(({ name, storedAt }) => ({ plan: name.split('/')[1] as string, planName: 'simulated', backup: name.split('/')[2] as string, storedAt, standing: 'good' as const }));
    const ids = [...candidates, ...unfinished].map(({ backup }) => backup);
    if (ids.length === 0) return false;
    await executeRemove(planRemove({ ids: [actor.dice.from(ids)], force: true }, candidates, unfinished), repository, { who: 'the story', why: 'to see what happens' }, actor.dice.bytes);
    return true;
  }

  async #guard(name: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.oracle.fail(`${name} met ${error instanceof HoldfastError ? `${error.code}: ` : ''}${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
}

/** Up to two days beside the store's clock. */
export function clientTime({ dice }: Actor, now: number): number {
  return now + (dice.pick(97) - 48) * HOUR;
}

/** Three of six contents: what vanishes comes back later, so that old packs are wanted again. */
export function threeOf(contents: readonly string[], { dice }: Actor): string[] {
  const offset = dice.pick(4);
  return contents.slice(offset, offset + 3);
}
