import { Story } from './story.ts';
import type { Meddling } from './story.ts';

const MAX_ATTEMPTS = 800;

/** The shortest list of choices found that still ends in a failure: a shorter story with fewer kills, pauses and actors. */
export async function shrink(seed: number, choices: readonly number[], meddling: Meddling = {}): Promise<readonly number[]> {
  const search = new Search(seed, choices, meddling);
  for (let before = Infinity; weightOf(search.best) < before; ) {
    before = weightOf(search.best);
    await search.pass((list, at, size) => [...list.slice(0, at), ...list.slice(at + size)]);
    await search.pass((list, at, size) => list.map((choice, position) => (position >= at && position < at + size ? 0 : choice)));
  }
  return search.best;
}

class Search {
  best: readonly number[];
  #attempts = 0;
  readonly #seed: number;
  readonly #meddling: Meddling;

  constructor(seed: number, choices: readonly number[], meddling: Meddling) {
    this.#seed = seed;
    this.best = choices;
    this.#meddling = meddling;
  }

  /** Tries a change on ever smaller windows of the list. */
  async pass(change: (list: readonly number[], at: number, size: number) => number[]): Promise<void> {
    for (let size = Math.ceil(this.best.length / 2); size >= 1; size = Math.floor(size / 2)) {
      for (let at = this.best.length - size; at >= 0; at -= size) {
        if (this.#attempts >= MAX_ATTEMPTS) return;
        await this.#attempt(change(this.best, at, size));
      }
    }
  }

  async #attempt(candidate: readonly number[]): Promise<void> {
    if (weightOf(candidate) >= weightOf(this.best)) return;
    this.#attempts++;
    const outcome = await new Story(this.#seed, this.#meddling, candidate).tell();
    if (outcome.failure !== undefined) this.best = trimmed(outcome.choices.length < candidate.length ? candidate.slice(0, outcome.choices.length) : candidate);
  }
}

/** Zeros at the end are there anyway. */
function trimmed(list: readonly number[]): readonly number[] {
  return list.slice(0, list.findLastIndex((choice) => choice !== 0) + 1);
}

/** Shorter is better, then more zeros. */
function weightOf(list: readonly number[]): number {
  return list.length * 2 + list.filter((choice) => choice !== 0).length;
}

/** What happened, for people: ids cut short. */
export async function retell(seed: number, choices: readonly number[], meddling: Meddling = {}): Promise<string> {
  const outcome = await new Story(seed, meddling, choices, true).tell();
  const lines = [`seed ${seed}, ${choices.length} choices: ${JSON.stringify(choices)}`, ...outcome.trace, `=> ${outcome.failure ?? 'no failure'}`];
  return lines.map((line) => line.replace(/\b([0-9a-f]{6})[0-9a-f]{26}\b/g, '$1').replace(/\b[0-9A-HJKMNP-TV-Z]{20}([0-9A-HJKMNP-TV-Z]{6})\b/g, '~$1')).join('\n');
}
