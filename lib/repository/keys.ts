import { createCipheriv, hkdfSync } from 'node:crypto';
import { HoldfastError } from '../model/errors.ts';
import type { RepositoryId } from '../model/ids.ts';
import type { SealKind } from './format.ts';

/** The keys of one number (format §3). Whoever was given the meta key alone has no `data`. */
export interface KeyPair {
  readonly number: number;
  readonly meta: Uint8Array;
  readonly data?: Uint8Array;
}

/** Everything that opening key slots yields. `chunker` never changes over the life of a vault. */
export interface VaultKeys {
  readonly pairs: readonly KeyPair[];
  readonly chunker: Uint8Array;
}

/** What the data key opens: who holds the meta key alone reads none of it. */
const CONTENT_KINDS: ReadonlySet<string> = new Set<SealKind>(['frame', 'wal']);

/** Hands out subkeys; the only place that knows which kind belongs to which key. */
export class Subkeys {
  readonly repository: RepositoryId;
  /** The number that new units are sealed with: the greatest when the vault was opened. */
  readonly current: number;
  /** Those that the vault was opened with: what threads that seal are started with. */
  readonly sealing: VaultKeys;
  readonly #cache = new Map<string, Uint8Array>();
  readonly #openers = new Map<'frame' | 'tree', Record<number, Uint8Array>>();
  #keys: VaultKeys;

  constructor(repository: RepositoryId, keys: VaultKeys) {
    this.repository = repository;
    this.sealing = this.#keys = keys;
    this.current = Math.max(...keys.pairs.map((pair) => pair.number));
  }

  /** Everything that was opened so far. */
  get keys(): VaultKeys {
    return this.#keys;
  }

  has(number: number): boolean {
    return this.#keys.pairs.some((pair) => pair.number === number);
  }

  /**
   * Takes over keys of numbers that were added since, to open with: one run seals under one number. Fails as
   * `refused` when they are not keys of the same vault: whatever is damaged elsewhere, nobody may go on past this.
   */
  learn({ pairs, chunker }: VaultKeys): void {
    const known = new Map(this.#keys.pairs.map((pair) => [pair.number, pair]));
    const isSame = isEqual(chunker, this.#keys.chunker) && pairs.every((pair) => isEqual(pair.meta, known.get(pair.number)?.meta ?? pair.meta));
    if (!isSame) throw new HoldfastError('refused', 'The key slots of this vault hold other keys than when it was opened.', { nextStep: 'Write nothing there. Compare keys/ with a copy of the vault, and find out who changed it.' });
    const added = pairs.filter(({ number }) => !known.has(number));
    this.#keys = { chunker: this.#keys.chunker, pairs: [...this.#keys.pairs, ...added].sort((left, right) => left.number - right.number) };
    for (const kind of this.#openers.keys()) this.#fillOpener(kind);
  }

  /** Subkeys by key number, for opening frames; who holds them sees those that are learnt later. */
  openers(kind: 'frame' | 'tree'): Readonly<Record<number, Uint8Array>> {
    return this.#openers.get(kind) ?? this.#fillOpener(kind);
  }

  #fillOpener(kind: 'frame' | 'tree'): Record<number, Uint8Array> {
    const subkeys = this.#openers.get(kind) ?? {};
    for (const { number, data } of this.#keys.pairs) if (kind === 'tree' || data) subkeys[number] = this.subkey(kind, number);
    this.#openers.set(kind, subkeys);
    return subkeys;
  }

  /** Fails as `wrong-key` when this holder was not given the key that the kind needs. */
  subkey(kind: SealKind | 'refs-mac', number = this.current): Uint8Array {
    const id = `${number} ${kind}`;
    const known = this.#cache.get(id);
    if (known) return known;
    const key = this.#key(kind, number);
    const derived = new Uint8Array(hkdfSync('sha256', key, Buffer.from(this.repository, 'hex'), `holdfast/1 ${kind}`, 32));
    this.#cache.set(id, derived);
    return derived;
  }

  #key(kind: string, number: number): Uint8Array {
    const pair = this.#keys.pairs.find((candidate) => candidate.number === number);
    const isContent = CONTENT_KINDS.has(kind);
    const key = isContent ? pair?.data : pair?.meta;
    if (key) return key;
    throw new HoldfastError('wrong-key', `The ${isContent ? 'data' : 'meta'} key number ${number} is needed and was not opened by the key that was given.`, {
      nextStep: 'Give a key file or passphrase that has a slot for this key number: `holdfast keys list` shows the slots.',
    });
  }
}

function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.from(left.buffer, left.byteOffset, left.byteLength).equals(right);
}

/** 256 pseudo-random 32-bit words from the chunker secret: cut points cannot be predicted from public text alone. */
export function gearTable(chunkerSecret: Uint8Array): Uint32Array {
  const key = Buffer.from(hkdfSync('sha256', chunkerSecret, new Uint8Array(0), 'holdfast/1 gear', 32));
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(1024));
  return Uint32Array.from({ length: 256 }, (_, index) => stream.readUInt32BE(index * 4));
}
