/**
 * The table of known chunks: open addressing in shared memory, read and written by all threads without a lock.
 * A slot is 40 bytes: state, pack number, chunk id. With its load factor that is at most 64 bytes a chunk. The states lie
 * by themselves, side by side: looking for a chunk that is not there touches one or two cache lines of a table.
 * A full table forgets nothing and takes nothing in: missing knowledge costs only space in the vault.
 */
/** Behind the states: pack number and chunk id. */
const ENTRY_WORDS = 9;
const SLOT_WORDS = ENTRY_WORDS + 1;
const EMPTY = 0;
const WRITING = 1;
/** Any other state has this bit: the first word of the chunk id besides, so that one look tells nearly all strangers. */
const READY = 2;
const MAX_LOAD = 0.95;
const CROWDED_LOAD = 0.85;
/** Of all tables so far: 40 bytes × 4/3 / 0.85 are less than 64 a chunk at every moment. */
const GROWTH = 1 / 3;

export class ChunkTable {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #slots: number;
  /** Word 0 counts the chunks. */
  static readonly #HEAD_WORDS = 2;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
    this.#slots = (this.#words.length - ChunkTable.#HEAD_WORDS) / SLOT_WORDS;
  }

  static create(slots: number): ChunkTable {
    return new ChunkTable(new SharedArrayBuffer((Math.max(slots, 64) * SLOT_WORDS + ChunkTable.#HEAD_WORDS) * 4));
  }

  get slots(): number {
    return this.#slots;
  }

  get size(): number {
    return Atomics.load(this.#words, 0);
  }

  get isCrowded(): boolean {
    return this.size > this.#slots * CROWDED_LOAD;
  }

  /** The pack number that holds the chunk, or -1. */
  find(id: Uint8Array): number {
    return this.#probe(id, -1);
  }

  /** The pack number of a chunk that is known already, or -1 after noting that `pack` will hold it. */
  claim(id: Uint8Array, pack: number): number {
    return this.#probe(id, pack);
  }

  #probe(id: Uint8Array, pack: number): number {
    const words = this.#words;
    // By the last bytes: an index gives ids in ascending order, and by the first ones they would all crowd in one place.
    let slot = Math.floor(((word(id, 28) >>> 0) / 2 ** 32) * this.#slots);
    const ready = word(id, 0) | READY;
    for (let probes = 0; probes < this.#slots; probes++, slot = slot + 1 === this.#slots ? 0 : slot + 1) {
      const at = ChunkTable.#HEAD_WORDS + slot;
      let state = Atomics.load(words, at);
      if (state === EMPTY) {
        if (pack < 0 || this.size > this.#slots * MAX_LOAD) return -1;
        state = Atomics.compareExchange(words, at, EMPTY, WRITING);
        if (state === EMPTY) {
          this.#write(slot, id, pack);
          return -1;
        }
      }
      // Another thread is between claiming the slot and publishing it: a handful of instructions.
      while (state === WRITING) state = Atomics.load(words, at);
      if (state === ready && this.#holds(slot, id)) return words[this.#entryOf(slot)] as number;
    }
    return -1;
  }

  #write(slot: number, id: Uint8Array, pack: number): void {
    const entry = this.#entryOf(slot);
    this.#words[entry] = pack;
    for (let index = 0; index < 8; index++) this.#words[entry + 1 + index] = word(id, index * 4);
    Atomics.store(this.#words, ChunkTable.#HEAD_WORDS + slot, word(id, 0) | READY);
    Atomics.add(this.#words, 0, 1);
  }

  #holds(slot: number, id: Uint8Array): boolean {
    const entry = this.#entryOf(slot);
    for (let index = 0; index < 8; index++) if (this.#words[entry + 1 + index] !== word(id, index * 4)) return false;
    return true;
  }

  #entryOf(slot: number): number {
    return ChunkTable.#HEAD_WORDS + this.#slots + slot * ENTRY_WORDS;
  }
}

/** Several tables as one: when the newest is crowded a greater one is put before it, so that nothing is ever moved. */
export class ChunkTables {
  readonly #tables: ChunkTable[];

  constructor(buffers: readonly SharedArrayBuffer[]) {
    this.#tables = buffers.map((buffer) => new ChunkTable(buffer));
  }

  static create(slots = 1 << 15): ChunkTables {
    return new ChunkTables([ChunkTable.create(slots).buffer]);
  }

  get buffers(): SharedArrayBuffer[] {
    return this.#tables.map((table) => table.buffer);
  }

  get size(): number {
    return this.#tables.reduce((sum, table) => sum + table.size, 0);
  }

  find(id: Uint8Array): number {
    for (const table of this.#tables) {
      const pack = table.find(id);
      if (pack >= 0) return pack;
    }
    return -1;
  }

  claim(id: Uint8Array, pack: number): number {
    const [newest, ...older] = this.#tables as [ChunkTable, ...ChunkTable[]];
    for (const table of older) {
      const known = table.find(id);
      if (known >= 0) return known;
    }
    return newest.claim(id, pack);
  }

  /** Adds a table a third as large as all so far when the newest is crowded; true when it did, so that threads are told. */
  growIfCrowded(): boolean {
    const newest = this.#tables[0] as ChunkTable;
    if (!newest.isCrowded) return false;
    this.#tables.unshift(ChunkTable.create(Math.ceil(this.#tables.reduce((sum, table) => sum + table.slots, 0) * GROWTH)));
    return true;
  }

  /** One table for all of them, where they would else make the tables grow again and again: fewer places to look in. */
  makeRoomFor(chunks: number): void {
    const newest = this.#tables[0] as ChunkTable;
    const slots = this.#tables.reduce((sum, table) => sum + table.slots, 0);
    // Small ones are what growing is for.
    if (newest.size + chunks <= newest.slots * CROWDED_LOAD || chunks < slots * GROWTH) return;
    this.#tables.unshift(ChunkTable.create(Math.ceil(chunks / (CROWDED_LOAD - 0.1))));
  }

  adopt(buffers: readonly SharedArrayBuffer[]): void {
    this.#tables.splice(0, this.#tables.length, ...buffers.map((buffer) => new ChunkTable(buffer)));
  }
}

function word(id: Uint8Array, at: number): number {
  return ((id[at] as number) << 24) | ((id[at + 1] as number) << 16) | ((id[at + 2] as number) << 8) | (id[at + 3] as number);
}
