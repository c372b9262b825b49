import * as crypto from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { HoldfastError } from '../../model/errors.ts';

/**
 * X-Wing: ML-KEM-768 (FIPS 203) and X25519 (RFC 7748) as one key encapsulation, secure while either of them is
 * (draft-connolly-cfrg-xwing-kem-09, sections 5.2 to 5.4). All sizes are bytes.
 */
export const X_WING_SEED_BYTES = 32;
/** ML-KEM-768 (1184), then X25519 (32). */
export const X_WING_PUBLIC_KEY_BYTES = 1184 + 32;
/** ML-KEM-768 (1088), then the ephemeral X25519 key (32). */
export const X_WING_CIPHERTEXT_BYTES = 1088 + 32;

export interface Encapsulated {
  readonly ciphertext: Uint8Array;
  readonly sharedSecret: Uint8Array;
}

/** A private half: both keys follow from a seed of 32 bytes. */
export interface XWingKey {
  readonly publicKey: Uint8Array;
  /** Undefined for an X25519 share of low order, which no sender makes. A ciphertext for somebody else gives another secret, and no error. */
  decapsulate(ciphertext: Uint8Array): Uint8Array | undefined;
}

const ML_KEM_CIPHERTEXT_BYTES = 1088;
const ML_KEM_PUBLIC_KEY_BYTES = 1184;
/** Six characters: a backslash, `.//^`, a backslash. */
const LABEL = Buffer.from('5c2e2f2f5e5c', 'hex');

// DER in front of raw keys: RFC 8410 for X25519, RFC 9935 for ML-KEM (private keys as seeds). Readable by every OpenSSL that has them.
const DER = {
  mlKemPublic: Buffer.from('308204b2300b0609608648016503040402038204a100', 'hex'),
  mlKemSeed: Buffer.from('3054020100300b060960864801650304040204428040', 'hex'),
  x25519Public: Buffer.from('302a300506032b656e032100', 'hex'),
  x25519Private: Buffer.from('302e020100300506032b656e04220420', 'hex'),
};

/** Fails as `unsupported` where this Node has no ML-KEM. */
export function xWingKey(seed: Uint8Array): XWingKey {
  requireMlKem();
  const expanded = crypto.createHash('shake256', { outputLength: 96 }).update(seed).digest();
  const mlKem = privateKey(DER.mlKemSeed, expanded.subarray(0, 64));
  const x25519 = privateKey(DER.x25519Private, expanded.subarray(64));
  const x25519Public = rawPublic(x25519, DER.x25519Public);
  return {
    publicKey: Buffer.concat([rawPublic(mlKem, DER.mlKemPublic), x25519Public]),
    decapsulate: (ciphertext) => {
      const share = ciphertext.subarray(ML_KEM_CIPHERTEXT_BYTES);
      const agreed = agree(x25519, share);
      return agreed && combine(crypto.decapsulate(mlKem, ciphertext.subarray(0, ML_KEM_CIPHERTEXT_BYTES)), agreed, share, x25519Public);
    },
  };
}

/** A fresh secret for whoever has the private half. Undefined when `publicKey` is no public key. Fails as `unsupported` where this Node has no ML-KEM. */
export function encapsulateTo(publicKey: Uint8Array): Encapsulated | undefined {
  requireMlKem();
  const x25519Public = publicKey.subarray(ML_KEM_PUBLIC_KEY_BYTES);
  const ephemeral = crypto.generateKeyPairSync('x25519');
  const agreed = agree(ephemeral.privateKey, x25519Public);
  const lattice = encapsulateMlKem(publicKey.subarray(0, ML_KEM_PUBLIC_KEY_BYTES));
  if (agreed === undefined || lattice === undefined) return undefined;
  const share = ephemeral.publicKey.export({ format: 'der', type: 'spki' }).subarray(DER.x25519Public.length);
  return { ciphertext: Buffer.concat([lattice.ciphertext, share]), sharedSecret: combine(lattice.sharedKey, agreed, share, x25519Public) };
}

/** Reached through the module: names that an older Node lacks would keep the whole program from starting. */
function requireMlKem(): void {
  const [major = 0, minor = 0] = process.versions.openssl.split('.').map(Number);
  if (typeof crypto.encapsulate === 'function' && (major > 3 || (major === 3 && minor >= 5))) return;
  throw new HoldfastError('unsupported', `Offline recipients need ML-KEM-768, which Node ${process.versions.node} with OpenSSL ${process.versions.openssl} does not have, wanted Node 24.7 or newer with OpenSSL 3.5 or newer.`, {
    nextStep: 'Install a newer Node from https://nodejs.org; those built by some distributions use an older OpenSSL.',
  });
}

function encapsulateMlKem(publicKey: Uint8Array): { readonly sharedKey: Uint8Array; readonly ciphertext: Uint8Array } | undefined {
  try {
    return crypto.encapsulate(crypto.createPublicKey({ format: 'der', type: 'spki', key: Buffer.concat([DER.mlKemPublic, publicKey]) }));
  } catch {
    // OpenSSL checks the modulus (FIPS 203, 7.2): these bytes are no ML-KEM key.
    return undefined;
  }
}

/** OpenSSL refuses an agreement of zeroes, what a point of low order gives (RFC 7748, section 6.1). */
function agree(own: KeyObject, other: Uint8Array): Uint8Array | undefined {
  try {
    return crypto.diffieHellman({ privateKey: own, publicKey: crypto.createPublicKey({ format: 'der', type: 'spki', key: Buffer.concat([DER.x25519Public, other]) }) });
  } catch {
    return undefined;
  }
}

function combine(lattice: Uint8Array, curve: Uint8Array, share: Uint8Array, publicKey: Uint8Array): Uint8Array {
  return crypto.createHash('sha3-256').update(lattice).update(curve).update(share).update(publicKey).update(LABEL).digest();
}

function privateKey(prefix: Uint8Array, raw: Uint8Array): KeyObject {
  return crypto.createPrivateKey({ format: 'der', type: 'pkcs8', key: Buffer.concat([prefix, raw]) });
}

function rawPublic(key: KeyObject, { length }: Uint8Array): Buffer {
  return crypto.createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(length);
}
