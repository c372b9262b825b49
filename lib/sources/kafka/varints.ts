/** Numbers of records: zig-zag, seven bits a byte, the least first (as Protocol Buffers have them). */
export class VarintReader {
  position = 0;
  readonly #bytes: Buffer;
  readonly #cut: () => Error;

  /** `cut` makes the error for bytes that end too early or a number that is none. */
  constructor(bytes: Buffer, cut: () => Error) {
    this.#bytes = bytes;
    this.#cut = cut;
  }

  get remaining(): number {
    return this.#bytes.length - this.position;
  }

  /** Of 32 bits. */
  number(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
    throw this.#cut();
  }

  /** Of 64 bits. Most are small, and then no large number is made on the way. */
  bigint(): bigint {
    const start = this.position;
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt((low >>> 1) ^ -(low & 1));
    }
    this.position = start;
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
    }
    throw this.#cut();
  }

  /** With their length before them; null for a length of -1. */
  bytes(): Buffer | null {
    const length = this.number();
    if (length === -1) return null;
    if (length < 0 || length > this.remaining) throw this.#cut();
    return this.#bytes.subarray(this.position, (this.position += length));
  }

  skip(count: number): void {
    if (count > this.remaining) throw this.#cut();
    this.position += count;
  }

  #byte(): number {
    const byte = this.#bytes[this.position++];
    if (byte === undefined) throw this.#cut();
    return byte;
  }
}
