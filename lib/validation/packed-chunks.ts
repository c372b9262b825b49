/**
 * Which chunks the directories of packs hold: an open-addressed table over flat arrays, because millions of JavaScript
 * strings cost ten times the memory. About 62 bytes a chunk.
 */
export class PackedChunks {
  #ids = new Uint8Array(32 * 1024);
  #packs = new Uint32Array(1024);
  #lengths = new Float64Array(1024);
  #damaged = new Uint8Array(1024);
  /** Position plus one; 0 is free. At most half full. */
  #slots = new Uint32Array(2048);
  #count = 0;

  /** `pack` is an ordinal of the caller. A chunk that a pack holds twice counts once. */
  add(pack: number, id: Uint8Array, length: number): void {
    if (this.#count === this.#packs.length) this.#grow();
    const slot = this.#slotOf(pack, id);
    if (this.#slots[slot] !== 0) return;
    const position = this.#count++;
    this.#ids.set(id, position * 32);
    this.#packs[position] = pack;
    this.#lengths[position] = length;
    this.#slots[slot] = position + 1;
  }

  /** Position of a chunk in that pack; -1 when its directory does not list it. */
  find(pack: number, id: Uint8Array): number {
    return (this.#slots[this.#slotOf(pack, id)] as number) - 1;
  }

  lengthAt(position: number): number {
    return this.#lengths[position] as number;
  }

  isDamagedAt(position: number): boolean {
    return this.#damaged[position] === 1;
  }

  markDamaged(pack: number, id: Uint8Array): void {
    const position = this.find(pack, id);
    if (position >= 0) this.#damaged[position] = 1;
  }

  /** Digests are uniform: their first bits are the hash. */
  #slotOf(pack: number, id: Uint8Array): number {
    const mask = this.#slots.length - 1;
    const start = (id[0] as number) | ((id[1] as number) << 8) | ((id[2] as number) << 16) | ((id[3] as number) << 24);
    for (let slot = (start ^ Math.imul(pack, 0x9e3779b1)) & mask; ; slot = (slot + 1) & mask) {
      const position = (this.#slots[slot] as number) - 1;
      if (position < 0 || (this.#packs[position] === pack && this.#isAt(position, id))) return slot;
    }
  }

  #isAt(position: number, id: Uint8Array): boolean {
    const offset = position * 32;
    for (let index = 0; index < 32; index++) if (this.#ids[offset + index] !== id[index]) return false;
    return true;
  }

  #grow(): void {
    const capacity = this.#packs.length * 2;
    this.#ids = enlarged(this.#ids, new Uint8Array(capacity * 32));
    this.#packs = enlarged(this.#packs, new Uint32Array(capacity));
    this.#lengths = enlarged(this.#lengths, new Float64Array(capacity));
    this.#damaged = enlarged(this.#damaged, new Uint8Array(capacity));
    this.#slots = new Uint32Array(capacity * 2);
    for (let position = 0; position < this.#count; position++) {
      const slot = this.#slotOf(this.#packs[position] as number, this.#ids.subarray(position * 32, position * 32 + 32));
      this.#slots[slot] = position + 1;
    }
  }
}

function enlarged<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from as never);
  return to;
}
