const MAX_PACKS = 1 << 22;

/**
 * Numbers for pack ids, shared by all threads: chunk tables hold numbers, refs hold ids. Pages are resident only as far
 * as numbers were given out; 4 million packs are 64 TiB.
 */
export class PackIds {
  readonly buffer: SharedArrayBuffer;
  readonly #next: Int32Array;
  readonly #ids: Uint8Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#next = new Int32Array(buffer, 0, 1);
    this.#ids = new Uint8Array(buffer, 16);
  }

  static create(): PackIds {
    return new PackIds(new SharedArrayBuffer(16 + MAX_PACKS * 16));
  }

  /** The id is in place before anyone can learn its number from a table. */
  add(id: string): number {
    const number = Atomics.add(this.#next, 0, 1);
    if (number >= MAX_PACKS) throw new RangeError(`more than ${MAX_PACKS} packs in one run`);
    this.#ids.set(Buffer.from(id, 'hex'), number * 16);
    return number;
  }

  bytes(number: number): Uint8Array {
    return this.#ids.subarray(number * 16, number * 16 + 16);
  }
}
