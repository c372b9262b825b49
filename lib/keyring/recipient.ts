import { createHash, hkdfSync } from 'node:crypto';
import { HoldfastError, invariant } from '../model/errors.ts';
import type { KeySlot, KeyWrapper, SlotSecret, Unlocker } from './key-slot.ts';
import { fingerprintOf, shownFingerprint } from './recipient/public-half.ts';
import type { Recipient } from './recipient/public-half.ts';
import { encapsulateTo, xWingKey } from './recipient/x-wing.ts';
import { isRightKey } from './wrapping.ts';

type RecipientKdf = Extract<KeySlot, { kind: 'recipient' }>['kdf'];

/**
 * Makes slots for an offline recipient (K11) from its public half alone; it opens none but its own. `recipient` was
 * parsed by `parseRecipient`. Fails as `unsupported` where this Node has no ML-KEM.
 */
export function recipientWrapper({ publicKey, label }: Recipient): KeyWrapper {
  const encapsulated = encapsulateTo(publicKey);
  invariant(encapsulated, 'The public half of a recipient was checked and is none');
  const { ciphertext, sharedSecret } = encapsulated;
  const fingerprint = fingerprintOf(publicKey);
  return {
    kind: 'recipient',
    label,
    kdf: { name: 'x-wing', recipient: fingerprint, ciphertext },
    isFor: ({ kdf }) => kdf?.name === 'x-wing' && isEqual(kdf.recipient, fingerprint),
    keyEncryptionKey: async (slot) => {
      if (isEqual(kdfOf(slot).ciphertext, ciphertext)) return keyEncryptionKey(sharedSecret, fingerprint, slot);
      throw new HoldfastError('wrong-key', `The public half of the recipient ${label} opens nothing.`, { nextStep: 'Open the vault with its paper: `holdfast keys read-paper`, then --recipient-key-file.' });
    },
  };
}

/**
 * Opens slots with the private half, 32 bytes. A slot that names this recipient and does not open with it, or the
 * reverse, was altered or moved here: `damaged`, for it must not be taken for a wrong key. Others are passed by.
 */
export function recipientUnlocker(seed: Uint8Array): Unlocker {
  const key = xWingKey(seed);
  const fingerprint = fingerprintOf(key.publicKey);
  return {
    kind: 'recipient',
    keyEncryptionKey: async (slot) => {
      const { recipient, ciphertext } = kdfOf(slot);
      const isNamed = isEqual(recipient, fingerprint);
      const sharedSecret = key.decapsulate(ciphertext);
      const kek = sharedSecret && keyEncryptionKey(sharedSecret, fingerprint, slot);
      const isOpen = kek !== undefined && (slot.check === undefined || isRightKey(kek, { ...slot, check: slot.check }));
      if (isNamed === isOpen) return kek;
      throw new HoldfastError('damaged', isNamed ? 'it names this recipient and does not open with it: it was altered, or moved here from another vault or number' : 'it opens with this recipient and names another one: it was altered');
    },
  };
}

/** The same recipient twice, from the configuration and the command line, is one; the first counts. */
export function distinctWrappers(wrappers: readonly KeyWrapper[]): KeyWrapper[] {
  const known = new Set<string>();
  return wrappers.filter(({ kdf }) => {
    if (kdf?.name !== 'x-wing') return true;
    const name = shownFingerprint(kdf.recipient);
    return !known.has(name) && known.add(name);
  });
}

/** The public half of a private one; it is called by its fingerprint, for a paper has no file name. */
export function recipientOf(seed: Uint8Array): Recipient {
  const { publicKey } = xWingKey(seed);
  return { label: `recipient ${shownFingerprint(fingerprintOf(publicKey))}`, publicKey };
}

/**
 * X-Wing binds its shared secret to both ciphertexts and the X25519 key; this binds it to the whole public key, the
 * vault and the key number as well (format §3), so that a slot says what it is for.
 */
function keyEncryptionKey(sharedSecret: Uint8Array, fingerprint: Uint8Array, slot: SlotSecret): Uint8Array {
  const number = Buffer.alloc(4);
  number.writeUInt32BE(slot.keyNumber);
  const ciphertext = createHash('sha256').update(kdfOf(slot).ciphertext).digest();
  const info = Buffer.concat([Buffer.from('holdfast/1 recipient\0'), Buffer.from(slot.repository, 'hex'), number, fingerprint, ciphertext]);
  return new Uint8Array(hkdfSync('sha256', sharedSecret, slot.salt, info, 32));
}

function kdfOf({ kdf }: Pick<SlotSecret, 'kdf'>): RecipientKdf {
  invariant(kdf?.name === 'x-wing', 'A slot of another kind came to a recipient');
  return kdf;
}

function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}
