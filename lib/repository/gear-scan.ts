import { BLOCK_BYTES, CONTEXT_BYTES, DATA_OFFSET, gearScanModule } from './gear-scan-code.ts';

/** How many bytes are copied for one call: enough to hide the call, few enough to stay in the first cache. */
const WINDOW_BYTES = 4 * BLOCK_BYTES;

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly find: (length: number, mask: number) => number;
}

/** Looks for blocks that hold a cut, much faster than byte by byte. Not there on processors without vector instructions. */
export class GearScan {
  readonly #memory: Uint8Array;
  readonly #find: Exports['find'];

  private constructor({ memory, find }: Exports, gear: Int32Array) {
    this.#memory = new Uint8Array(memory.buffer);
    this.#find = find;
    new Int32Array(memory.buffer, 0, gear.length).set(gear);
  }

  /** `gear` has 256 values. */
  static create(gear: Int32Array): GearScan | undefined {
    compiled ??= compile();
    return compiled.module && new GearScan(new WebAssembly.Instance(compiled.module).exports as unknown as Exports, gear);
  }

  /**
   * How far from `index` on no position has a hash without bits of `mask`, in whole blocks: the answer is at most
   * `end`, and everything from there to the next block's end must be looked at. The 32 bytes before `index` count.
   */
  skip(bytes: Uint8Array, index: number, end: number, mask: number): number {
    let at = index;
    while (end - at >= BLOCK_BYTES) {
      const length = Math.min(WINDOW_BYTES, end - at - ((end - at) % BLOCK_BYTES));
      this.#memory.set(bytes.subarray(at - CONTEXT_BYTES, at + length), DATA_OFFSET);
      const block = this.#find(length, mask);
      if (block >= 0) return at + block;
      at += length;
    }
    return at;
  }
}

let compiled: { readonly module: WebAssembly.Module | undefined } | undefined;

function compile(): { readonly module: WebAssembly.Module | undefined } {
  const bytes = gearScanModule();
  return { module: WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : undefined };
}
