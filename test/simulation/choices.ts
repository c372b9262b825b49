/** Small, fast, good enough to pick stories; nothing secret. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2654435761 + 0x9e3779b9) >>> 0;
  }

  /** 32 random bits (splitmix). */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let value = this.#state;
    value = Math.imul(value ^ (value >>> 16), 0x21f0aaad);
    value = Math.imul(value ^ (value >>> 15), 0x735a2d97);
    return (value ^ (value >>> 15)) >>> 0;
  }

  bytes = (size: number): Uint8Array => {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at++) bytes[at] = this.next() >>> 24;
    return bytes;
  };
}

/**
 * Every decision of a story, in order. A new story takes them from a seed; a replayed one from a list, and behind its end
 * always 0, which everywhere stands for the dullest choice. So a story is shrunk by shortening and zeroing the list.
 */
export class Choices {
  readonly taken: number[] = [];
  /** From here on everything is dull, and nothing is taken down. */
  isCalm = false;
  readonly #random: SeededRandom | undefined;
  readonly #replay: readonly number[];

  constructor(seed: number, replay?: readonly number[]) {
    this.#random = replay ? undefined : new SeededRandom(seed);
    this.#replay = replay ?? [];
  }

  /** A whole number from 0 to `count` - 1. */
  pick(count: number): number {
    if (count <= 1 || this.isCalm) return 0;
    const choice = this.#random ? this.#random.next() % count : Math.min(this.#replay[this.taken.length] ?? 0, count - 1);
    this.taken.push(choice);
    return choice;
  }

  from<T>(options: readonly T[]): T {
    return options[this.pick(options.length)] as T;
  }

  /** True once in `count` times; the dull answer is false. */
  rarely(count: number): boolean {
    return this.pick(count) === count - 1;
  }
}
