import { isHoldfastError } from '../model/errors.ts';
import { CIPHERS, checkVersion, damaged } from './format.ts';
import type { CipherName, SealKind } from './format.ts';
import type { Subkeys } from './keys.ts';
import { associatedData, cipherByNumber, open } from './seal.ts';

/** What a head or a footer says about its unit: plain bytes, believed only when the unit opens. */
export interface SealClaim {
  readonly version: number;
  /** Number of the cipher. */
  readonly cipher: number;
  readonly keyNumber: number;
}

/**
 * Opens the unit of a named object as its head claims. A flipped bit in the head can look like a newer format version or
 * like a key that was not given: what opens under our own version and keys is neither, it is `damaged`.
 */
export function openClaimed(keys: Subkeys, kind: SealKind, name: string, unit: Uint8Array, claim: SealClaim, what = name): Buffer {
  try {
    checkVersion(claim.version, what);
    return openAs(keys, kind, name, unit, cipherByNumber(claim.cipher, what), claim.keyNumber, what);
  } catch (error) {
    const isOfHead = isHoldfastError(error, 'unsupported-version') || isHoldfastError(error, 'wrong-key');
    if (!isOfHead || !opensOtherwise(keys, kind, name, unit)) throw error;
    throw damaged(`${what}: its head says format ${claim.version}, cipher ${claim.cipher}, key number ${claim.keyNumber}, and it was sealed otherwise`);
  }
}

function openAs(keys: Subkeys, kind: SealKind, name: string, unit: Uint8Array, cipher: CipherName, keyNumber: number, what: string): Buffer {
  return open(keys.subkey(kind, keyNumber), unit, associatedData({ repository: keys.repository, cipher, keyNumber, kind, name }), cipher, what);
}

function opensOtherwise(keys: Subkeys, kind: SealKind, name: string, unit: Uint8Array): boolean {
  return keys.keys.pairs.some(({ number }) => Object.keys(CIPHERS).some((cipher) => opens(() => openAs(keys, kind, name, unit, cipher as CipherName, number, name))));
}

function opens(attempt: () => unknown): boolean {
  try {
    attempt();
    return true;
  } catch (error) {
    if (isHoldfastError(error, 'damaged') || isHoldfastError(error, 'wrong-key')) return false;
    throw error;
  }
}
