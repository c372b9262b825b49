/**
 * A fixed set of equal buffers in shared memory with a free list that threads take from and the main thread gives back
 * to. Taking blocks the thread while all are in use: this is how a slow store holds the readers back.
 */
export interface SharedBuffersShape {
  readonly control: SharedArrayBuffer;
  readonly buffers: readonly SharedArrayBuffer[];
}

/** What takers see of a set of buffers. */
export interface BufferSupply {
  take(): number;
  view(index: number): Uint8Array;
  give(index: number): void;
}

export class SharedBuffers implements BufferSupply {
  readonly shape: SharedBuffersShape;
  /** Word 0 wakes waiters; word 1 + i is 1 while buffer i is in use. */
  readonly #control: Int32Array;

  constructor(shape: SharedBuffersShape) {
    this.shape = shape;
    this.#control = new Int32Array(shape.control);
  }

  /** Pages are touched, and so become resident, only when a buffer is first used. */
  static create(count: number, bytes: number): SharedBuffers {
    const buffers = Array.from({ length: count }, () => new SharedArrayBuffer(bytes));
    return new SharedBuffers({ control: new SharedArrayBuffer((count + 1) * 4), buffers });
  }

  view(index: number): Uint8Array {
    const buffer = this.shape.buffers[index];
    if (!buffer) throw new RangeError(`buffer ${index} of ${this.shape.buffers.length}`);
    return new Uint8Array(buffer);
  }

  /** Blocks the calling thread until one is free. */
  take(): number {
    for (;;) {
      const seen = Atomics.load(this.#control, 0);
      const index = this.tryTake();
      if (index !== undefined) return index;
      Atomics.wait(this.#control, 0, seen);
    }
  }

  tryTake(): number | undefined {
    for (let index = 0; index < this.shape.buffers.length; index++) {
      if (Atomics.compareExchange(this.#control, 1 + index, 0, 1) === 0) return index;
    }
    return undefined;
  }

  /** For the main thread, which must not block. */
  async takeAsync(): Promise<number> {
    for (;;) {
      const seen = Atomics.load(this.#control, 0);
      const index = this.tryTake();
      if (index !== undefined) return index;
      const waited = Atomics.waitAsync(this.#control, 0, seen);
      if (waited.async) await waited.value;
    }
  }

  give(index: number): void {
    Atomics.store(this.#control, 1 + index, 0);
    Atomics.add(this.#control, 0, 1);
    Atomics.notify(this.#control, 0);
  }
}

/** For work without threads: the taker is the one who would give back, so it never blocks and the set grows instead. */
export class GrowingBuffers implements BufferSupply {
  readonly #bytes: number;
  readonly #buffers: Uint8Array[] = [];
  readonly #free: number[] = [];

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  take(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    return this.#buffers.push(new Uint8Array(this.#bytes)) - 1;
  }

  view(index: number): Uint8Array {
    const buffer = this.#buffers[index];
    if (!buffer) throw new RangeError(`buffer ${index} of ${this.#buffers.length}`);
    return buffer;
  }

  give(index: number): void {
    this.#free.push(index);
  }
}
