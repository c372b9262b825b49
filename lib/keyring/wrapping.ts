import { createCipheriv, createDecipheriv, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { KeySlot } from './key-slot.ts';

/** Which of a vault's keys a wrapping holds. */
export type KeyName = 'meta' | 'data' | 'chunker';

type SlotPlace = Pick<KeySlot, 'repository' | 'keyNumber' | 'slot' | 'salt'>;

const TAG_BYTES = 16;
/** Zero, because every wrapping key is used once: its salt is fresh for each slot (format §3). */
const NONCE = Buffer.alloc(12);

export function wrapKey(kek: Uint8Array, place: SlotPlace, name: KeyName, key: Uint8Array): Uint8Array {
  const sealer = createCipheriv('aes-256-gcm', wrappingKey(kek, place.salt, name), NONCE);
  sealer.setAAD(associatedData(place, name));
  return Buffer.concat([sealer.update(key), sealer.final(), sealer.getAuthTag()]);
}

/** Undefined when the wrapping was altered or moved here from another slot, number or vault. */
export function unwrapKey(kek: Uint8Array, place: SlotPlace, name: KeyName, wrapped: Uint8Array): Uint8Array | undefined {
  const opener = createDecipheriv('aes-256-gcm', wrappingKey(kek, place.salt, name), NONCE, { authTagLength: TAG_BYTES });
  opener.setAAD(associatedData(place, name));
  opener.setAuthTag(wrapped.subarray(wrapped.length - TAG_BYTES));
  const key = opener.update(wrapped.subarray(0, wrapped.length - TAG_BYTES));
  try {
    opener.final();
  } catch {
    return undefined;
  }
  return key;
}

/** Tells a wrong key from a damaged slot, without opening anything. */
export function checkValue(kek: Uint8Array, place: Pick<SlotPlace, 'repository' | 'salt'>): Uint8Array {
  const key = Buffer.from(hkdfSync('sha256', kek, place.salt, 'holdfast check', 32));
  return createHmac('sha256', key).update(`check${place.repository}`).digest().subarray(0, 16);
}

export function isRightKey(kek: Uint8Array, slot: Pick<KeySlot, 'repository' | 'salt' | 'check'>): boolean {
  return timingSafeEqual(checkValue(kek, slot), slot.check);
}

function wrappingKey(kek: Uint8Array, salt: Uint8Array, name: KeyName): Buffer {
  return Buffer.from(hkdfSync('sha256', kek, salt, `holdfast wrap ${name}`, 32));
}

function associatedData({ repository, keyNumber, slot }: SlotPlace, name: KeyName): Buffer {
  return Buffer.from(`holdfast/1/wrap/${repository}/${keyNumber}/${slot}/${name}`);
}
