/** A bit stream that is read backwards from the highest set bit of its last byte (RFC 8878 §4.1): entropy-coded parts of a block. */
export class BackwardBits {
  readonly #bytes: Uint8Array;
  /** Bits that are left; below zero when more were read than there are: those are zeroes. */
  left: number;

  constructor(bytes: Uint8Array) {
    const last = bytes[bytes.length - 1] ?? 0;
    if (last === 0) throw new Error('a bit stream does not end with its mark');
    this.#bytes = bytes;
    this.left = bytes.length * 8 - (Math.clz32(last) - 24) - 1;
  }

  /** Up to 24 bits; consumes nothing. */
  peek(count: number): number {
    const from = this.left - count;
    const start = from >> 3;
    const bytes = this.#bytes;
    const isInside = start >= 0 && start + 3 < bytes.length;
    const word = isInside ? (bytes[start]! | (bytes[start + 1]! << 8) | (bytes[start + 2]! << 16) | (bytes[start + 3]! << 24)) : this.#wordAtEnd(start);
    return (word >>> (from & 7)) & ((1 << count) - 1);
  }

  /** Up to 32 bits. */
  read(count: number): number {
    if (count > 16) return this.read(count - 16) * 65_536 + this.read(16);
    const value = this.peek(count);
    this.left -= count;
    return value;
  }

  #wordAtEnd(start: number): number {
    let word = 0;
    for (let index = 0; index < 4; index++) word |= (this.#bytes[start + index] ?? 0) << (index * 8);
    return word;
  }
}

/** A bit stream that is read forwards, low bits first: descriptions of tables. */
export class ForwardBits {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whole bytes that were touched. */
  get usedBytes(): number {
    return Math.ceil(this.#position / 8);
  }

  /** Up to 16 bits. */
  read(count: number): number {
    const start = this.#position >> 3;
    const byte = (index: number) => this.#bytes[index] ?? 0;
    const value = ((byte(start) | (byte(start + 1) << 8) | (byte(start + 2) << 16)) >> (this.#position & 7)) & ((1 << count) - 1);
    this.#position += count;
    if (this.usedBytes > this.#bytes.length) throw new Error('a table ends early');
    return value;
  }

  giveBack(count: number): void {
    this.#position -= count;
  }
}

export function highestBit(value: number): number {
  return 31 - Math.clz32(value);
}
