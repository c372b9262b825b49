import type { Event } from './scheduler.ts';
import type { Telling } from './tale.ts';

const MAX_ATTEMPTS = 1000;

/** Tells one story, as often as it is asked. */
export type Teller = (telling: Telling) => Promise<{ readonly failure: string | undefined; readonly events: readonly Event[]; readonly trace: readonly string[] }>;

/** Leaves out what the failure does not need: whole actors, then ever shorter stretches of events. */
export async function shrink(tell: Teller, events: readonly Event[], maxAttempts = MAX_ATTEMPTS): Promise<readonly Event[]> {
  const search = new Search({ tell, maxAttempts }, events, kindOf((await tell({ replay: events })).failure));
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
  readonly #tell: Teller;
  readonly #maxAttempts: number;
  /** Another failure on the way is another story. */
  readonly #kind: string;

  constructor({ tell, maxAttempts }: { readonly tell: Teller; readonly maxAttempts: number }, events: readonly Event[], kind: string) {
    this.#tell = tell;
    this.#maxAttempts = maxAttempts;
    this.best = events;
    this.#kind = kind;
  }

  /** Events that were passed over, or came after the failure, go as well. */
  async attempt(candidate: readonly Event[]): Promise<void> {
    if (this.#attempts++ >= this.#maxAttempts) return;
    const { failure, events } = await this.#tell({ replay: candidate });
    if (failure !== undefined && kindOf(failure) === this.#kind) this.best = events;
  }
}

/** What a failure says, without the ids and numbers that it says it of. */
function kindOf(failure = ''): string {
  return failure.replace(/\b[0-9a-fA-HJKMNP-TV-Z]{26,32}\b|\d+/g, '#').slice(0, 60);
}

/** What happened, for people: ids cut short. */
export async function retell(seed: number, tell: Teller, events: readonly Event[]): Promise<string> {
  const outcome = await tell({ replay: events, isKeepingTrace: true });
  const lines = [`seed ${seed}, ${events.length} events`, ...outcome.trace, `=> ${outcome.failure ?? 'no failure'}`];
  return lines.map((line) => line.replace(/\b([0-9a-f]{6})[0-9a-f]{26}\b/g, '$1').replace(/\b[0-9A-HJKMNP-TV-Z]{20}([0-9A-HJKMNP-TV-Z]{6})\b/g, '~$1')).join('\n');
}

/** The shortest story found that still fails, for people. */
export async function shortest(seed: number, tell: Teller, events: readonly Event[]): Promise<string> {
  return retell(seed, tell, await shrink(tell, events));
}
