import type { ByteRange, ObjectInfo, PutResult, Store } from '../../lib/stores/store.ts';
import type { Actor, Scheduler } from './scheduler.ts';

/** Sees what happens to the vault, when it happens. */
export interface Watcher {
  onPut(actor: string, name: string, now: number, bytes: Uint8Array | readonly Uint8Array[]): void;
  onRemove(actor: string, name: string): void;
  onNow(actor: string, now: number): void;
  onList(actor: string, prefix: string): void;
}

/** The vault as one actor reaches it: every call waits until the story lets it happen, and the oracle sees it happen. */
export class SteppedStore implements Store {
  readonly description = 'memory, step by step';
  readonly #vault: Store;
  readonly #scheduler: Scheduler;
  readonly #oracle: Watcher;
  readonly #actor: Actor;

  constructor(vault: Store, world: { scheduler: Scheduler; oracle: Watcher }, actor: Actor) {
    this.#vault = vault;
    this.#scheduler = world.scheduler;
    this.#oracle = world.oracle;
    this.#actor = actor;
  }

  put(name: string, bytes: Uint8Array | readonly Uint8Array[]): Promise<PutResult> {
    return this.#call(`put ${name}`, async () => {
      const result = await this.#vault.put(name, bytes);
      if (result.created) this.#oracle.onPut(this.#actor.name, name, this.#scheduler.now, bytes);
      return result;
    });
  }

  get(name: string, range?: ByteRange): Promise<Uint8Array> {
    return this.#call(`get ${name}`, () => this.#vault.get(name, range));
  }

  stat(name: string): Promise<ObjectInfo> {
    return this.#call(`stat ${name}`, () => this.#vault.stat(name));
  }

  remove(name: string): Promise<void> {
    return this.#call(`remove ${name}`, async () => {
      await this.#vault.remove(name);
      this.#oracle.onRemove(this.#actor.name, name);
    });
  }

  now(): Promise<number> {
    return this.#call('now', async () => {
      this.#oracle.onNow(this.#actor.name, this.#scheduler.now);
      return this.#vault.now();
    });
  }

  /** Sometimes in two pages, with whatever may happen between them. */
  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    let rest: string | undefined;
    const first = await this.#call(`list ${prefix}`, async () => {
      this.#oracle.onList(this.#actor.name, prefix);
      const all = await Array.fromAsync(this.#vault.list(prefix));
      if (all.length < 2 || !this.#actor.dice.isOnceIn(12)) return all;
      rest = all[1 + this.#actor.dice.pick(all.length - 1)]?.name;
      return all.filter((object) => object.name < (rest ?? ''));
    });
    yield* first;
    const from = rest;
    if (from === undefined) return;
    yield* await this.#call(`list ${prefix}, from ${from}`, async () => (await Array.fromAsync(this.#vault.list(prefix))).filter((object) => object.name >= from));
  }

  #call<T>(what: string, effect: () => Promise<T>): Promise<T> {
    return this.#scheduler.call(this.#actor, what, effect);
  }
}
