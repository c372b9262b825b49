import { createHash } from 'node:crypto';

/** Small, fast, good enough to pick stories; nothing secret. */
export class SeededRandom {
  #state: number;

  constructor(...seeds: readonly (number | string)[]) {
    this.#state = createHash('sha256').update(seeds.join(' ')).digest().readUInt32BE(0);
  }

  /** 32 random bits (splitmix). */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let value = this.#state;
    value = Math.imul(value ^ (value >>> 16), 0x21f0aaad);
    value = Math.imul(value ^ (value >>> 15), 0x735a2d97);
    return (value ^ (value >>> 15)) >>> 0;
  }

  /** A whole number from 0 to `count` - 1. */
  pick(count: number): number {
    return count <= 1 ? 0 : this.next() % count;
  }

  from<T>(options: readonly T[]): T {
    return options[this.pick(options.length)] as T;
  }

  /** True once in `count` times. */
  isOnceIn(count: number): boolean {
    return this.pick(count) === 0;
  }

  bytes = (size: number): Uint8Array => {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at++) bytes[at] = this.next() >>> 24;
    return bytes;
  };
}
