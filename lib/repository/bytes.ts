import { damaged } from './format.ts';

/** Growing writer for the binary parts of the format (format §1). */
export class ByteWriter {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity = 4096) {
    this.#bytes = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  u32(value: number): this {
    return this.u8(value >>> 24).u8((value >>> 16) & 255).u8((value >>> 8) & 255).u8(value & 255);
  }

  /** Unsigned LEB128, up to 2^53 - 1. */
  varint(value: number): this {
    this.#reserve(8);
    let rest = value;
    while (rest > 127) {
      this.#bytes[this.#length++] = (rest % 128) | 128;
      rest = rest > 0x7fffffff ? Math.floor(rest / 128) : rest >>> 7;
    }
    this.#bytes[this.#length++] = rest;
    return this;
  }

  zigzag(value: number): this {
    return this.varint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** A byte string, each character one byte. */
  latin1(value: string, from = 0): this {
    const count = value.length - from;
    this.#reserve(count);
    for (let index = 0; index < count; index++) this.#bytes[this.#length + index] = value.charCodeAt(from + index);
    this.#length += count;
    return this;
  }

  sized(value: Uint8Array): this {
    return this.varint(value.length).bytes(value);
  }

  reset(): void {
    this.#length = 0;
  }

  truncate(length: number): this {
    this.#length = length;
    return this;
  }

  /** A copy: the writer may go on. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length) as Uint8Array<ArrayBuffer>;
  }

  /** Valid until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** Bounds-checked reader: whatever an object claims, nothing outside it is read. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  position = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get remaining(): number {
    return this.#bytes.length - this.position;
  }

  u8(): number {
    const value = this.#bytes[this.position];
    if (value === undefined) throw this.#short();
    this.position++;
    return value;
  }

  u32(): number {
    return this.u8() * 2 ** 24 + (this.u8() << 16) + (this.u8() << 8) + this.u8();
  }

  varint(): number {
    let value = this.u8();
    if (value < 128) return value;
    value &= 127;
    let factor = 128;
    for (;;) {
      const byte = this.u8();
      value += (byte & 127) * factor;
      if (value > Number.MAX_SAFE_INTEGER) throw damaged(`${this.#what}: a number above 2^53 at byte ${this.position}`);
      if (byte < 128) return value;
      factor *= 128;
      if (factor > 2 ** 56) throw damaged(`${this.#what}: an endless number at byte ${this.position}`);
    }
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A view, not a copy. */
  bytes(count: number): Uint8Array {
    if (count > this.remaining) throw this.#short();
    const view = this.#bytes.subarray(this.position, this.position + count);
    this.position += count;
    return view;
  }

  latin1(count: number): string {
    const view = this.bytes(count);
    return Buffer.from(view.buffer, view.byteOffset, count).latin1Slice();
  }

  sized(): Uint8Array {
    return this.bytes(this.varint());
  }

  /** A count of things that take at least `bytesEach`: refuses counts that cannot fit in what is left. */
  count(bytesEach: number): number {
    const value = this.varint();
    if (value * bytesEach > this.remaining) throw damaged(`${this.#what}: ${value} items announced, ${this.remaining} bytes left`);
    return value;
  }

  end(): void {
    if (this.remaining !== 0) throw damaged(`${this.#what}: ${this.remaining} bytes after the end`);
  }

  #short(): Error {
    return damaged(`${this.#what}: ends at byte ${this.#bytes.length}, more was announced`);
  }
}
