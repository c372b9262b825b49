import type { Event } from './scheduler.ts';
import { Story } from './story.ts';
import type { Meddling } from './story.ts';

const MAX_ATTEMPTS = 1000;

/** Leaves out what the failure does not need: whole actors, then ever shorter stretches of events. */
export async function shrink(seed: number, events: readonly Event[], meddling: Meddling = {}): Promise<readonly Event[]> {
  const search = new Search(seed, events, meddling);
  for (const actor of new Set(events.map((event) => event.actor))) await search.attempt(search.best.filter((event) => event.actor !== actor));
  for (let before = Infinity; search.best.length < before; ) {
    before = search.best.length;
    for (let size = Math.ceil(before / 2); size >= 1; size = Math.floor(size / 2)) {
      for (let at = search.best.length - size; at >= 0; at -= size) await search.attempt([...search.best.slice(0, at), ...search.best.slice(at + size)]);
    }
  }
  return search.best;
}

class Search {
  best: readonly Event[];
  #attempts = 0;
  readonly #seed: number;
  readonly #meddling: Meddling;

  constructor(seed: number, events: readonly Event[], meddling: Meddling) {
    this.#seed = seed;
    this.best = events;
    this.#meddling = meddling;
  }

  /** Events that were passed over, or came after the failure, go as well. */
  async attempt(candidate: readonly Event[]): Promise<void> {
    if (this.#attempts++ >= MAX_ATTEMPTS) return;
    const { failure, events } = await new Story(this.#seed, this.#meddling, { replay: candidate }).tell();
    if (failure !== undefined) this.best = events;
  }
}

/** What happened, for people: ids cut short. */
export async function retell(seed: number, events: readonly Event[], meddling: Meddling = {}): Promise<string> {
  const outcome = await new Story(seed, meddling, { replay: events, isKeepingTrace: true }).tell();
  const lines = [`seed ${seed}, ${events.length} events`, ...outcome.trace, `=> ${outcome.failure ?? 'no failure'}`];
  return lines.map((line) => line.replace(/\b([0-9a-f]{6})[0-9a-f]{26}\b/g, '$1').replace(/\b[0-9A-HJKMNP-TV-Z]{20}([0-9A-HJKMNP-TV-Z]{6})\b/g, '~$1')).join('\n');
}
