import type { MemoryStore } from '../../../lib/stores/memory-store.ts';
import type { Store } from '../../../lib/stores/store.ts';

/**
 * What a disk does to packs behind everybody's back: a byte is another one from now on, or the pack is gone. Its time of
 * storing stays, as it does on a disk.
 */
export class Wounds {
  /** Offset of the byte that is another one, by name of the pack. */
  readonly #flips = new Map<string, number>();
  readonly #vault: MemoryStore;

  constructor(vault: MemoryStore) {
    this.#vault = vault;
  }

  flip(name: string, offset: number): void {
    this.#flips.set(name, offset);
  }

  async vanish(name: string): Promise<void> {
    await this.#vault.remove(name);
  }

  isFlipped(name: string): boolean {
    return this.#flips.has(name);
  }

  /** The vault as everybody reads it. */
  store(): Store {
    const vault = this.#vault;
    return {
      description: vault.description,
      put: (...given) => vault.put(...given),
      stat: (name) => vault.stat(name),
      list: (...given) => vault.list(...given),
      remove: (name) => vault.remove(name),
      now: () => vault.now(),
      get: async (name, range) => {
        const bytes = await vault.get(name, range);
        const at = (this.#flips.get(name) ?? Infinity) - (range?.offset ?? 0);
        if (at >= 0 && at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ 0x40;
        return bytes;
      },
    };
  }
}
