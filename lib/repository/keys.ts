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
  /** The number that new units are sealed with: the greatest. */
  readonly current: number;
  readonly keys: VaultKeys;
  readonly #cache = new Map<string, Uint8Array>();

  constructor(repository: RepositoryId, keys: VaultKeys) {
    this.repository = repository;
    this.keys = keys;
    this.current = Math.max(...keys.pairs.map((pair) => pair.number));
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
    const pair = this.keys.pairs.find((candidate) => candidate.number === number);
    const isContent = CONTENT_KINDS.has(kind);
    const key = isContent ? pair?.data : pair?.meta;
    if (key) return key;
    throw new HoldfastError('wrong-key', `The ${isContent ? 'data' : 'meta'} key number ${number} is needed and was not opened by the key that was given.`, {
      nextStep: 'Give a key file or passphrase that has a slot for this key number: `holdfast keys list` shows the slots.',
    });
  }
}

/** 256 pseudo-random 32-bit words from the chunker secret: cut points cannot be predicted from public text alone. */
export function gearTable(chunkerSecret: Uint8Array): Uint32Array {
  const key = Buffer.from(hkdfSync('sha256', chunkerSecret, new Uint8Array(0), 'holdfast/1 gear', 32));
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(1024));
  return Uint32Array.from({ length: 256 }, (_, index) => stream.readUInt32BE(index * 4));
}
