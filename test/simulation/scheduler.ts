import { setImmediate as afterMicrotasks } from 'node:timers/promises';
import type { Choices } from './choices.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Around every margin of format §12, from both sides. */
const PAUSES = [10 * MINUTE, 10 * MINUTE, 55 * MINUTE, 55 * MINUTE, 65 * MINUTE, 3 * HOUR, 20 * HOUR, 21.5 * HOUR, 23 * HOUR, 24.5 * HOUR, 26 * HOUR, 49 * HOUR, 75 * HOUR, 8 * DAY, 31 * DAY];

/** Calls that the proof of format §12 turns on are worth stopping before more often, in percent. */
const DELICATE: readonly (readonly [RegExp, number])[] = [
  [/^put refs|^put snapshots|^list packs|^put index/, 12],
  [/^put condemned|^list condemned|^list refs|^remove packs/, 8],
];

function pauseChance(what: string): number {
  return DELICATE.find(([pattern]) => pattern.test(what))?.[1] ?? 2;
}

/** One call to the store that an actor waits for. */
interface Call {
  readonly actor: Actor;
  readonly what: string;
  /** What it does to the vault, and how the actor learns of it. */
  readonly act: () => Promise<void>;
}

/** A process of the story: a program that is started again after it was killed, until its rounds are used up. */
export class Actor {
  readonly name: string;
  wakeAt = 0;
  /** Grows with every kill: calls and programs of earlier lives are dead. */
  life = 0;
  readonly program: (actor: Actor) => Promise<void>;

  constructor(name: string, program: (actor: Actor) => Promise<void>) {
    this.name = name;
    this.program = program;
  }
}

/**
 * Lets one waiting call happen at a time, chosen by the story, and moves the store's clock. Between two calls everything
 * that can go on without the store goes on to its end: nothing in the story depends on real time.
 */
export class Scheduler {
  now: number;
  readonly trace: string[] = [];
  steps = 0;
  readonly #choices: Choices;
  readonly #actors: Actor[] = [];
  #calls: Call[] = [];
  readonly #isKeepingTrace: boolean;
  readonly #begin: number;

  constructor(choices: Choices, now: number, isKeepingTrace: boolean) {
    this.#choices = choices;
    this.now = now;
    this.#begin = now;
    this.#isKeepingTrace = isKeepingTrace;
  }

  start(actor: Actor): void {
    this.#actors.push(actor);
    this.#launch(actor);
  }

  /** Waits until the story picks this call, then does it. A killed actor waits for ever. */
  call<T>(actor: Actor, what: string, effect: () => Promise<T>): Promise<T> {
    const life = actor.life;
    return new Promise((resolve, reject) => {
      const act = () => effect().then((value) => (actor.life === life ? resolve(value) : undefined), (error: unknown) => (actor.life === life ? reject(error as Error) : undefined));
      this.#calls.push({ actor, what, act });
    });
  }

  sleep(actor: Actor, milliseconds: number): Promise<void> {
    actor.wakeAt = this.now + milliseconds;
    return this.call(actor, 'wakes up', async () => undefined);
  }

  /** Runs until nobody waits any more, or after `steps` calls, or `isOver`. */
  async run(steps: number, isOver: () => boolean): Promise<void> {
    const end = this.steps + steps;
    for (await afterMicrotasks(); this.#calls.length > 0 && this.steps < end && !isOver(); await afterMicrotasks()) await this.#step();
  }

  /** Everyone who is still at work is gone for good. */
  endAll(): void {
    for (const actor of this.#actors) actor.life++;
    this.#calls = [];
  }

  note(actor: Actor, text: string): void {
    if (this.#isKeepingTrace) this.trace.push(`${((this.now - this.#begin) / HOUR).toFixed(2).padStart(8)} h  ${actor.name}: ${text}`);
  }

  async #step(): Promise<void> {
    const awake = this.#calls.filter((call) => call.actor.wakeAt <= this.now);
    if (awake.length === 0) {
      this.now = Math.min(...this.#calls.map((call) => call.actor.wakeAt));
      return;
    }
    this.steps++;
    const call = this.#choices.from(awake);
    const fate = this.#choices.pick(100);
    if (fate >= 99) return this.#kill(call.actor);
    if (fate >= 99 - pauseChance(call.what)) return this.#pause(call.actor);
    await this.#happen(call);
  }

  async #happen(call: Call): Promise<void> {
    this.#calls.splice(this.#calls.indexOf(call), 1);
    this.now += 1000;
    this.note(call.actor, call.what);
    await call.act();
  }

  #pause(actor: Actor): void {
    const pause = this.#choices.from(PAUSES);
    actor.wakeAt = this.now + pause;
    this.note(actor, `is paused for ${(pause / HOUR).toFixed(1)} h`);
  }

  /** Calls under way may still reach the store, or not; nobody hears of them. */
  async #kill(actor: Actor): Promise<void> {
    actor.life++;
    this.note(actor, 'is killed');
    for (const call of this.#calls.filter((waiting) => waiting.actor === actor)) {
      if (call.what !== 'wakes up' && this.#choices.pick(2) === 1) await this.#happen(call);
    }
    this.#calls = this.#calls.filter((call) => call.actor !== actor);
    actor.wakeAt = this.now + this.#choices.from(PAUSES);
    this.#launch(actor);
  }

  #launch(actor: Actor): void {
    // An actor's program catches what it may meet; anything else is recorded by it as the story's failure.
    void actor.program(actor);
  }
}
