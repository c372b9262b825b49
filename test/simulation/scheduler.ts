import { setImmediate as afterMicrotasks } from 'node:timers/promises';
import { SeededRandom } from './dice.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Around every margin of format §12, from both sides. */
const PAUSES = [10 * MINUTE, 10 * MINUTE, 55 * MINUTE, 55 * MINUTE, 65 * MINUTE, 3 * HOUR, 20 * HOUR, 21.5 * HOUR, 23 * HOUR, 24.5 * HOUR, 26 * HOUR, 49 * HOUR, 75 * HOUR, 8 * DAY, 31 * DAY];

/** Calls that the proof of format §12 turns on are worth stopping before more often, in percent. */
const DELICATE: readonly (readonly [RegExp, number])[] = [
  [/^put refs|^put snapshots|^list packs|^put index|^put condemned.*ruling/, 12],
  [/^put condemned|^list condemned|^list refs|^remove packs/, 8],
];

/** One step of a story. A story is the list of its events, and is shrunk by leaving some out. */
export interface Event {
  readonly actor: string;
  readonly fate: 'goes on' | 'is paused' | 'is killed';
  /** Which of the actor's waiting calls. */
  readonly call: number;
  /** Length of the pause, or until the actor is started again. */
  readonly milliseconds: number;
  /** Which calls of a killed actor still reach the store, one bit each. */
  readonly landing: number;
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
  /** What it decides by itself, so that events of others may be left out of a story without changing its mind. */
  readonly dice: SeededRandom;

  constructor(name: string, seed: number, program: (actor: Actor) => Promise<void>) {
    this.name = name;
    this.dice = new SeededRandom(seed, name);
    this.program = program;
  }
}

/**
 * Lets one waiting call happen at a time, chosen by chance or by a list of events, and moves the store's clock. Between
 * two calls everything that can go on without the store goes on to its end: nothing in a story depends on real time.
 */
export class Scheduler {
  now: number;
  readonly events: Event[] = [];
  readonly trace: string[] = [];
  readonly #begin: number;
  readonly #chance: SeededRandom;
  readonly #actors: Actor[] = [];
  #calls: Call[] = [];
  readonly #isKeepingTrace: boolean;

  constructor(seed: number, now: number, isKeepingTrace: boolean) {
    this.#chance = new SeededRandom(seed, 'events');
    this.#begin = now;
    this.now = now;
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
    return this.call(actor, WAKING, async () => undefined);
  }

  /** By chance, until nobody waits any more, or after `steps`, or `isOver`. */
  async improvise(steps: number, isOver: () => boolean): Promise<void> {
    for (await afterMicrotasks(); this.#calls.length > 0 && this.events.length < steps && !isOver(); await afterMicrotasks()) {
      const event = this.#chooseEvent();
      if (event) await this.#perform(event);
    }
  }

  /** As written. An event whose actor waits for nothing is passed over; one whose actor sleeps waits for it. */
  async replay(events: readonly Event[], isOver: () => boolean): Promise<void> {
    for (const event of events) {
      await afterMicrotasks();
      if (isOver()) return;
      const actor = this.#calls.find((call) => call.actor.name === event.actor)?.actor;
      if (!actor) continue;
      this.now = Math.max(this.now, actor.wakeAt);
      await this.#perform(event);
    }
    await afterMicrotasks();
  }

  /** Without any trouble, one call after the other, to the end. */
  async calmly(isOver: () => boolean): Promise<void> {
    for (await afterMicrotasks(); this.#calls.length > 0 && !isOver(); await afterMicrotasks()) {
      const [call] = this.#calls as [Call];
      this.now = Math.max(this.now, call.actor.wakeAt);
      await this.#happen(call);
    }
  }

  /** Everyone who is still at work is gone for good. */
  endAll(): void {
    for (const actor of this.#actors) actor.life++;
    this.#calls = [];
  }

  note(actor: Actor, text: string): void {
    if (this.#isKeepingTrace) this.trace.push(`${((this.now - this.#begin) / HOUR).toFixed(2).padStart(8)} h  ${actor.name}: ${text}`);
  }

  #chooseEvent(): Event | undefined {
    const awake = this.#calls.filter((call) => call.actor.wakeAt <= this.now);
    if (awake.length === 0) {
      this.now = Math.min(...this.#calls.map((call) => call.actor.wakeAt));
      return undefined;
    }
    const call = this.#chance.from(awake);
    const trouble = this.#chance.pick(100);
    const fate = trouble < 1 ? 'is killed' : trouble <= (DELICATE.find(([pattern]) => pattern.test(call.what))?.[1] ?? 2) ? 'is paused' : 'goes on';
    const isTrouble = fate !== 'goes on';
    const position = this.#calls.filter((other) => other.actor === call.actor).indexOf(call);
    return { actor: call.actor.name, fate, call: position, milliseconds: isTrouble ? this.#chance.from(PAUSES) : 0, landing: isTrouble ? this.#chance.pick(4) : 0 };
  }

  async #perform(event: Event): Promise<void> {
    const waiting = this.#calls.filter((call) => call.actor.name === event.actor);
    const call = waiting[Math.min(event.call, waiting.length - 1)];
    if (!call) return;
    this.events.push(event);
    if (event.fate === 'goes on') return this.#happen(call);
    this.note(call.actor, `${event.fate} for ${(event.milliseconds / HOUR).toFixed(1)} h`);
    if (event.fate === 'is killed') await this.#kill(call.actor, waiting, event.landing);
    call.actor.wakeAt = this.now + event.milliseconds;
  }

  async #happen(call: Call): Promise<void> {
    this.#calls.splice(this.#calls.indexOf(call), 1);
    this.now += 1000;
    this.note(call.actor, call.what);
    await call.act();
  }

  /** Calls under way may still reach the store; nobody hears of them. */
  async #kill(actor: Actor, waiting: readonly Call[], landing: number): Promise<void> {
    actor.life++;
    for (const [position, call] of waiting.entries()) if (call.what !== WAKING && (landing >> position) & 1) await this.#happen(call);
    this.#calls = this.#calls.filter((call) => call.actor !== actor);
    this.#launch(actor);
  }

  #launch(actor: Actor): void {
    // An actor's program catches what it may meet; anything else is recorded by it as the story's failure.
    void actor.program(actor);
  }
}

const WAKING = 'wakes up';
