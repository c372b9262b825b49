import type { RunId } from '../model/ids.ts';
import { names } from './names.ts';
import { sealIndex } from './pack-index.ts';
import type { PackRef } from './refs.ts';
import type { Repository, Writer } from './repository.ts';

export interface StoredPack extends PackRef {
  /** Of its chunks, 32 bytes each. */
  readonly ids: Uint8Array;
}

export interface RunIndexOptions {
  readonly run: RunId;
  readonly writer: Writer;
  readonly random?: (size: number) => Uint8Array;
}

/** 34 bytes each, and a name for each pack: an index object is about 5 MiB, and making it takes 25 (docs/memory.md). */
const INDEX_CLAIMS = 1 << 17;
const NO_IDS = new Uint8Array(0);

/** What one run stored, and the index objects that name it (format §6), each of a bounded size. */
export class RunIndex {
  readonly #repository: Repository;
  readonly #options: RunIndexOptions;
  readonly #stored: StoredPack[] = [];
  #indexed = 0;
  /** Chunk ids that wait for an index; they are forgotten when it is stored. */
  #unindexedClaims = 0;
  #storing: Promise<void> = Promise.resolve();
  #number: number;
  readonly #names: string[] = [];
  readonly #broken: string[] = [];
  #storedBytes = 0;

  /** `firstNumber`: of the names that it gives. */
  constructor(repository: Repository, options: RunIndexOptions, firstNumber: number) {
    this.#repository = repository;
    this.#options = options;
    this.#number = firstNumber;
  }

  /** Every pack of this run, whether an index names it yet or not. */
  get packs(): readonly PackRef[] {
    return this.#stored.map(({ name, size, sha256 }) => ({ name, size, sha256 }));
  }

  /** Of the objects stored so far. */
  get names(): readonly string[] {
    return [...this.#names];
  }

  get storedBytes(): number {
    return this.#storedBytes;
  }

  /** So much waits that it fills an object: a million ids are 32 MiB, and an index of them takes five times as much to be made. */
  get isFull(): boolean {
    return this.#unindexedClaims >= INDEX_CLAIMS;
  }

  /** The pack is durable. */
  add(pack: StoredPack): void {
    this.#stored.push(pack);
    this.#unindexedClaims += claimsOf(pack);
  }

  /** An object that does not open, or whose head is not what it was written with: what it said stands in ours, from the packs where need be. */
  standInFor(broken: string): void {
    this.#broken.push(broken);
  }

  /** Durable when it returns. One at a time: packs are stored side by side. */
  store(): Promise<void> {
    this.#storing = this.#storing.then(() => this.#storeAll());
    return this.#storing;
  }

  /** Names packs that no index names yet; in several objects where one would be too large for a store. */
  async #storeAll(): Promise<void> {
    const { store, keys, cipher } = this.#repository;
    while (this.#indexed < this.#stored.length) {
      const fresh = packsOfOneIndex(this.#stored.slice(this.#indexed));
      const name = names.index(this.#options.writer.id, this.#options.run, this.#number++);
      const packs = fresh.map((pack) => ({ ...pack, keyNumber: keys.current }));
      const object = sealIndex(keys, name, { supersedes: this.#broken.splice(0), packs }, cipher, this.#options.random);
      await store.put(name, object);
      this.#names.push(name);
      this.#storedBytes += object.length;
      for (const pack of fresh) {
        this.#stored[this.#indexed++] = { ...pack, ids: NO_IDS };
        this.#unindexedClaims -= claimsOf(pack);
      }
    }
  }
}

/** The first of these packs, at least one, that together claim no more than one index object takes. */
function packsOfOneIndex(packs: readonly StoredPack[]): readonly StoredPack[] {
  let claims = 0;
  const end = packs.findIndex((pack, position) => (claims += claimsOf(pack)) > INDEX_CLAIMS && position > 0);
  return end < 0 ? packs : packs.slice(0, end);
}

function claimsOf({ ids }: StoredPack): number {
  return ids.length / 32;
}
